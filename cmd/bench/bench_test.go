package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The benchmark checks by itself that every job did its work.
func TestBench(t *testing.T) {
	var out, progress strings.Builder
	profiles := t.TempDir()
	if err := bench(t.Context(), []string{"-beacons", "20000", "-cpuprofile", profiles}, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 8 {
		t.Fatalf("%s\nwants a head and six jobs", out.String())
	}
	for _, line := range lines[2:] {
		var records, rate, peak int64
		var cpu, ratio float64
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if _, err := fmt.Sscan(strings.Join(cells[1:], " "), &records, &rate, &cpu, &ratio, &peak); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if records < 10_000 || rate <= 0 || cpu <= 0 || ratio <= 0 || peak <= 0 {
			t.Errorf("%s: has nothing in it", line)
		}
	}
	for _, name := range []string{"dispatch.pprof", "session.pprof", "session-rules.pprof"} {
		if info, err := os.Stat(filepath.Join(profiles, name)); err != nil || info.Size() == 0 {
			t.Errorf("the profile %s: %v", name, err)
		}
	}
}

// A copy that lacks beacons must not pass for one.
func TestContent(t *testing.T) {
	sum := func(texts ...string) (c content) {
		for _, s := range texts {
			c.add([]byte(s))
		}
		return c
	}
	if sum("a", "b") != sum("b", "a") {
		t.Error("the order counts")
	}
	for _, other := range [][]string{{"a"}, {"a", "a"}, {"a", "b", "b"}, {"a", "c"}} {
		if sum(other...) == sum("a", "b") {
			t.Errorf("%q is taken for a and b", other)
		}
	}
}

// The beacons are JSON of a shop's usual size, and as useful as is said.
func TestBeacons(t *testing.T) {
	const n = 50_000
	s, bytes, kept := newShop(), 0, 0
	for range n {
		b := s.next()
		if !json.Valid(b.text) {
			t.Fatalf("no JSON: %s", b.text)
		}
		bytes += len(b.text)
		if b.kept {
			kept++
		}
	}
	if mean := bytes / n; mean < 600 || mean > 1000 {
		t.Errorf("%d bytes a beacon", mean)
	}
	if share := float64(kept) / n; share < 0.56 || share > 0.58 {
		t.Errorf("%.3f of them are useful", share)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-beacons", "0"}, {"-beacons", "many"}, {"more"}, {"-no-such-flag"}} {
		if err := bench(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
