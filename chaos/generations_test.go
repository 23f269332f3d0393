//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// published is a generation, as far as extractors are concerned.
type published struct {
	Number, Parent uint64
	Config         struct {
		Plugins map[string]struct{ Config json.RawMessage }
	}
	Rollouts map[string]rollout.State
}

// generations are those that hold, of two with one parent the first.
func (w *world) generations(t *testing.T) (all []published) {
	t.Helper()
	for _, r := range w.logOf(t, "pharos.generations") {
		var g published
		if err := json.Unmarshal(r.Value, &g); err != nil {
			t.Fatal(err)
		}
		if g.Parent == uint64(len(all)) {
			all = append(all, g)
		}
	}
	return all
}

// logOf is all that a topic holds, read committed.
func (w *world) logOf(t *testing.T, topic string) (all []*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	bounds, err := kafka.OffsetBounds(ctx, w.load.cl, topic)
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
	reader, err := kafka.NewReader(kafka.Config{Brokers: w.brokers}, from, kgo.KeepControlRecords())
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
			if r.Offset < bounds[kafka.TopicPartition{Topic: topic, Partition: r.Partition}].End && !r.Attrs.IsControl() {
				all = append(all, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return all
}

// byGeneration is what the definition says of the beacons, each under the generation
// that was in force where it stands in its route's log. Each stands there once.
func (w *world) byGeneration(t *testing.T) *definition.Result {
	t.Helper()
	var configs []*definition.Config
	for _, g := range w.generations(t) {
		cfg := g.define(t)
		configs = append(configs, &cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	committed, err := kafka.CommittedOffsets(ctx, w.load.cl, sessionGroup, w.topic, "pharos.mobile")
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		partition int32
		offset    int64
	}
	under := map[place]*definition.Config{}
	for _, topic := range []string{w.topic, "pharos.mobile"} {
		for _, r := range w.logOf(t, topic) {
			var m struct{ Switches [][3]int64 } // offset, generation, watermark
			if err := json.Unmarshal([]byte(committed[kafka.TopicPartition{Topic: topic, Partition: r.Partition}].Metadata), &m); err != nil {
				t.Fatal(err)
			}
			for _, h := range r.Headers {
				if h.Key != beacon.HeaderKey {
					continue
				}
				head, err := beacon.ParseHeader(h.Value)
				if err != nil {
					t.Fatal(err)
				}
				at := place{head.Partition, head.Offset}
				if under[at] != nil {
					t.Errorf("beacon %v was routed twice", at)
				}
				for _, s := range m.Switches {
					if s[0] <= r.Offset {
						under[at] = configs[s[1]-1]
					}
				}
			}
		}
	}
	var lines []definition.Line
	for _, b := range w.load.beacons {
		cfg := under[place{b.partition, b.offset}]
		if cfg == nil {
			t.Fatalf("beacon %d of partition %d was not routed: %s", b.offset, b.partition, b.raw)
		}
		lines = append(lines, definition.Line{Topic: sourceTopic, Partition: b.partition, Offset: b.offset, Raw: b.raw, Dispatch: cfg, Session: cfg})
	}
	return definition.Compute(*configs[0], lines)
}

// define is a generation in plain Go: the extractor's version that decides, or of a
// canary that which has the session.
func (g *published) define(t *testing.T) definition.Config {
	t.Helper()
	c := setup{}.define()
	shop, state := c.Tenants["shop"], g.Rollouts[rolledPlugin]
	is := measuring(t, g.Config.Plugins[rolledPlugin].Config)
	if state.Phase != rollout.Live {
		was := measuring(t, state.Old.Config)
		if state.Phase == rollout.Canary {
			is = divided(state.New, is, was)
		} else {
			is = was
		}
	}
	shop.Extract = is
	c.Tenants["shop"] = shop
	return c
}

type extraction = func(definition.Beacon) []definition.Measurement

// measuring is clicks.wasm with a config or, without one, touchy.wasm.
func measuring(t *testing.T, config json.RawMessage) extraction {
	t.Helper()
	var c struct {
		Points []struct{ Point, Is, Value string }
	}
	if len(config) == 0 {
		config = []byte(`{"points": [{"point": "item_page", "is": "view"}, {"point": "add_to_cart", "is": "cart"}]}`)
	}
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	return func(b definition.Beacon) (all []definition.Measurement) {
		for _, p := range c.Points {
			if p.Is != b.Field("type").Text() {
				continue
			}
			m := definition.Measurement{Point: p.Point, Value: 1}
			if p.Value != "" {
				v, ok := b.Field(p.Value).Number()
				m.Value, m.Bad = v, !ok
			}
			all = append(all, m)
		}
		return all
	}
}

// divided gives a canary its share of the sessions.
func divided(version string, is, was extraction) extraction {
	seed := xxhash.Sum64String(rolledPlugin + "\x00" + version)
	return func(b definition.Beacon) []definition.Measurement {
		d := xxhash.NewWithSeed(seed)
		if _, err := d.WriteString(b.Tenant + "\x00" + b.Session); err != nil {
			panic(err) // it never fails
		}
		if d.Sum64()%1_000_000 < canaryShare*10_000 {
			return is(b)
		}
		return was(b)
	}
}
