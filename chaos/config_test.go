//go:build linux

package chaos

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// routePartitions is of both routes.
const routePartitions = 4 + 2

// shopConfig is docs/examples/shop.yaml with more partitions and with what
// reordering can go wrong with: carried assignments, exclusion, dimensions.
// Without brokers it is for a replay.
func shopConfig(t *testing.T, brokers, data, snapshots string) string {
	t.Helper()
	text := string(readFile(t, "../docs/examples/shop.yaml"))
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "../../plugins/", root+"/plugins/")
	for _, change := range [][2]string{
		{"web: {topic: pharos.web, partitions: 2}", "web: {topic: pharos.web, partitions: 4}"},
		{"tenants:\n", "session: {idle: 24h}\n\ntenants:\n  closer: {extract: shop-points}\n"},
		{"    experiments:\n", `    dimensions:
      platform: {path: platform, values: [web, ios, android], default: web}
    experiments:
      free-shipping:
        variants: {"off": 1, "on": 1, over-50: 1}
        crossover: exclude
`},
	} {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("there is no %q, or more than one, in\n%s", change[0], text)
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	if brokers == "" {
		return text
	}
	return fmt.Sprintf("kafka: {brokers: [%s]}\ndata: %s\nsnapshots: {url: 'file://%s', every: 2s}\n%s", brokers, data, snapshots, text)
}
