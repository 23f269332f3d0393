package plugins_test

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// What the shipped plugins answer is a function of the row.
func TestPurity(t *testing.T) {
	agents, err := os.ReadFile("bots/agents.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		plugin, config string
		data           map[string][]byte
		words          []string
	}{
		{"bots", `{"missing": true}`, map[string][]byte{"agents": agents}, []string{"Googlebot/2.1", "curl/8", "Mozilla/5.0", "x-bot "}},
		{"assets", `{}`, nil, []string{"/a.css", "/b.JS?v=1", "/a.css/c", ".png", "#.js"}},
		{"platform", `{"mobile": ["app", "tablet"]}`, nil, []string{"app", "web", "iPhone", "Android 15", "Mozilla"}},
		{
			"clicks", `{"points": [
				{"point": "view", "is": "v"}, {"point": "all", "is": "v"}, {"point": "price", "is": "v", "value": "price"},
				{"point": "click", "is": "c", "attributes": {"a": "x", "b": "y"}}, {"point": "click", "is": "v", "attributes": {"a": "x", "b": "z"}},
				{"point": "empty", "is": ""}]}`, nil, []string{"v", "c", "5", "1.5"},
		},
		{"basket", `{"when": {"field": "type", "is": "v"}, "points": [{"point": "p", "is": "v"}]}`, nil, []string{"v", `[{"price":2,"quantity":3,"category":"a\\nb"},{"price":1}]`, `[{"price":"x"}]`, "[]"}},
		{"images", `{"shown": {"field": "images"}, "clicked": {"is": "v"}, "points": [{"point": "p", "is": "v", "value": "price"}]}`, nil, []string{"v", `["a",{"id":"b\\n","slot":2},{"slot":1}]`, `{"id":"a"}`, "7"}},
		{"visits", `{"pages": {"field": "type", "is": ["v", "7", ""]}, "engaged": 2000, "points": [{"point": "p", "is": "v", "value": "price", "attributes": {"a": "x"}}]}`, nil, []string{"v", "v", "7"}},
		{"visits", `{}`, nil, nil},
	} {
		t.Run(c.plugin, func(t *testing.T) {
			ctx := t.Context()
			pool, err := module(t, c.plugin, wasm.Limits{}).NewPool(ctx, []byte(c.config), c.data, 1)
			if err != nil {
				t.Fatal(err)
			}
			subject := tck.Subject{Kind: pool.Module().Manifest().Kind, Plan: pool.Plan(), Closes: pool.Module().Closes(), New: func(ctx context.Context) (tck.Guest, func() error, error) {
				g, err := pool.Fresh(ctx)
				return g, func() error { return pool.Put(ctx, g) }, err
			}}
			for seed := range uint64(5) {
				var b abi.Batch
				abi.Build(subject.Plan.Fields, tck.Rows(rand.New(rand.NewPCG(seed, 0)), len(subject.Plan.Fields), 400, c.words...), &b)
				failures, err := tck.Purity(ctx, subject, &b, seed)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range failures {
					t.Error(f)
				}
			}
		})
	}
}
