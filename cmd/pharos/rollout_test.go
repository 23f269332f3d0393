package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/definition/examples"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// stream is a shop's real events, again and again, each time later, that a pharos
// send is given at about a steady pace.
type stream struct {
	*process
	pipe  *io.PipeWriter
	end   chan struct{}
	ended sync.WaitGroup
	sent  int
}

// streamed starts a stream.
func streamed(t *testing.T, config string) *stream {
	t.Helper()
	lines := bytes.SplitAfter(read(t, root+"/../shared/data/shop.ndjson"), []byte("\n"))
	lines = lines[:len(lines)-1]
	out, in := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	s := &stream{process: start(t, "", out, "send", "-c", config, "--in", "-"), pipe: in, end: make(chan struct{})}
	s.ended.Go(func() {
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		for loop := 0; ; loop++ {
			for part := range slices.Chunk(lines, 10) {
				select {
				case <-s.end:
					return
				case <-pace.C:
				}
				for _, line := range part {
					if _, err := in.Write(shifted(line, loop)); err != nil {
						return
					}
				}
				s.sent += len(part)
			}
		}
	})
	return s
}

// stop ends the stream and sees that all of it has arrived.
func (s *stream) stop(t *testing.T) {
	t.Helper()
	close(s.end)
	s.ended.Wait()
	if err := s.pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out := s.code(t), s.out.String(); code != 0 || out != fmt.Sprintf("sent %d beacons\n", s.sent) {
		t.Errorf("send: exit code %d, %s%s", code, out, s.errs.String())
	}
}

var identified = regexp.MustCompile(`^\{"id":"([^"]*)","ts":(\d+),`)

// shifted is a beacon of the file in a later loop: an hour and a half later each time,
// which is longer than the file and a session's gap.
func shifted(line []byte, loop int) []byte {
	m := identified.FindSubmatchIndex(line)
	ts, err := strconv.ParseInt(string(line[m[4]:m[5]]), 10, 64)
	if err != nil {
		panic(err) // digits
	}
	return fmt.Appendf(nil, `{"id":"%s-%d","ts":%d,%s`, line[m[2]:m[3]], loop, ts+int64(loop)*90*60_000, line[m[1]:])
}

const trials = `
    shadow: {for: 1s, max_diff: 0.1%, min_rows: 500}
    canary: {share: 40%, for: 1s, min_rows: 200}
`

// TestRollout brings new versions of an extractor into a live stream of real beacons:
// a good one is promoted, a wrong one is stopped in the shadow, one that traps is
// rolled back as a canary, and a broken config is refused. No beacon is lost or
// counted twice, and each counts under the version that the generation at its place in
// the log, and its session, say; also for a host that begins anew.
func TestRollout(t *testing.T) {
	t.Parallel()
	config := configOf(t, root+"/docs/examples/shop.yaml", replaced(t, "  shop-points:\n", "  shop-points:"+trials))
	keepPort(t, config)
	text := string(read(t, config))
	h := up(t, "-c", config)
	s := streamed(t, config)
	waitFor(t, "beacons to be booked", func() error { return h.booked(t, 500) })
	reload := func(generation int, says string, edits ...edit) {
		t.Helper()
		rewrite(t, config, text, edits...)
		if out := mustRun(t, "reload", "--addr", h.url); !strings.Contains(out, says+"\n") || !strings.HasSuffix(out, fmt.Sprintf("published generation %d\n", generation)) {
			t.Errorf("reload: %s", out)
		}
	}

	good := replaced(t, "{point: item_page, is: view}\n", "{point: item_page, is: view}\n        - {point: refund, is: refund}\n")
	reload(2, "~ rollout of shop-points: live -> shadow", good)
	h.becomes(t, "live", 4)
	text = good(text)

	reload(5, "~ rollout of shop-points: live -> shadow", replaced(t, "{point: order, is: purchase}", "{point: order, is: cart}"))
	h.becomes(t, "rolled back", 6)
	out := mustRun(t, "plugin", "diff", "shop-points", "--addr", h.url)
	for _, want := range []string{"shop-points, extract", "in the shadow ", "max_diff is 0.1%", "new measurement", "lost measurement", `"type":"purchase"`, "order=1"} {
		if !strings.Contains(out, want) {
			t.Errorf("diff: no %q in\n%s", want, out)
		}
	}
	_, errs, code := run(t, "plugin", "rollback", "shop-points", "--addr", h.url)
	said(t, errs, code, 1, "it is rolled back already: in the shadow ")
	_, errs, code = run(t, "plugin", "promote", "shop-point", "--addr", h.url)
	said(t, errs, code, 2, `generation 6 has no plugin "shop-point": it has [shop-points device]`)

	rewrite(t, config, text, replaced(t, "point: order", "pint: order"), replaced(t, "is: view", "is: 5"))
	_, errs, code = run(t, "reload", "--addr", h.url)
	said(t, errs, code, 2, "the config is refused, the host goes on as before:", "plugins.shop-points")

	touchy, err := filepath.Abs("testdata/touchy.wasm")
	if err != nil {
		t.Fatal(err)
	}
	reload(7, "~ rollout of shop-points: rolled back -> canary", func(text string) string {
		from, to := strings.Index(text, "    module:"), strings.Index(text, "  device:")
		text = text[:from] + "    module: 'file://" + touchy + "'\n" + text[to:]
		return replaced(t, "    shadow: {for: 1s, max_diff: 0.1%, min_rows: 500}\n", "")(text)
	})
	h.becomes(t, "rolled back", 8)
	said(t, mustRun(t, "status", "--addr", h.url), 0, 0, "as a canary it failed at ", "pharos plugin promote shop-points")

	h.terminate(t)
	h = up(t, "-c", config)
	s.stop(t)
	defined := h.definitions(t)
	want, under := settled(t, h, defined)
	if len(under) != 8 {
		t.Errorf("beacons by generation: %v", under)
	}
	if n := want.Tenants["shop"].In; n != int64(s.sent) {
		t.Errorf("%d beacons were sent, %d have arrived", s.sent, n)
	}
	h.waitForDefined(t, "shop", want)
	h.terminate(t)
}

