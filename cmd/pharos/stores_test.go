package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/sinks/sinktest"
)

// kept are the stores that TestStores ships to, all at once.
var kept = []string{"prometheus", "victoria", "influx", "kairosdb", "elasticsearch", "m3"}

// TestStores ships a shop's real events to every type of store at once, each the real
// server, and compares them pairwise and with the replay: no value differs.
func TestStores(t *testing.T) {
	t.Parallel()
	const servers = "elasticsearch=opensearch m3=m3db"
	config := configOf(t, root+"/docs/examples/shop.yaml")
	keepPort(t, config)
	var stores strings.Builder
	for _, name := range kept {
		program := name
		if _, other, ok := strings.Cut(servers, name+"="); ok {
			program, _, _ = strings.Cut(other, " ")
		}
		fmt.Fprintf(&stores, "  %s: {type: %s, url: %q, retention: 59d}\n", name, name, sinktest.Start(t, program).URL)
	}
	rewrite(t, config, string(read(t, config)), replaced(t, "  local: {type: embedded}\n", "  local: {type: embedded}\n"+stores.String()))
	for _, name := range kept {
		t.Log(strings.TrimSpace(mustRun(t, "store", "init", "-c", config, name)))
	}

	events, from, to := recent(t)
	file := write(t, "events.ndjson", events)
	h := up(t, "-c", config)
	mustRun(t, "send", "-c", config, "--in", file)
	waitFor(t, "every store to have the minutes", func() error {
		s, err := h.status()
		if err != nil {
			return err
		}
		for _, st := range s.Stores {
			if st.ShippedThrough == nil || *st.ShippedThrough < to.Add(-time.Minute).UnixMilli() {
				return fmt.Errorf("store %s: complete through %v, %v", st.Name, st.ShippedThrough, st.Error)
			}
		}
		return nil
	})
	query := fmt.Sprintf("api/v1/shop/figures?from=%d&to=%d", from.UnixMilli(), to.UnixMilli())
	figures, err := h.getOK(query)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := replay(t, config, file)
	if err := difference(figures, within(t, want, to)); err != nil {
		t.Errorf("the figures are not the replay's: %v", err)
	}
	h.terminate(t)

	span := []string{"-c", config, "--from", from.Format(time.RFC3339), "--to", to.Format(time.RFC3339), "--json"}
	for i, a := range append([]string{"local"}, kept...) {
		for _, b := range kept[i:] {
			var r struct{ Equal, Rounded int64 }
			out := mustRun(t, append([]string{"compare", "--a", a, "--b", b}, span...)...)
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s and %s: %+v", a, b, r)
			if n := int64(4 * bytes.Count(figures, []byte("\n"))); r.Equal+r.Rounded < n {
				t.Errorf("%s and %s: %d values were compared, and there are %d figures", a, b, r.Equal+r.Rounded, n/4)
			}
		}
	}
}

var timed = regexp.MustCompile(`"ts":(\d+)`)

// recent are the shop's events as if they had come some hours ago, and again an hour
// and a half later so that all minutes of the first time are final; and the range of
// those.
func recent(t *testing.T) (events []byte, from, to time.Time) {
	t.Helper()
	first := int64(1569888000000)
	from = time.Now().Add(-4 * time.Hour).UTC().Truncate(time.Minute)
	later := from.UnixMilli() - first
	for loop := range 2 {
		for line := range bytes.Lines(read(t, root+"/../shared/data/shop.ndjson")) {
			events = append(events, timed.ReplaceAllFunc(shifted(line, loop), func(m []byte) []byte {
				ts, err := strconv.ParseInt(string(m[len(`"ts":`):]), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return fmt.Appendf(nil, `"ts":%d`, ts+later)
			})...)
		}
	}
	return events, from, from.Add(time.Hour)
}

// within are the lines of figures before a time.
func within(t *testing.T, figures []byte, to time.Time) (out []byte) {
	t.Helper()
	for line := range bytes.Lines(figures) {
		var f struct{ Minute time.Time }
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		if f.Minute.Before(to) {
			out = append(out, line...)
		}
	}
	return out
}
