package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/definition/examples"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/seed-6a2d649b/pharos/host/query"
)

// evolution is the config of a load, generation by generation, as the file and the
// definition have it.
func evolution(t *testing.T, l *load) (texts []string, defined []*definition.Config) {
	t.Helper()
	add := func(change edit, define func(*definition.Config, *definition.Tenant)) {
		text := string(read(t, l.config))
		next := *l.define
		if n := len(texts); n > 0 {
			text, next = texts[n-1], *defined[n-1]
		}
		shop := next.Tenants["shop"]
		define(&next, &shop)
		next.Tenants = map[string]definition.Tenant{"shop": shop}
		texts, defined = append(texts, change(text)), append(defined, &next)
	}
	add(func(text string) string { return text }, func(*definition.Config, *definition.Tenant) {})
	// an experiment begins
	add(replaced(t, "    experiments:\n", `    experiments:
      gift:
        assign: hash
        unit: visitor
        qualify: add_to_cart
        variants: {plain: 1, wrapped: 2}
`), func(_ *definition.Config, shop *definition.Tenant) {
		shop.Experiments = append([]definition.Experiment{{
			ID: "gift", Hash: true, Unit: "visitor", Qualify: "add_to_cart", Variants: []definition.Variant{{Name: "plain", Weight: 1}, {Name: "wrapped", Weight: 2}},
		}}, shop.Experiments...)
	})
	// one ends, and a filter is there
	add(func(text string) string {
		text = replaced(t, `      free-shipping:
        variants: {"off": 1, "on": 1, over-50: 1}
        crossover: exclude
`, "")(text)
		text = replaced(t, "plugins:\n", "plugins:\n  dull: {rules: {drop: [{reason: dull, when: 'type == \"cart\" && platform == \"ios\"'}]}}\n")(text)
		return replaced(t, "dispatch:\n", "dispatch:\n  filters: [dull]\n")(text)
	}, func(c *definition.Config, shop *definition.Tenant) {
		shop.Experiments = slices.DeleteFunc(slices.Clone(shop.Experiments), func(e definition.Experiment) bool { return e.ID == "free-shipping" })
		c.Filter = func(b definition.Beacon) (string, bool) {
			return "dull", b.Field("type").Text() == "cart" && b.Field("platform").Text() == "ios"
		}
	})
	// another module's config, and another rule
	add(func(text string) string {
		text = replaced(t, "{point: item_page, is: view}", "{point: item_page, is: purchase}")(text)
		return replaced(t, `platform == "ios"`, `platform == "android"`)(text)
	}, func(c *definition.Config, shop *definition.Tenant) {
		before := shop.Extract
		shop.Extract = func(b definition.Beacon) (m []definition.Measurement) {
			if b.Field("type").Text() == "purchase" {
				m = append(m, definition.Measurement{Point: "item_page", Value: 1})
			}
			for _, one := range before(b) {
				if one.Point != "item_page" {
					m = append(m, one)
				}
			}
			return m
		}
		c.Filter = func(b definition.Beacon) (string, bool) {
			return "dull", b.Field("type").Text() == "cart" && b.Field("platform").Text() == "android"
		}
	})
	return texts, defined
}

// TestReload changes the config three times under a load, with a host killed in
// between: each beacon counts under the generations at its place in the logs.
func TestReload(t *testing.T) {
	t.Parallel()
	l := newLoad(t, 12000)
	texts, defined := evolution(t, l)
	h := up(t, "-c", l.config)
	s := l.send(t)
	s.give(t, 2000)
	waitFor(t, "beacons to be booked", func() error { return h.booked(t, 500) })
	for i := 1; i < len(texts); i++ {
		rewrite(t, l.config, texts[i])
		s.give(t, 1000) // in flight
		if i == 2 {
			h.signal(t, syscall.SIGHUP)
			waitFor(t, "the signal to be heeded", func() error {
				if st, err := h.status(); err != nil || st.Generation != uint64(i+1) {
					return fmt.Errorf("generation %d, %w", st.Generation, err)
				}
				return nil
			})
		} else if out := mustRun(t, "reload", "--addr", h.url); !strings.HasSuffix(out, fmt.Sprintf("published generation %d\n", i+1)) {
			t.Errorf("reload: %s", out)
		}
		s.give(t, 1000)
		waitFor(t, "beacons to be booked under it", func() error { return h.switched(uint64(i + 1)) })
	}
	s.give(t, 1000)
	h.kill(t)

	h = up(t, "-c", l.config)
	s.finish(t)
	want, under := settled(t, h, defined)
	if len(under) != len(defined) {
		t.Errorf("beacons by generation: %v", under)
	}
	h.waitForDefined(t, "shop", want)
	h.terminate(t)

	h = up(t, "-c", l.config)
	h.waitForDefined(t, "shop", want)
	if st, err := h.status(); err != nil || st.Generation != uint64(len(texts)) || len(st.Faults) > 0 {
		t.Errorf("%v: generation %d, %v", err, st.Generation, st.Faults)
	}
	h.terminate(t)
}