// becomes waits until the shop's extractor is in a phase, by a generation, and beacons
// are booked under it.
func (h *host) becomes(t *testing.T, phase rollout.Phase, generation uint64) {
	t.Helper()
	waitFor(t, fmt.Sprintf("shop-points to be %s", phase), func() error {
		body, err := h.getOK("api/v1/plugins/shop-points/diff")
		if err != nil {
			return err
		}
		var r rollout.Report
		if err := json.Unmarshal(body, &r); err != nil {
			return err
		}
		if r.Phase != phase || r.Generation != generation {
			err = fmt.Errorf("it is %s, generation %d: %s", r.Phase, r.Generation, r.Reason)
		}
		return err
	})
	waitFor(t, "beacons to be booked under it", func() error { return h.switched(generation) })
}

// definitions are the generations that were published, as the definition has them.
func (h *host) definitions(t *testing.T) (all []*definition.Config) {
	t.Helper()
	for _, r := range logOf(t, h.broker, "pharos.generations") {
		var g struct {
			Number uint64
			Config struct {
				Plugins map[string]struct {
					Module string
					Config json.RawMessage
				}
			}
			Rollouts map[string]struct {
				Phase string
				New   string
				Old   *struct {
					Module string
					Config json.RawMessage
				}
			}
		}
		if err := json.Unmarshal(r.Value, &g); err != nil {
			t.Fatal(err)
		}
		if g.Number != uint64(len(all)+1) {
			t.Fatalf("generation %d follows %d", g.Number, len(all))
		}
		is, state := g.Config.Plugins["shop-points"], g.Rollouts["shop-points"]
		extract := pointsOf(is.Config)
		if state.Phase != "live" {
			old := pointsOf(state.Old.Config)
			if state.Phase == "canary" {
				extract = shared("shop-points", state.New, 40, extract, old)
			} else {
				extract = old
			}
		}
		next := examples.Shop()
		shop := next.Tenants["shop"]
		shop.Extract = extract
		next.Tenants["shop"] = shop
		all = append(all, &next)
	}
	return all
}

type extraction = func(definition.Beacon) []definition.Measurement

// pointsOf is what the extractor measures that has a config; without one, it is the
// guest that traps at a purchase.
func pointsOf(config json.RawMessage) extraction {
	right := examples.Shop().Tenants["shop"].Extract
	wrong := bytes.Contains(config, []byte(`{"point":"order","is":"cart"}`))
	return func(b definition.Beacon) (all []definition.Measurement) {
		what := b.Field("type").Text()
		if len(config) == 0 && what == "purchase" {
			return nil
		}
		for _, m := range right(b) {
			if m.Point != "order" || !wrong {
				all = append(all, m)
			}
		}
		if wrong && what == "cart" {
			all = append(all, definition.Measurement{Point: "order", Value: 1})
		}
		return all
	}
}

// shared gives a canary its share of the sessions, in percent.
func shared(plugin, version string, percent uint64, new, old extraction) extraction {
	seed := xxhash.Sum64String(plugin + "\x00" + version)
	return func(b definition.Beacon) []definition.Measurement {
		d := xxhash.NewWithSeed(seed)
		if _, err := d.WriteString(b.Tenant + "\x00" + b.Session); err != nil {
			panic(err) // it never fails
		}
		if d.Sum64()%1_000_000 < percent*10_000 {
			return new(b)
		}
		return old(b)
	}
}
