package pipeline_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/definition"
	"github.com/seed-6a2d649b/pharos/host/generate"
)

// example is one of docs/examples, a file of beacons for it, and the same
// pipeline written down a second time, in plain Go.
type example struct {
	name   string
	config string // file
	input  string // file of beacons
	tenant string
	define func(t *testing.T) definition.Config
}

const (
	minute = 60_000
	root   = "../.."
)

// now is the moment against which replays of the examples judge the future.
var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// examples gives the examples with real input where it lies beside the project,
// else with generated input.
func examples(t *testing.T) []example {
	return []example{
		{
			name: "access-log", config: root + "/docs/examples/access-log.yaml", tenant: "www", define: defineAccessLog,
			input: realOr(t, "apache-access.log.gz", generate.Options{Seed: 3, Format: "clf", Rate: 5, Start: now.AddDate(-1, 0, 0)}),
		},
		{
			name: "shop", config: root + "/docs/examples/shop.yaml", tenant: "shop", define: defineShop,
			input: realOr(t, "shop.ndjson", generate.Options{Seed: 4, Rate: 5, Start: now.AddDate(-1, 0, 0), Delayed: 0.05, Doubled: 0.02}),
		},
	}
}

// realOr gives the real file of that name, or one of generated beacons.
func realOr(t *testing.T, name string, o generate.Options) string {
	t.Helper()
	if file, err := filepath.Abs(filepath.Join(root, "../shared/data", name)); err == nil {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	t.Logf("the real input %s is not here: generated beacons take its place", name)
	file := filepath.Join(t.TempDir(), "generated.log")
	var b bytes.Buffer
	for g := generate.New(o); b.Len() < 2<<20; {
		raw, _ := g.Next()
		b.Write(append(raw, '\n'))
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// readLines gives the beacons of a file with their positions.
func readLines(t *testing.T, path, topic string) (all []definition.Line) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	s := bufio.NewScanner(in)
	s.Buffer(nil, 4<<20)
	for s.Scan() {
		if len(s.Bytes()) > 0 {
			all = append(all, definition.Line{Topic: topic, Offset: int64(len(all)), Raw: bytes.Clone(s.Bytes())})
		}
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return all
}

func path(p string) definition.Locator { return definition.Locator{Paths: []string{p}} }

func defineAccessLog(t *testing.T) definition.Config {
	list, err := os.ReadFile(root + "/plugins/bots/agents.txt")
	if err != nil {
		t.Fatal(err)
	}
	bots := slices.DeleteFunc(strings.Split(string(list), "\n"), func(s string) bool { return s == "" || s[0] == '#' })
	source, err := os.ReadFile(root + "/plugins/bots/bots.c")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "scripts[] = {")
	body, _, _ = strings.Cut(body, "};")
	var scripts []string
	for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(body, -1) {
		scripts = append(scripts, m[1])
	}
	names := func(agent string) func(string) bool {
		return func(name string) bool { return strings.Contains(agent, name) }
	}
	asset := regexp.MustCompile(`\.(css|js|png|jpe?g|gif|ico|svg|woff2?|ttf)(\?.*)?$`)
	return definition.Config{
		Source: definition.Source{
			Format: "clf", Time: path("time"), Tenant: definition.Locator{Const: "www"}, Session: definition.Locator{Paths: []string{"remote", "agent"}},
		},
		Gap: 30 * minute, Lateness: 10 * minute, Ahead: 5 * minute, Now: now.UnixMilli(), Default: "web",
		Filter: func(b definition.Beacon) (string, bool) {
			agent, path := strings.ToLower(b.Field("agent").Text()), b.Field("path").Text()
			switch {
			case slices.ContainsFunc(bots, names(agent)):
				return "bot", true
			case slices.ContainsFunc(scripts, names(agent)):
				return "script", true
			case asset.MatchString(path), strings.HasPrefix(path, "/images/"), path == "/robots.txt":
				return "asset", true
			}
			return "", false
		},
		Tenants: map[string]definition.Tenant{"www": {
			AllTraffic:  true,
			Experiments: []definition.Experiment{{ID: "aa-test", Hash: true, Salt: "aa-2015", Variants: []definition.Variant{{Name: "a", Weight: 50}, {Name: "b", Weight: 50}}}},
			Extract: func(b definition.Beacon) (m []definition.Measurement) {
				status, _ := b.Field("status").Number()
				if b.Field("method").Is("GET") && status == 200 {
					m = append(m, definition.Measurement{Point: "page", Value: 1})
				}
				if status >= 400 {
					m = append(m, definition.Measurement{Point: "error", Value: 1})
				}
				if status == 200 {
					v, ok := b.Field("bytes").Number()
					m = append(m, definition.Measurement{Point: "bytes", Value: v, Bad: !ok})
				}
				return m
			},
		}},
	}
}

func defineShop(*testing.T) definition.Config {
	points := map[string]string{"view": "item_page", "cart": "add_to_cart", "purchase": "order"}
	return definition.Config{
		Source: definition.Source{
			Format: "json", Time: path("ts"), Tenant: path("tenant"), Session: path("sid"), ID: path("id"), Assignments: path("exp"),
		},
		Gap: 30 * minute, Lateness: 10 * minute, Ahead: 5 * minute, Now: now.UnixMilli(), Default: "web",
		Split: func(b definition.Beacon) string {
			switch b.Field("platform").Text() {
			case "ios", "android", "mobile", "tablet":
				return "mobile"
			}
			return ""
		},
		Tenants: map[string]definition.Tenant{"shop": {
			AllTraffic: true,
			Pairs:      [][2]string{{"revenue", "order"}},
			Experiments: []definition.Experiment{{
				ID: "aa-test", Hash: true, Salt: "aa-2019", Unit: "visitor", Qualify: "item_page",
				Variants: []definition.Variant{{Name: "a", Weight: 50}, {Name: "b", Weight: 50}},
			}},
			Extract: func(b definition.Beacon) (m []definition.Measurement) {
				kind := b.Field("type").Text()
				if point := points[kind]; point != "" {
					m = append(m, definition.Measurement{Point: point, Value: 1})
				}
				if kind == "purchase" {
					v, ok := b.Field("product.price").Number()
					m = append(m, definition.Measurement{Point: "revenue", Value: v, Bad: !ok})
				}
				return m
			},
		}},
	}
}
