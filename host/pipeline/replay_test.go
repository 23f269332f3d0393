package pipeline_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

func TestReplayEqualsTheDefinition(t *testing.T) {
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			out, summary := replayFile(t, e.config, e.input)
			lines := readLines(t, e.input, "replay")
			want := definition.Compute(e.define(t), lines)
			compareFigures(t, out, want)
			compareSummary(t, summary, want)
			if s := want.Tenants[e.tenant]; s.In != int64(len(lines)) || s.Counted == 0 {
				t.Errorf("of %d beacons %d came in and %d counted", len(lines), s.In, s.Counted)
			}
		})
	}
}

// replayFile runs the command's replay and gives what it wrote.
func replayFile(t *testing.T, configFile, input string) (out, summary []byte) {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Load(configFile)
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline.ReplayOptions{
		Inputs: pipeline.ParseInputs([]string{input}), Out: filepath.Join(dir, "out"), Summary: filepath.Join(dir, "summary"),
		Now: now, Stdout: io.Discard, Stderr: io.Discard, Progress: func(string, ...any) {}, Log: hclog.NewNullLogger(),
	}
	if err := pipeline.Replay(t.Context(), cfg, o); err != nil {
		t.Fatal(err)
	}
	if out, err = os.ReadFile(o.Out); err != nil {
		t.Fatal(err)
	}
	if summary, err = os.ReadFile(o.Summary); err != nil {
		t.Fatal(err)
	}
	return out, summary
}

// figureLine is a line of replay's output.
type figureLine struct {
	Tenant, Experiment, Variant, Status, Point string
	Dims, Attributes                           map[string]string
	Minute                                     time.Time
	Hits                                       int64
	Sum                                        float64
	Sessions                                   int64
	SumSq                                      float64
}

func (f *figureLine) key() definition.Key {
	return definition.Key{
		Tenant: f.Tenant, Experiment: f.Experiment, Variant: f.Variant, Status: f.Status, Point: f.Point,
		Attributes: labels(f.Attributes), Dims: labels(f.Dims), Minute: f.Minute.Unix() / 60,
	}
}

func labels(m map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m)) {
		b.WriteString(name + "=" + m[name] + "\n")
	}
	return b.String()
}

// float is the float64 nearest to n / 10^decimals.
func float(n *big.Int, decimals int) float64 {
	f, _ := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)).Float64()
	return f
}

// reporter is where a comparison says what it finds.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// compareFigures compares the lines of a replay with the definition, to the last bit.
func compareFigures(t reporter, out []byte, want *definition.Result) {
	t.Helper()
	seen := map[definition.Key]bool{}
	faults := 0
	fault := func(format string, args ...any) {
		if faults++; faults <= 10 {
			t.Errorf(format, args...)
		}
	}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var f figureLine
		d := json.NewDecoder(bytes.NewReader(s.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&f); err != nil {
			t.Fatalf("%v in %s", err, s.Bytes())
		}
		k := f.key()
		if seen[k] {
			fault("twice: %s", s.Bytes())
		}
		seen[k] = true
		w := want.Figures[k]
		if w == nil {
			fault("not in the definition: %s", s.Bytes())
			continue
		}
		decimals := 6
		if strings.Contains(k.Point, "*") {
			decimals = 12
		}
		if f.Hits != w.Hits || f.Sessions != w.Sessions || f.Sum != float(w.Sum, decimals) || f.SumSq != float(w.SumSq, 12) {
			fault("got %s\nwant hits %d sum %v sessions %d sumsq %v", s.Bytes(), w.Hits, float(w.Sum, decimals), w.Sessions, float(w.SumSq, 12))
		}
	}
	for k, w := range want.Figures {
		if !seen[k] {
			fault("missing: %+v: %+v", k, w)
		}
	}
	if faults > 10 {
		t.Errorf("%d faults in all", faults)
	}
}

func compareSummary(t reporter, got []byte, want *definition.Result) {
	t.Helper()
	type tenant struct {
		In, Counted, Duplicate, Late int64
		Filtered                     map[string]int64
		DeadLettered                 map[string]int64 `json:"dead_lettered"`
	}
	var s struct {
		Tenants     map[string]tenant
		Undecodable map[string]int64
		BadValue    map[string]int64 `json:"bad_value"`
	}
	if err := json.Unmarshal(got, &s); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	for name, w := range want.Tenants {
		g := s.Tenants[name]
		if fmt.Sprint(g) != fmt.Sprint(tenant{w.In, w.Counted, w.Duplicate, w.Late, w.Filtered, w.DeadLettered}) || s.BadValue[name] != w.BadValue {
			t.Errorf("summary of %s: %+v, bad values %d\nwant %+v", name, g, s.BadValue[name], *w)
		}
	}
	if fmt.Sprint(s.Undecodable) != fmt.Sprint(want.Undecodable) {
		t.Errorf("undecodable: %v, want %v", s.Undecodable, want.Undecodable)
	}
}