// switched is nil once a session partition has booked beacons under a generation.
func (h *host) switched(generation uint64) error {
	s, err := h.status()
	if err != nil {
		return err
	}
	for _, p := range sessions(s) {
		if n := len(p.Switches); n > 0 && p.Generation == generation && p.Offset > p.Switches[n-1].Offset+50 {
			return nil
		}
	}
	return fmt.Errorf("none is far under generation %d", generation)
}

func sessions(s pipeline.Status) []query.PartitionStatus {
	for _, r := range s.Roles {
		if r.Name == "session" {
			return r.Partitions
		}
	}
	return nil
}

// settled waits until all that was sent is booked, and computes what it comes to:
// each beacon under the generation of its dispatch, which its header names, and of
// its place in its route's log, which the host's status names. It says how many were
// booked under which.
func settled(t *testing.T, h *host, defined []*definition.Config) (want *definition.Result, under map[uint64]int) {
	t.Helper()
	var lines []definition.Line // a broker that was killed may have some beacons twice
	byOffset := map[int64]int{}
	for _, r := range logOf(t, h.broker, "shop-events") {
		byOffset[r.Offset] = len(lines)
		lines = append(lines, definition.Line{Topic: "shop-events", Offset: r.Offset, Raw: r.Value})
	}
	waitFor(t, "all beacons to be dispatched", func() error {
		n, err := h.came()
		if err == nil && n != int64(len(lines)) {
			err = fmt.Errorf("%d of %d", n, len(lines))
		}
		return err
	})
	var st pipeline.Status
	waitFor(t, "all records of routes to be read", func() (err error) {
		if st, err = h.status(); err != nil {
			return err
		}
		for _, p := range sessions(st) {
			if p.Generation == 0 || p.Lag == nil || *p.Lag > 0 {
				return fmt.Errorf("%+v", p)
			}
		}
		return nil
	})
	under = map[uint64]int{}
	for _, p := range sessions(st) {
		for _, r := range logOf(t, h.broker, p.Topic) {
			if r.Partition != p.Partition {
				continue
			}
			i := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == beacon.HeaderKey })
			if i < 0 {
				continue
			}
			header, err := beacon.ParseHeader(r.Headers[i].Value)
			if err != nil {
				t.Fatal(err)
			}
			line := &lines[byOffset[header.Offset]]
			line.Dispatch = defined[header.Generation-1]
			for _, sw := range p.Switches {
				if sw.Offset <= r.Offset {
					line.Session = defined[sw.Generation-1]
				}
			}
			for i, d := range defined {
				if d == line.Session {
					under[uint64(i+1)]++
				}
			}
		}
	}
	undispatched(lines, defined)
	return definition.Compute(*defined[0], lines), under
}

// undispatched finds the generation of beacons that were not routed: one between
// those of their routed neighbours that did not route them.
func undispatched(lines []definition.Line, defined []*definition.Config) {
	low := 0
	for i := range lines {
		if d := lines[i].Dispatch; d != nil {
			low = slices.Index(defined, d)
			continue
		}
		for _, d := range defined[low:] {
			lines[i].Dispatch = d
			if d.Filter == nil {
				continue
			}
			b, _ := definition.Decode(d.Source, lines[i].Raw)
			if _, dropped := d.Filter(b); dropped {
				break
			}
		}
	}
}

