//go:build linux

package chaos

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/definition/examples"
)

// setup is what differs between the configs of a test.
type setup struct {
	brokers         []string // none: for a replay
	data, snapshots string   // directories
	web             int      // partitions of the route; 0: webPartitions
	version         int      // 1: with another experiment and another point
}

const (
	webPartitions    = 4
	mobilePartitions = 2
)

// config is docs/examples/shop.yaml with more partitions and with what reordering
// can go wrong with: carried assignments, exclusion, dimensions, and a tenant whose
// extractor keeps cells and closes sessions.
func (s setup) config(t *testing.T) string {
	t.Helper()
	text := string(readFile(t, "../docs/examples/shop.yaml"))
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "../../plugins/", root+"/plugins/")
	if s.web == 0 {
		s.web = webPartitions
	}
	changes := [][2]string{
		{"web: {topic: pharos.web, partitions: 2}", fmt.Sprintf("web: {topic: pharos.web, partitions: %d}", s.web)},
		{"tenants:\n", "session: {idle: 24h}\n\ntenants:\n  closer: {extract: shop-points}\n  visits: {extract: visits, all_traffic: true}\n"},
		{"keyspaces:\n", "keyspaces:\n  visits: {tenant: visits, store: local, metrics: {pages: {point: pages, stat: sum}}}\n"},
		{"plugins:\n", "plugins:\n  visits:\n    module: file://" + root + "/plugins/visits/visits.wasm\n    config: {pages: {field: type, is: [view]}, engaged: 10}\n"},
		{"    experiments:\n", `    dimensions:
      platform: {path: platform, values: [web, ios, android], default: web}
    experiments:
      free-shipping:
        variants: {"off": 1, "on": 1, over-50: 1}
        crossover: exclude
`},
	}
	if s.version == 1 {
		changes = append(changes,
			[2]string{"    experiments:\n", "    experiments:\n      checkout-button: {variants: {control: 1, blue: 1}}\n"},
			[2]string{"      points:\n", "      points:\n        - {point: any_view, is: view}\n"})
	}
	for _, change := range changes {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("there is no %q, or more than one, in\n%s", change[0], text)
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	if s.brokers == nil {
		return text
	}
	return fmt.Sprintf("kafka: {brokers: ['%s']}\ndata: %s\nsnapshots: {url: 'file://%s', every: 2s}\n%s",
		strings.Join(s.brokers, "', '"), s.data, s.snapshots, text)
}

// define is the same in plain Go.
func (s setup) define() definition.Config {
	c := examples.Shop()
	shop := c.Tenants["shop"]
	shop.Dimensions = []definition.Dimension{{Name: "platform", Path: "platform", Default: "web", Values: []string{"web", "ios", "android"}}}
	shop.Experiments = append(shop.Experiments, definition.Experiment{
		ID: "free-shipping", Exclude: true, Variants: []definition.Variant{{Name: "off", Weight: 1}, {Name: "on", Weight: 1}, {Name: "over-50", Weight: 1}},
	})
	if s.version == 1 {
		shop.Experiments = append(shop.Experiments, definition.Experiment{
			ID: "checkout-button", Variants: []definition.Variant{{Name: "control", Weight: 1}, {Name: "blue", Weight: 1}},
		})
		extract := shop.Extract
		shop.Extract = func(b definition.Beacon) []definition.Measurement {
			m := extract(b)
			if b.Field("type").Text() == "view" {
				m = append(m, definition.Measurement{Point: "any_view", Value: 1})
			}
			return m
		}
	}
	c.Tenants["shop"] = shop
	visits := examples.Visits().Tenants["shop"]
	visits.Experiments = nil
	c.Tenants["visits"] = visits
	c.Tenants["closer"] = definition.Tenant{Extract: func(definition.Beacon) []definition.Measurement { return nil }}
	return c
}
