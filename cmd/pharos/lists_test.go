package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ruled has rules with a list, definitions and cells.
const ruled = `data: data
sources:
  - {name: site, topic: beacons, format: json}
lists: {bots: bots.txt, office: office.txt}
plugins:
  noise:
    rules:
      let: {name: agent.lowerAscii()}
      drop:
        - {reason: bot, when: 'name.containsAny(lists.bots)'}
        - {reason: office, when: 'cidr(lists.office).containsIP(ip)'}
  points:
    rules:
      let: {nth: 'cell("views")'}
      cells: [views]
      extract:
        - {when: 'type == "view"', set: {views: nth + 1}}
        - {point: second_view, when: 'type == "view" && nth == 2', value: 'double(price) * 2'}
      close:
        - {point: seconds, when: nth > 1, value: session.duration / 1000}
        - {point: lonely, when: 'count("second_view") == 0'}
dispatch:
  filters: [noise]
tenants:
  shop: {extract: points, all_traffic: true}
`

const (
	bots   = "# agents that are nobody\n\n  bot \ncrawl\n"
	office = "10.0.0.0/8\n2001:db8::1\n"
)

// TestLists replays beacons through rules with lists, changes a list of a running
// host, and breaks it.
func TestLists(t *testing.T) {
	t.Parallel()
	config := writeConfig(t, ruled)
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(filepath.Dir(config), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("bots.txt", bots)
	put("office.txt", office)
	input := write(t, "in", []byte(`{"ts":1000,"tenant":"shop","sid":"a","type":"view","price":"1.5"}
{"ts":2000,"tenant":"shop","sid":"a","type":"click","agent":"GoogleBOT"}
{"ts":3000,"tenant":"shop","sid":"a","type":"view","ip":"10.1.2.3"}
{"ts":4000,"tenant":"shop","sid":"a","type":"view","price":"2.25"}
{"ts":5000,"tenant":"shop","sid":"a","type":"view","price":"9"}
{"ts":6000,"tenant":"shop","sid":"b","type":"view","ip":"2001:db8::1"}
`))
	out := mustRun(t, "replay", "-c", config, "--in", input, "--out", "-")
	if !strings.Contains(out, `"point":"second_view","dims":{},"minute":"1970-01-01T00:00:00Z","hits":1,"sum":4.5,`) {
		t.Errorf("replay:\n%s", out)
	}

	if !strings.Contains(out, `"point":"seconds","dims":{},"minute":"1970-01-01T00:30:00Z","hits":1,"sum":4,`) || strings.Contains(out, "lonely") {
		t.Errorf("replay, at the session's end:\n%s", out)
	}

	h := up(t, "-c", config)
	h.ready(t)
	put("bots.txt", bots+"spider\n")
	if out := mustRun(t, "reload", "-c", config, "--addr", h.url); !strings.Contains(out, `lists.bots`) {
		t.Errorf("reload after a change of a list:\n%s", out)
	}
	put("office.txt", office+"10.0.0.0/33\n")
	_, errs, code := run(t, "reload", "-c", config, "--addr", h.url)
	said(t, errs, code, 2, config+`:11:40: plugins.noise.rules.drop.1.when: list office: "10.0.0.0/33" is neither a network, as 10.0.0.0/8 or 2001:db8::/32, nor an address`,
		"    cidr(lists.office).containsIP(ip)\n         ^\n")
	h.terminate(t)
}

// TestRulesFileWithLists tries a file of rules that looks texts up.
func TestRulesFileWithLists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("bots.txt", bots)
	file := put("noise.rules.yaml", `lists: {bots: bots.txt}
let: {bot: agent.lowerAscii().containsAny(lists.bots)}
drop:
  - {reason: bot, when: bot}
tests:
  - {beacon: {agent: GoogleBot}, expect: bot}
  - {beacon: {agent: Firefox}, expect: null}
`)
	if out := mustRun(t, "rules", "test", file); !strings.Contains(out, "tests: 2 of 2 hold") {
		t.Error(out)
	}
	put("bots.txt", "\xff")
	_, errs, code := run(t, "rules", "test", file)
	said(t, errs, code, 2, file+":1:15: lists.bots: it is not UTF-8")
}