// logOf is all that a topic holds, read committed.
func logOf(t *testing.T, broker, topic string) (all []*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	k := kafka.Config{Brokers: []string{broker}}
	cl, err := kafka.NewClient(k)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	bounds, err := kafka.OffsetBounds(ctx, cl, topic)
	if err != nil {
		t.Fatal(err)
	}
	from, left := map[kafka.TopicPartition]int64{}, map[int32]int64{}
	for tp, b := range bounds {
		if b.Start < b.End {
			from[tp], left[tp.Partition] = b.Start, b.End
		}
	}
	if len(from) == 0 {
		return nil
	}
	reader, err := kafka.NewReader(k, from, kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for len(left) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if end, ok := left[r.Partition]; ok && r.Offset < end && !r.Attrs.IsControl() {
				all = append(all, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return all
}

// waitForDefined waits until the host's figures and counts are those of the definition.
func (h *host) waitForDefined(t *testing.T, keyspace string, want *definition.Result) {
	t.Helper()
	waitFor(t, "the figures to be the definition's", func() error {
		got, err := h.getOK("api/v1/" + keyspace + "/figures")
		if err != nil {
			return err
		}
		return examples.CompareFigures(got, want)
	})
	waitFor(t, "the counts to be the definition's", func() error {
		s, err := h.status()
		if err != nil {
			return err
		}
		got, err := json.Marshal(map[string]any{"tenants": s.Beacons, "undecodable": s.Undecodable, "bad_value": s.BadValue})
		if err != nil {
			return err
		}
		return examples.CompareSummary(got, want)
	})
}

// TestReloadIsRefused asks for what cannot be: all of it is said, and nothing happens.
func TestReloadIsRefused(t *testing.T) {
	t.Parallel()
	config := writeConfig(t, small)
	h := up(t, "-c", config)
	rewrite(t, config, small, replaced(t, "gap: 30m", "gap: 40m"), replaced(t, `type == "purchase"`, `type = "purchase"`))
	for _, args := range [][]string{{}, {"--dry-run"}} {
		_, errs, code := run(t, append([]string{"reload", "--addr", h.url}, args...)...)
		said(t, errs, code, 2, "the config is refused, the host goes on as before:\n"+config, "session.gap: it is 30m", "plugins.points.rules.extract.0.when")
	}
	rewrite(t, config, small, replaced(t, "gap: 30m", "gap: 40m"), replaced(t, "sources:", "snapshots: {every: 1h}\nsources:"))
	_, errs, code := run(t, "reload", "--addr", h.url)
	said(t, errs, code, 2, "session.gap: it is 30m in the running generation", "snapshots: a change of it needs a restart of the host")
	rewrite(t, config, small, replaced(t, "orders / visitors", "visitors / orders"))
	if out := mustRun(t, "reload", "--dry-run", "--addr", h.url); out != "~ keyspaces.shop.formulas.conversion.expr: \"orders / visitors\" -> \"visitors / orders\"\nformula shop/conversion changes\nwould become generation 2\n" {
		t.Errorf("dry run: %s", out)
	}
	if s, err := h.status(); err != nil || s.Generation != 1 || s.GenerationWanted != 1 {
		t.Errorf("%v %+v", err, s)
	}
	// another page in the same browser may not ask for it
	req, err := http.NewRequest(http.MethodPost, h.url+"-/reload", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("from elsewhere: %s", resp.Status)
	}
	h.terminate(t)
}

// TestRepartition gives a route other numbers of partitions under a load, twice,
// with a second host beside the first and one of them killed: the figures are those
// of a replay, which knows nothing of it.
func TestRepartition(t *testing.T) {
	t.Parallel()
	l := newLoad(t, 15000)
	text := "snapshots: {url: 'file://" + t.TempDir() + "', every: 1s}\n" + string(read(t, l.config))
	rewrite(t, l.config, text)
	h := up(t, "-c", l.config)
	second := runRole(t, "session", writeConfig(t, fmt.Sprintf("kafka: {brokers: [%q]}\n", h.broker)+text))
	share(t, h, second)
	s := l.send(t)
	s.give(t, 3000)
	waitFor(t, "beacons to be booked", func() error { return h.booked(t, 1000) })
	want := "published generation 2: the route web moves from pharos.web (2 partitions) to pharos.web-v2 (3)\nwrite partitions: 3 for it in the config file\n"
	if out := mustRun(t, "repartition", "web", "3", "-c", l.config); out != want {
		t.Errorf("repartition: %s", out)
	}
	s.give(t, 1000)
	second.kill(t) // in the middle of it, or nearly so
	s.give(t, 2000)
	waitFor(t, "the route to move", func() error { return h.moved("pharos.web-v2", 3) })
	_, errs, code := run(t, "repartition", "web", "3", "-c", l.config)
	said(t, errs, code, 1, "the route web has 3 partitions in generation 2: there is nothing to do")
	_, errs, code = run(t, "repartition", "wbe", "3", "-c", l.config)
	said(t, errs, code, 2, `generation 2 has no route "wbe": it has [web mobile]`)
	_, errs, code = run(t, "reload", "--addr", h.url)
	said(t, errs, code, 2, "dispatch.routes.web.partitions: the route has 3 partitions: write partitions: 3, or change it with 'pharos repartition web 2'")

	s.give(t, 3000)
	h.terminate(t) // not killed: its broker is in it, which does not survive that in the midst of a commit
	rewrite(t, l.config, text, replaced(t, "pharos.web, partitions: 2", "pharos.web, partitions: 3"))
	h = up(t, "-c", l.config)
	mustRun(t, "repartition", "web", "5", "-c", l.config)
	s.give(t, 1000)
	h.terminate(t)
	rewrite(t, l.config, text, replaced(t, "pharos.web, partitions: 2", "pharos.web, partitions: 5"))
	h = up(t, "-c", l.config)
	s.finish(t)
	waitFor(t, "the route to move again", func() error { return h.moved("pharos.web-v3", 5) })
	h.waitForFigures(t, "shop", l.figures)
	h.terminate(t)

	h = up(t, "-c", l.config)
	h.waitForFigures(t, "shop", l.figures)
	h.terminate(t)
}
