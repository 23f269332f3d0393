package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/definition"
)

// FigureLine is a line of a replay's output.
type FigureLine struct {
	Tenant, Experiment, Variant, Status, Point string
	Dims, Attributes                           map[string]string
	Minute                                     time.Time
	Hits                                       int64
	Sum                                        float64
	Sessions                                   int64
	SumSq                                      float64
}

// Key names the figure.
func (f *FigureLine) Key() definition.Key {
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

// maxFaults is how many differences are told.
const maxFaults = 10

// faults are the first differences, and how many there are.
type faults struct {
	lines []string
	n     int
}

func (f *faults) add(format string, args ...any) {
	if f.n++; f.n <= maxFaults {
		f.lines = append(f.lines, fmt.Sprintf(format, args...))
	}
}

// error is nil where there is no difference.
func (f *faults) error() error {
	if f.n == 0 {
		return nil
	}
	return fmt.Errorf("%d differences:\n%s", f.n, strings.Join(f.lines, "\n"))
}

// CompareFigures compares lines of figures, as a replay writes them, with the
// definition, to the last bit.
func CompareFigures(out []byte, want *definition.Result) error {
	seen := map[definition.Key]bool{}
	var faults faults
	for line := range bytes.Lines(out) {
		var f FigureLine
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&f); err != nil {
			return fmt.Errorf("%w in %s", err, line)
		}
		k := f.Key()
		if seen[k] {
			faults.add("twice: %s", line)
		}
		seen[k] = true
		w := want.Figures[k]
		if w == nil {
			faults.add("not in the definition: %s", line)
			continue
		}
		decimals := 6
		if strings.Contains(k.Point, "*") {
			decimals = 12
		}
		if f.Hits != w.Hits || f.Sessions != w.Sessions || f.Sum != float(w.Sum, decimals) || f.SumSq != float(w.SumSq, 12) {
			faults.add("got %s\nwant hits %d sum %v sessions %d sumsq %v", line, w.Hits, float(w.Sum, decimals), w.Sessions, float(w.SumSq, 12))
		}
	}
	for k, w := range want.Figures {
		if !seen[k] {
			faults.add("missing: %+v: %+v", k, w)
		}
	}
	return faults.error()
}

// tenantSummary is what a replay's summary says of a tenant.
type tenantSummary struct {
	In, Counted, Duplicate, Late int64
	Filtered                     map[string]int64
	DeadLettered                 map[string]int64 `json:"dead_lettered"`
}

// CompareSummary compares a replay's summary with the definition.
func CompareSummary(got []byte, want *definition.Result) error {
	var s struct {
		Tenants     map[string]tenantSummary
		Undecodable map[string]int64
		BadValue    map[string]int64 `json:"bad_value"`
	}
	if err := json.Unmarshal(got, &s); err != nil {
		return fmt.Errorf("%w in %s", err, got)
	}
	var faults faults
	for name, w := range want.Tenants {
		g := s.Tenants[name]
		if fmt.Sprint(g) != fmt.Sprint(tenantSummary{w.In, w.Counted, w.Duplicate, w.Late, w.Filtered, w.DeadLettered}) || s.BadValue[name] != w.BadValue {
			faults.add("summary of %s: %+v, bad values %d\nwant %+v", name, g, s.BadValue[name], *w)
		}
	}
	if fmt.Sprint(s.Undecodable) != fmt.Sprint(want.Undecodable) {
		faults.add("undecodable: %v, want %v", s.Undecodable, want.Undecodable)
	}
	return faults.error()
}
