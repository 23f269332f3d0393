package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-6a2d649b/pharos/plugins"
)

// The topics' partitions.
const (
	rawPartitions     = 4
	routePartitions   = 4 // of each route
	metricsPartitions = 4
)

// names are what a run calls its topics and groups.
type names struct{ prefix string }

func (n names) topic(name string) string { return n.prefix + "." + name }

// rules is the name of what the variant with rules for an extractor has apart.
const rules = "-rules"

const configYAML = `
kafka: {brokers: [%[1]s]}
group: %[2]s%[3]s
http: {listen: "127.0.0.1:0"}
data: data
topics:
  metrics: {topic: %[2]s.metrics%[3]s, partitions: %[4]d}
  dead_letters: {topic: %[2]s.dead-letters%[3]s, partitions: 1}
  generations: {topic: %[2]s.generations%[3]s, partitions: 1}
  decisions: {topic: %[2]s.decisions%[3]s, partitions: 1}
sources:
  - {name: site, topic: %[2]s.raw, fields: {agent: headers.ua}}
plugins:
  bots: {module: file://plugins/bots/bots.wasm, data: {agents: plugins/bots/agents.txt}}
  device: {module: file://plugins/platform/platform.wasm}
  noise:
    rules:
      drop: [{reason: noise, when: 'type in [%[5]s]'}]
  points:
%[6]s
dispatch:
  filters: [bots, noise]
  split: device
  routes:
    web: {topic: %[2]s.web, partitions: %[7]d}
    mobile: {topic: %[2]s.mobile, partitions: %[7]d}
  default: web
session: {gap: 30m, lateness: 1m}
tenants:
  %[8]s:
    extract: points
    experiments:
%[9]s`

const clicksYAML = `    module: file://plugins/clicks/clicks.wasm
    config:
      points:
        - {point: item_page, is: view}
        - {point: click, is: click}
        - {point: search, is: search}
        - {point: add_to_cart, is: cart}
        - {point: order, is: purchase}
        - {point: revenue, is: purchase, value: product.price}`

const rulesYAML = `    rules:
      extract:
        - {point: item_page, when: 'type == "view"'}
        - {point: click, when: 'type == "click"'}
        - {point: search, when: 'type == "search"'}
        - {point: add_to_cart, when: 'type == "cart"'}
        - {point: order, when: 'type == "purchase"'}
        - {point: revenue, when: 'type == "purchase"', value: product.price}`

// configs writes the configs, with the clicks plugin and with rules as the
// extractor, and the plugins below dir.
func (n names) configs(dir string, brokers []string) (clicks, ruled string, err error) {
	if err := plugins.LayOut(filepath.Join(dir, "plugins")); err != nil {
		return "", "", err
	}
	var useless, trials []string
	for _, k := range kinds {
		if !k.useful {
			useless = append(useless, fmt.Sprintf("%q", k.name))
		}
	}
	for e := range experiments {
		trials = append(trials, fmt.Sprintf("      exp-%02d: {variants: {a: 1, b: 1}}\n", e))
	}
	text := func(variant, extractor string) []byte {
		return fmt.Appendf(nil, configYAML, strings.Join(brokers, ", "), n.prefix, variant, metricsPartitions,
			strings.Join(useless, ", "), extractor, routePartitions, tenant, strings.Join(trials, ""))
	}
	clicks, ruled = filepath.Join(dir, "clicks.yaml"), filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(clicks, text("", clicksYAML), 0o644); err != nil {
		return "", "", err
	}
	return clicks, ruled, os.WriteFile(ruled, text(rules, rulesYAML), 0o644)
}
