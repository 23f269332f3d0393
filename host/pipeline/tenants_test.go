package pipeline_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

// Two teams with filters of their own, a module and rules, and an extractor that is a
// module; all of them know fields by the further names of two sources.
const teamsYAML = `
data: data
sources:
  - {name: site, fields: {tenant: team, agent: headers.ua, kind: event, sum: cart.total, who: [remote, visitor]}}
  - {name: app, topic: taps, fields: {tenant: {const: shop}, agent: ua, kind: k, sum: p, who: device}}
plugins:
  bots: {module: 'file://ROOT/plugins/bots/bots.wasm'}
  internal: {rules: {drop: [{reason: ours, when: 'who == "10.0.0.1|probe"'}, {reason: test device, when: 'who == "d0"'}]}}
  points: {module: 'file://ROOT/plugins/clicks/clicks.wasm', config: {field: kind, points: [{point: order, is: buy, value: sum}]}}
tenants:
  shop: {extract: points, filters: [internal], all_traffic: true}
  news: {extract: points, filters: [bots], all_traffic: true}
`

// TestTeams: a tenant's filter sees that tenant's beacons only, and a further name is
// what each source says that it is, before a path of that name, in dispatch and in
// sessions, in modules and rules.
func TestTeams(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(write("pharos.yaml", strings.ReplaceAll(teamsYAML, "ROOT", absolute)))
	if err != nil {
		t.Fatal(err)
	}
	site := write("site", strings.Join([]string{
		`{"ts":1000,"sid":"a","team":"shop","headers":{"ua":"curl/8"},"event":"buy","cart":{"total":5},"remote":"192.0.2.1","visitor":"v"}`,
		`{"ts":1001,"sid":"b","team":"shop","event":"buy","cart":{"total":70},"remote":"10.0.0.1","visitor":"probe"}`,
		`{"ts":1002,"sid":"c","team":"shop","event":"buy","cart":{"total":2},"who":"10.0.0.1|probe","kind":"view","sum":1000}`,
		`{"ts":1003,"sid":"d","team":"news","headers":{"ua":"curl/8"},"event":"buy","cart":{"total":900}}`,
		`{"ts":1004,"sid":"e","team":"news","agent":"curl/8","headers":{"ua":"Firefox"},"event":"buy","cart":{"total":11},"remote":"10.0.0.1","visitor":"probe"}`,
		`{"ts":1005,"sid":"f","team":"news","event":"view","cart":{"total":11},"remote":"d0"}`, ""}, "\n"))
	app := write("app", strings.Join([]string{
		`{"ts":1006,"sid":"g","ua":"curl/8","k":"buy","p":3,"device":"d1"}`,
		`{"ts":1007,"sid":"h","ua":"Firefox","k":"buy","p":500,"device":"d0"}`,
		`{"ts":1008,"sid":"i","event":"buy","cart":{"total":500},"k":"view"}`, ""}, "\n"))
	var out, summary bytes.Buffer
	err = pipeline.Replay(t.Context(), cfg, pipeline.ReplayOptions{
		Inputs: pipeline.ParseInputs([]string{"site=" + site, "app=" + app}), Now: time.Unix(1e9, 0), Stdout: &out, Stderr: &summary,
		Progress: func(string, ...any) {}, Log: hclog.NewNullLogger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Tenants map[string]struct {
			In, Counted int
			Filtered    map[string]int
		}
	}
	if err := json.Unmarshal(summary.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	type counts struct {
		In, Counted int
		Filtered    map[string]int
	}
	is := map[string]counts{}
	for name, c := range got.Tenants {
		is[name] = counts(c)
	}
	want := map[string]counts{
		"shop": {In: 6, Counted: 4, Filtered: map[string]int{"ours": 1, "test device": 1}},
		"news": {In: 3, Counted: 2, Filtered: map[string]int{"script": 1}},
	}
	if diff := cmp.Diff(want, is); diff != "" {
		t.Error(diff)
	}
	sums := map[string]float64{}
	for line := range strings.Lines(out.String()) {
		var f struct {
			Tenant, Point, Status string
			Sum                   float64
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		if f.Point == "order" && f.Status == "assigned" {
			sums[f.Tenant] += f.Sum
		}
	}
	if diff := cmp.Diff(map[string]float64{"shop": 5 + 2 + 3, "news": 11}, sums); diff != "" {
		t.Error(diff)
	}
}
