package pipeline_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/definition/examples"
	"github.com/seed-6a2d649b/pharos/host/generate"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

const (
	minute = 60_000
	root   = "../.."
)

func TestReplayEqualsTheDefinition(t *testing.T) {
	for _, e := range examples.All(t, root) {
		t.Run(e.Name, func(t *testing.T) {
			input := inputOf(t, e)
			out, summary := replayFile(t, e.Config, input)
			lines := examples.ReadLines(t, input, "replay")
			want := definition.Compute(e.Define(t), lines)
			compareFigures(t, out, want)
			compareSummary(t, summary, want)
			if s := want.Tenants[e.Tenant]; s.In != int64(len(lines)) || s.Counted == 0 {
				t.Errorf("of %d beacons %d came in and %d counted", len(lines), s.In, s.Counted)
			}
		})
	}
}

// inputOf gives the example's real beacons, or generated ones.
func inputOf(t *testing.T, e examples.Example) string {
	t.Helper()
	if e.Real != "" {
		return e.Real
	}
	t.Log("the real input is not here: generated beacons take its place")
	file := filepath.Join(t.TempDir(), "generated.log")
	var b bytes.Buffer
	g := generate.New(generate.Options{Seed: 3, Format: e.Format, Rate: 5, Start: examples.Now.AddDate(-1, 0, 0), Delayed: 0.05, Doubled: 0.02})
	for b.Len() < 2<<20 {
		raw, _ := g.Next()
		b.Write(append(raw, '\n'))
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
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
		Now: examples.Now, Stdout: io.Discard, Stderr: io.Discard, Progress: func(string, ...any) {}, Log: hclog.NewNullLogger(),
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
type figureLine struct{ examples.FigureLine }

func (f *figureLine) key() definition.Key { return f.Key() }

// reporter is where a comparison says what it finds.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// compareFigures compares the lines of a replay with the definition, to the last bit.
func compareFigures(t reporter, out []byte, want *definition.Result) {
	t.Helper()
	if err := examples.CompareFigures(out, want); err != nil {
		t.Errorf("%v", err)
	}
}

func compareSummary(t reporter, got []byte, want *definition.Result) {
	t.Helper()
	if err := examples.CompareSummary(got, want); err != nil {
		t.Errorf("%v", err)
	}
}
