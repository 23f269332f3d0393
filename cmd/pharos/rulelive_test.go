package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestRuleIsLiveWhenSaved saves the config of a running host with other rules: they
// take the place of the old ones; wrong ones are refused, with a caret below what is
// wrong, and those before go on.
func TestRuleIsLiveWhenSaved(t *testing.T) {
	t.Parallel()
	quick := replaced(t, "session: {gap: 30m}", "session: {gap: 30m, idle: 1s, lateness: 1s}")(small)
	config := writeConfig(t, quick)
	h := up(t, "-c", config, "--watch")
	in := filepath.Join(t.TempDir(), "in.ndjson")
	ts := 1000
	// filtered sends a style and a script, and is how many beacons the rules have
	// dropped once both are counted.
	filtered := func(sent int64) (n int64) {
		t.Helper()
		ts += 1000
		writeFile(t, in, fmt.Sprintf(`{"ts": %d, "tenant": "shop", "sid": "s", "path": "/a.css"}`+"\n"+`{"ts": %d, "tenant": "shop", "sid": "s", "path": "/a.js"}`+"\n", ts, ts))
		mustRun(t, "send", "-c", config, "--in", in)
		waitFor(t, "the beacons to be counted", func() error {
			s, err := h.status()
			if b := s.Beacons["shop"]; err == nil {
				if n = b.Filtered["asset"]; b.In < sent {
					err = fmt.Errorf("%d are", b.In)
				}
			}
			return err
		})
		return n
	}
	inForce := func(generation uint64) {
		t.Helper()
		waitFor(t, fmt.Sprintf("generation %d", generation), func() error {
			s, err := h.status()
			for _, p := range sessions(s) {
				if err == nil && p.Generation != generation {
					err = fmt.Errorf("partition %d has %d", p.Partition, p.Generation)
				}
			}
			return err
		})
	}
	if n := filtered(2); n != 1 {
		t.Errorf("%d filtered by the first rule", n)
	}
	rewrite(t, config, quick, replaced(t, `path.endsWith(".css")`, `path.endsWith(".css") || path.endsWith(".js")`))
	inForce(2)
	if n := filtered(4); n != 3 {
		t.Errorf("%d filtered, with the second rule", n)
	}

	rewrite(t, config, quick, replaced(t, "endsWith", "endsWidth"))
	const caret = "\n    path.endsWidth(\".css\")\n         ^"
	waitFor(t, "the refusal to be said", func() error {
		s, err := h.status()
		if err == nil && (len(s.Faults) != 1 || !strings.Contains(s.Faults[0], "pharos.yaml:8:39: plugins.assets.rules.drop.0.when: ") || !strings.HasSuffix(s.Faults[0], caret)) {
			err = fmt.Errorf("%q", s.Faults)
		}
		return err
	})
	_, errs, code := run(t, "reload", "--addr", h.url)
	said(t, errs, code, 2, "rules have no function endsWidth, did you mean \"endsWith\"?", caret)
	expect(t, mustRun(t, "status", "--addr", h.url), `generation 2,`, `FAULT .*\n +path.endsWidth`)
	if n := filtered(6); n != 5 {
		t.Errorf("%d filtered, where the wrong rule must not be live", n)
	}

	rewrite(t, config, quick, replaced(t, ".css", ".js"))
	inForce(3)
	waitFor(t, "the fault to go", func() error {
		s, err := h.status()
		if err == nil && len(s.Faults) > 0 {
			err = fmt.Errorf("%q", s.Faults)
		}
		return err
	})
	if n := filtered(8); n != 6 {
		t.Errorf("%d filtered, with the third rule", n)
	}
	checkRuleVersion(t, h)
	h.terminate(t)
}

// checkRuleVersion sees what the page shows of a plugin of rules: a module as any other.
func checkRuleVersion(t *testing.T, h *host) {
	t.Helper()
	s, err := h.status()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Plugins {
		if p.Name != "assets" {
			continue
		}
		var steps []string
		for _, step := range p.Life {
			steps = append(steps, step.Step)
		}
		if !strings.HasPrefix(p.Version, "rules-") || p.Fuel == 0 || !strings.HasPrefix(strings.Join(steps, ", "), "build, metering, compile, ABI check, configure, golden vectors, ready, live") {
			t.Errorf("%s %s, fuel %d: %s", p.Name, p.Version, p.Fuel, steps)
		}
		return
	}
	t.Errorf("no plugin assets: %+v", s.Plugins)
}
