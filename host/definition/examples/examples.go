// Package examples has the pipelines of docs/examples written down a second
// time, in plain Go, and compares what Pharos writes with them. Only tests
// import it.
package examples

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
)

// Example is one of docs/examples, and the same pipeline in plain Go.
type Example struct {
	Name, Tenant string
	Config       string // file
	Real         string // file of real beacons; "" where it does not lie beside the project
	Format       string // of its beacons
	Closes       bool   // sessions are measured when they have ended
	Define       func(t *testing.T) definition.Config
}

const minute = 60_000

// Now is the moment against which replays of the examples judge the future.
var Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// All gives the examples; root is the way to the project's top.
func All(t *testing.T, root string) []Example {
	t.Helper()
	return []Example{
		{
			Name: "access-log", Tenant: "www", Config: root + "/docs/examples/access-log.yaml", Real: realFile(root, "apache-access.log.gz"), Format: "clf",
			Define: func(t *testing.T) definition.Config { return AccessLog(t, root) },
		},
		{
			Name: "shop", Tenant: "shop", Config: root + "/docs/examples/shop.yaml", Real: realFile(root, "shop.ndjson"), Format: "json",
			Define: func(*testing.T) definition.Config { return Shop() },
		},
		{
			Name: "visits", Tenant: "shop", Config: root + "/docs/examples/visits.yaml", Real: realFile(root, "shop.ndjson"), Format: "json", Closes: true,
			Define: func(*testing.T) definition.Config { return Visits() },
		},
	}
}

// realFile gives the real file of that name, or "".
func realFile(root, name string) string {
	file, err := filepath.Abs(filepath.Join(root, "../shared/data", name))
	if err == nil {
		_, err = os.Stat(file)
	}
	if err != nil {
		return ""
	}
	return file
}

// ReadLines gives the beacons of a file with their positions.
func ReadLines(t *testing.T, path, topic string) (all []definition.Line) {
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

// AccessLog is access-log.yaml; it reads the names of bots where the plugin has them.
func AccessLog(t *testing.T, root string) definition.Config {
	t.Helper()
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
		Gap: 30 * minute, Lateness: 10 * minute, Ahead: 5 * minute, Now: Now.UnixMilli(), Default: "web",
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

// Shop is shop.yaml.
func Shop() definition.Config {
	points := map[string]string{"view": "item_page", "cart": "add_to_cart", "purchase": "order"}
	return definition.Config{
		Source: definition.Source{
			Format: "json", Time: path("ts"), Tenant: path("tenant"), Session: path("sid"), ID: path("id"), Assignments: path("exp"),
		},
		Gap: 30 * minute, Lateness: 10 * minute, Ahead: 5 * minute, Now: Now.UnixMilli(), Default: "web",
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

// Visits is visits.yaml.
func Visits() definition.Config {
	c := Shop()
	c.Split, c.Default = nil, "all"
	const pages = "pages"
	c.Tenants = map[string]definition.Tenant{"shop": {
		AllTraffic: true,
		Experiments: []definition.Experiment{{
			ID: "aa-test", Hash: true, Salt: "aa-2019", Unit: "visitor",
			Variants: []definition.Variant{{Name: "a", Weight: 50}, {Name: "b", Weight: 50}},
		}},
		ExtractIn: func(b definition.Beacon, cells definition.Cells) []definition.Measurement {
			if b.Field("type").Text() == "view" {
				cells[pages]++
			}
			return nil
		},
		Close: func(s definition.Session) []definition.Measurement {
			seconds := float64(s.Last-s.First) / 1000
			m := []definition.Measurement{{Point: "duration", Value: seconds}, {Point: "pages", Value: float64(s.Cells[pages])}}
			if s.Cells[pages] == 1 && seconds < 10 {
				m = append(m, definition.Measurement{Point: "bounce", Value: 1})
			}
			return m
		},
	}}
	return c
}
