package pipeline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.yaml.in/yaml/v3"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/interest"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

// interestOf runs the analysis of files and gives what it says.
func interestOf(t *testing.T, configFile string, o pipeline.InterestOptions) (r interest.Report, rule string) {
	t.Helper()
	cfg, err := config.Load(configFile)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o.JSON, o.Stdout, o.Progress, o.Log = true, &out, func(string, ...any) {}, hclog.NewNullLogger()
	if o.Max == 0 {
		o.Max = 1_000_000
	}
	o.Rule = filepath.Join(t.TempDir(), "rule.yaml")
	if err := pipeline.Interest(t.Context(), cfg, o); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	text, err := os.ReadFile(o.Rule)
	if err != nil && (r.Useless != nil || r.BoundsOnly != nil || r.VisitsOnly != nil) {
		t.Fatal(err)
	}
	return r, string(text)
}

// withRule writes a config with a rule put in as its text says.
func withRule(t *testing.T, dir, text, rule string) string {
	t.Helper()
	var all, more yaml.Node
	for into, from := range map[*yaml.Node]string{&all: text, &more: rule} {
		if err := yaml.Unmarshal([]byte(from), into); err != nil {
			t.Fatalf("%v in\n%s", err, from)
		}
	}
	merge(all.Content[0], more.Content[0])
	written, err := yaml.Marshal(&all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "with-rule.yaml")
	if err := os.WriteFile(file, written, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// merge puts the values of a mapping into another, in whose order they stay.
func merge(into, from *yaml.Node) {
	for i := 0; i < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		at := -1
		for j := 0; j < len(into.Content); j += 2 {
			if into.Content[j].Value == key.Value {
				at = j
			}
		}
		switch {
		case at < 0:
			into.Content = append(into.Content, key, value)
		case value.Kind == yaml.MappingNode && into.Content[at+1].Kind == yaml.MappingNode:
			merge(into.Content[at+1], value)
		default:
			into.Content[at+1] = value
		}
	}
}

// replayOf replays inputs and gives the figures.
func replayOf(t *testing.T, configFile string, inputs []pipeline.Input, now time.Time) []byte {
	t.Helper()
	cfg, err := config.Load(configFile)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = pipeline.Replay(t.Context(), cfg, pipeline.ReplayOptions{
		Inputs: inputs, Now: now, Stdout: &out, Stderr: io.Discard, Progress: func(string, ...any) {}, Log: hclog.NewNullLogger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// changed is how many figures differ.
func changed(before, after []byte) (n int) {
	all := map[string]string{}
	split := func(line string) (key, stats string) {
		i := strings.Index(line, `,"hits":`)
		return line[:i], line[i:]
	}
	for line := range strings.Lines(string(before)) {
		key, stats := split(line)
		all[key] = stats
	}
	for line := range strings.Lines(string(after)) {
		key, stats := split(line)
		if was, there := all[key]; !there || was != stats {
			n++
		}
		delete(all, key)
	}
	return n + len(all)
}

// Whatever the config and the beacons, the rule against what touches nothing changes
// no figure, and of the other one what it changes is said to the figure.
func TestRulesOfInterestDoWhatIsSaidOfThem(t *testing.T) {
	useless, bounds, visits := 0, 0, 0
	for seed := *firstSeed; seed < *firstSeed+(*seeds+9)/10; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(seed, params{})
			dir, files := t.TempDir(), w.files(newTraffic(w, seed))
			var o pipeline.InterestOptions
			for i, f := range files {
				path := filepath.Join(dir, fmt.Sprint("in", i))
				if err := os.WriteFile(path, f.content, 0o600); err != nil {
					t.Fatal(err)
				}
				o.Inputs = append(o.Inputs, pipeline.Input{Source: f.source, Path: path})
			}
			file := filepath.Join(dir, "pharos.yaml")
			if err := os.WriteFile(file, []byte(w.yaml.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			o.Now, o.Least = time.UnixMilli(w.def.Now), 1
			if r := rand.New(rand.NewPCG(seed, 9)); r.IntN(2) == 0 {
				o.By = []string{pick(r, append(fields, "extension(path)")...), pick(r, fields...)}[:1+r.IntN(2)]
			}
			r, _ := interestOf(t, file, o)
			before := replayOf(t, file, o.Inputs, o.Now)
			for _, rule := range []*interest.RuleReport{r.Useless, r.BoundsOnly, r.VisitsOnly} {
				if rule == nil {
					continue
				}
				after := replayOf(t, withRule(t, dir, w.yaml.String(), rule.YAML), o.Inputs, o.Now)
				// What differs beyond the digits of a float64 does not show in a replay's output.
				if got := changed(before, after); got > rule.Effect.Changed || rule.Effect.Changed-got > rule.Effect.Changed/10 {
					t.Errorf("%d figures change, not %d as was said, with\n%s", got, rule.Effect.Changed, rule.YAML)
				}
			}
			if r.Useless != nil {
				if useless++; r.Useless.Effect.Changed != 0 {
					t.Errorf("the rule against what touches nothing changes %d figures:\n%s", r.Useless.Effect.Changed, r.Useless.YAML)
				}
			}
			if r.BoundsOnly != nil {
				bounds++
			}
			if r.VisitsOnly != nil {
				visits++
			}
		})
	}
	if *seeds >= 200 && (useless < 3 || bounds < 3 || visits < 3) {
		t.Errorf("only %d, %d and %d rules were proposed: that tries nothing", useless, bounds, visits)
	}
}

// A shop in which every way in which a beacon can matter is met.
const matters = `
sources: [{name: site, topic: site}]
session: {gap: 5m, lateness: 10h}
plugins:
  points:
    rules:
      extract:
        - {point: page, when: 'type == "view"'}
        - {point: order, when: 'type == "purchase"', value: price}
        - {point: click, when: 'type == "click"', attributes: {slot: slot}}
tenants:
  shop:
    extract: points
    all_traffic: true
    pairs: [[page, order]]
    dimensions: {platform: {path: platform}}
    experiments:
      carried: {variants: {a: 1, b: 1}, qualify: page}
      out: {variants: {a: 1, b: 1}, crossover: exclude}
      drawn: {assign: hash, unit: visitor, variants: {a: 1, b: 1}, qualify: order}
`

func mattersDefined(now time.Time) definition.Config {
	path := func(p string) definition.Locator { return definition.Locator{Paths: []string{p}} }
	variants := []definition.Variant{{Name: "a", Weight: 1}, {Name: "b", Weight: 1}}
	return definition.Config{
		Source: definition.Source{Format: "json", Time: path("ts"), Tenant: path("tenant"), Session: path("sid"), ID: path("id"), Assignments: path("exp")},
		Gap:    5 * minute, Lateness: 600 * minute, Ahead: 5 * minute, Now: now.UnixMilli(), Default: "all",
		Tenants: map[string]definition.Tenant{"shop": {
			AllTraffic: true, Pairs: [][2]string{{"page", "order"}},
			Dimensions: []definition.Dimension{{Name: "platform", Path: "platform"}},
			Experiments: []definition.Experiment{
				{ID: "carried", Variants: variants, Qualify: "page"}, {ID: "out", Variants: variants, Exclude: true},
				{ID: "drawn", Hash: true, Unit: "visitor", Variants: variants, Qualify: "order"},
			},
			Extract: func(b definition.Beacon) (m []definition.Measurement) {
				switch b.Field("type").Text() {
				case "view":
					m = append(m, definition.Measurement{Point: "page", Value: 1})
				case "purchase":
					v, ok := b.Field("price").Number()
					m = append(m, definition.Measurement{Point: "order", Value: v, Bad: !ok})
				case "click":
					of := map[string]string{}
					if slot := b.Field("slot").Text(); slot != "" {
						of["slot"] = slot
					}
					m = append(m, definition.Measurement{Point: "click", Value: 1, Attributes: of})
				}
				return m
			},
		}},
	}
}

// mattersBeacon is a random beacon of that shop, within 40 minutes.
func mattersBeacon(r *rand.Rand) (kind string, raw []byte) {
	kind = pick(r, "view", "view", "view", "purchase", "click", "click", "scroll", "scroll", "ping", "hover")
	b := map[string]any{"ts": r.IntN(160) * minute / 4, "tenant": "shop", "sid": pick(r, "s", "r"), "type": kind, "platform": pick(r, "web", "web", "ios")}
	for field, value := range map[string]any{
		"id": fmt.Sprint(r.IntN(20)), "price": r.IntN(4), "slot": pick(r, "top", "end"), "visitor": pick(r, "u", "v"),
		"exp": map[string]string{"carried": pick(r, "a", "b", "c"), "out": pick(r, "a", "a", "b")},
	} {
		if chance(r, 2) && kind != "ping" && kind != "hover" {
			b[field] = value
		}
	}
	raw, err := json.Marshal(b)
	if err != nil {
		panic(err)
	}
	return kind, raw
}

// touches counts what the beacons of a kind touch.
type touches struct{ Figure, Assignment, Bounds, Nothing int }

// touchesOf says what is otherwise without a beacon, by the definition.
func (k *touches) add(all, without *definition.Result) {
	figure, assignment, bounds := false, false, false
	changed := func(key definition.Key) {
		switch {
		case key.Point != "visit" && key.Point != "crossover":
			figure = true
		case key.Experiment != "_all":
			assignment = true
		default:
			bounds = true
		}
	}
	for key, f := range all.Figures {
		g := without.Figures[key]
		if g == nil || f.Hits != g.Hits || f.Sessions != g.Sessions || f.Sum.Cmp(g.Sum) != 0 || f.SumSq.Cmp(g.SumSq) != 0 {
			changed(key)
		}
	}
	for key := range without.Figures {
		if all.Figures[key] == nil {
			changed(key)
		}
	}
	for n, is := range map[*int]bool{&k.Figure: figure, &k.Assignment: assignment, &k.Bounds: bounds, &k.Nothing: !figure && !assignment && !bounds} {
		if is {
			*n++
		}
	}
}

// What a kind is said to touch is what the definition says of the beacons without
// each of its own; a kind said to be of no use can be taken out whole.
func TestInterestIsWhatTheDefinitionSays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pharos.yaml")
	if err := os.WriteFile(file, []byte(matters), 0o600); err != nil {
		t.Fatal(err)
	}
	now, useless := time.UnixMilli(1000*minute), 0
	def := mattersDefined(now)
	for seed := *firstSeed; seed < *firstSeed+(*seeds+9)/10; seed++ {
		r := rand.New(rand.NewPCG(seed, 77))
		var lines []definition.Line
		var kinds []string
		var text []byte
		for i := range 1 + r.IntN(60) {
			kind, raw := mattersBeacon(r)
			kinds, lines = append(kinds, kind), append(lines, definition.Line{Offset: int64(i), Raw: raw})
			text = append(append(text, raw...), '\n')
		}
		input := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(input, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, _ := interestOf(t, file, pipeline.InterestOptions{Inputs: []pipeline.Input{{Path: input}}, By: []string{"type"}, Least: 1, Now: now})
		all, want := definition.Compute(def, lines), map[string]*touches{}
		for i, kind := range kinds {
			if want[kind] == nil {
				want[kind] = &touches{}
			}
			want[kind].add(all, definition.Compute(def, slices.Delete(slices.Clone(lines), i, i+1)))
		}
		for _, k := range got.Kinds {
			var kind string
			if err := json.Unmarshal([]byte(k.Values["type"]), &kind); err != nil {
				t.Fatal(err)
			}
			w := want[kind]
			if k.Figure != w.Figure || k.Assignment != w.Assignment || k.Bounds < w.Bounds || k.Nothing > w.Nothing {
				t.Fatalf("seed %d: %s touch %+v, and by the definition %+v", seed, kind, k, *w)
			}
		}
		if got.Useless == nil {
			continue
		}
		useless++
		var left []definition.Line
		for i, kind := range kinds {
			if !slices.Contains(got.Useless.Kinds, "type "+quote(kind)) {
				left = append(left, lines[i])
			}
		}
		if len(lines)-len(left) != got.Useless.Beacons {
			t.Errorf("seed %d: %d beacons are of the kinds, and %d are said to be dropped", seed, len(lines)-len(left), got.Useless.Beacons)
		}
		var gone touches
		if gone.add(all, definition.Compute(def, left)); gone.Nothing != 1 {
			t.Errorf("seed %d: without %v it is %+v", seed, got.Useless.Kinds, gone)
		}
	}
	if *seeds >= 200 && useless < 3 {
		t.Errorf("only %d times was there anything of no use: that tries nothing", useless)
	}
}
