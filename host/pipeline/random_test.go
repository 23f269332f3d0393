package pipeline_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
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

var (
	firstSeed = flag.Uint64("seed", 1, "seed of the first random input")
	seeds     = flag.Uint64("seeds", 200, "number of random inputs")
)

// TestReplayOfRandomInput replays random beacons through random configs and
// compares everything with the definition. A failing one is run again, alone, by
// the seed that is its name.
func TestReplayOfRandomInput(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(seed, params{})
			files := w.files(newTraffic(w, seed))
			if w.check(t, t, files) {
				return
			}
			files = w.shrink(t, files)
			t.Logf("run it again with -seed %d -seeds 1; the config is\n%s", seed, w.yaml.String())
			for _, f := range files {
				t.Logf("source %s, beacons\n%s", f.source, f.content)
			}
			w.check(t, t, files)
		})
	}
}

// check compares the replay of files with the definition.
func (w *world) check(t *testing.T, to reporter, files []file) (same bool) {
	t.Helper()
	out, summary, err := w.replay(t, t.TempDir(), files)
	if err != nil {
		t.Fatalf("%v\n%s", err, w.yaml.String())
	}
	return compareWith(to, out, summary, definition.Compute(w.def, w.linesOf(files)))
}

// compareWith compares what a replay wrote with the definition.
func compareWith(to reporter, out, summary []byte, want *definition.Result) (same bool) {
	found := &faults{}
	compareFigures(found, out, want)
	compareSummary(found, summary, want)
	checkOrder(found, out)
	for _, fault := range *found {
		to.Errorf("%s", fault)
	}
	return len(*found) == 0
}

// checkOrder checks that lines go by series, then minute, and none is all zero.
func checkOrder(to reporter, out []byte) {
	var before []string
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var f figureLine
		if err := json.Unmarshal(s.Bytes(), &f); err != nil {
			to.Fatalf("%v in %s", err, s.Bytes())
		}
		k := f.key()
		place := []string{k.Tenant, k.Experiment, k.Variant, k.Status, k.Point}
		// The end of a list of labels goes before any name.
		for _, labels := range []map[string]string{f.Dims, f.Attributes} {
			for _, name := range sorted(labels) {
				place = append(place, name, labels[name])
			}
			place = append(place, "")
		}
		place = append(place, fmt.Sprintf("%012d", k.Minute))
		if slices.Compare(before, place) >= 0 {
			to.Errorf("not behind the line before: %s", s.Bytes())
		}
		if f.Hits == 0 && f.Sum == 0 && f.Sessions == 0 && f.SumSq == 0 {
			to.Errorf("all zero: %s", s.Bytes())
		}
		before = place
	}
}

// faults keeps what a comparison says.
type faults []string

func (*faults) Helper() {}

func (f *faults) Errorf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func (f *faults) Fatalf(format string, args ...any) { f.Errorf(format, args...) }

// shrink takes beacons out of files as long as something differs, for a while.
func (w *world) shrink(t *testing.T, files []file) []file {
	tries := 500
	for size := 1 << 12; size > 0; size /= 2 {
		for i := range files {
			lines := bytes.SplitAfter(files[i].content, []byte("\n"))
			for from := 0; from < len(lines) && tries > 0; tries-- {
				fewer := slices.Concat(lines[:from], lines[min(from+size, len(lines)):])
				tried := slices.Clone(files)
				tried[i].content = bytes.Join(fewer, nil)
				if w.check(t, &faults{}, tried) {
					from += size
				} else {
					files, lines = tried, fewer
				}
			}
		}
	}
	return files
}

// linesOf gives the beacons of files.
func (w *world) linesOf(files []file) (lines []definition.Line) {
	for _, f := range files {
		for i := range w.sources {
			if w.sources[i].name == f.source {
				lines = append(lines, beaconsOf(f.content, &w.sources[i].def, len(lines))...)
			}
		}
	}
	return lines
}

// file is an input.
type file struct {
	source  string
	content []byte
	packed  bool
}

// files generates a world's input, and the moment of the replay: some files, each
// of one source.
func (w *world) files(g *traffic) (files []file) {
	r := g.Rand
	beacons := pick(r, 3, 10, 30, 30, 100, 300)
	if g.dense > 8 {
		beacons = 500
	}
	if chance(r, 80) {
		beacons, g.whole = 5000, true // more than a batch, however they are made
	}
	n := pick(r, 1, 2, 4, 15)
	for range n {
		s := &w.sources[r.IntN(len(w.sources))]
		f := file{source: s.name, packed: chance(r, 4)}
		for range 1 + beacons/n {
			f.content = append(f.content, g.beacon(&s.def)...)
			f.content = append(f.content, pick(r, "\n", "\n", "\n", "\r\n", "\n\n", "\r\n\r\n")...)
		}
		if chance(r, 3) {
			f.content = bytes.TrimRight(f.content, "\r\n")
		}
		files = append(files, f)
	}
	w.def.Now = pick(r, g.times...) + pick(r, -w.def.Ahead, -w.def.Ahead-1, w.def.Gap, 0)
	if !chance(r, 4) {
		w.def.Now = w.base + 1000*w.span
	}
	return files
}

// beaconsOf gives the beacons of a file, the first at an offset.
func beaconsOf(content []byte, s *definition.Source, offset int) (lines []definition.Line) {
	for _, line := range strings.Split(string(content), "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			lines = append(lines, definition.Line{Source: s, Offset: int64(offset + len(lines)), Raw: []byte(line)})
		}
	}
	return lines
}

// replay runs files through the world's config, and those that it changes to.
func (w *world) replay(t *testing.T, dir string, files []file, changes ...change) (out, summary []byte, err error) {
	t.Helper()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cfg, err := config.Load(write("pharos.yaml", []byte(w.yaml.String())))
	if err != nil {
		return nil, nil, err
	}
	o := pipeline.ReplayOptions{
		Out: filepath.Join(dir, "out"), Summary: filepath.Join(dir, "summary"), Now: time.UnixMilli(w.def.Now),
		Stdout: io.Discard, Stderr: io.Discard, Progress: func(string, ...any) {}, Log: hclog.NewNullLogger(),
	}
	var changed []pipeline.Change
	for i, c := range changes {
		cfg, err := config.Load(write(fmt.Sprintf("pharos%d.yaml", i), []byte(c.to.yaml.String())))
		if err != nil {
			return nil, nil, err
		}
		changed = append(changed, pipeline.Change{At: int64(c.at), Dispatch: c.dispatch, Config: cfg})
	}
	for i, f := range files {
		name, content := fmt.Sprintf("in%d", i), f.content
		if f.packed {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			if _, err := z.Write(content); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			name, content = name+".gz", b.Bytes()
		}
		o.Inputs = append(o.Inputs, pipeline.Input{Source: f.source, Path: write(name, content)})
	}
	if len(changes) == 0 {
		err = pipeline.Replay(t.Context(), cfg, o)
	} else {
		err = pipeline.ReplayChanges(t.Context(), cfg, changed, w.IntN(50)+1, o)
	}
	if err != nil {
		return nil, nil, err
	}
	if out, err = os.ReadFile(o.Out); err != nil {
		t.Fatal(err)
	}
	if summary, err = os.ReadFile(o.Summary); err != nil {
		t.Fatal(err)
	}
	return out, summary, nil
}
