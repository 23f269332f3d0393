package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The example that 'pharos rules' shows is true: its tests hold, and the module that is
// built of it is one that a config takes.
func TestRulesAsTheHelpShows(t *testing.T) {
	dir := t.TempDir()
	file, built := filepath.Join(dir, "noise.yaml"), filepath.Join(dir, "noise.wasm")
	_, text, found := strings.Cut(mustRun(t, "rules", "--help"), "  # noise.yaml\n")
	text, _, whole := strings.Cut(text, "\n\n")
	if !found || !whole {
		t.Fatal("no example in the help")
	}
	writeFile(t, file, regexp.MustCompile(`(?m)^  `).ReplaceAllString(text, ""))
	expect(t, mustRun(t, "rules", "test", file), "tests: 3 of 3 hold\npurity: 500 random beacons.*\nall is well\n")
	out := mustRun(t, "rules", "build", file, "-o", built)
	expect(t, out, `built \S+noise.wasm from rules: a filter of 2 rules, \d+ bytes, sha256:[0-9a-f]{64}\nwith 3 golden vectors\n`)
	expect(t, mustRun(t, "plugin", "inspect", built), `plugin +noise 1.0.0, a filter`, `field +path +str, dictionary`, `reasons +asset, probe`, `golden vectors +3`)

	digest := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(out)
	config := writeConfig(t, "plugins: {noise: {module: 'file://"+built+"', digest: '"+digest+"'}}\ndispatch: {filters: [noise]}\n"+replacedRules)
	in := filepath.Join(dir, "in.ndjson")
	writeFile(t, in, `{"ts": 1000, "tenant": "shop", "sid": "a", "path": "/a.css"}`+"\n"+`{"ts": 1000, "tenant": "shop", "sid": "a", "path": "/cart"}`+"\n")
	_, summary := replay(t, config, in)
	expect(t, string(summary), `"filtered":\{"asset":1\}`)
}

// replacedRules is the rest of a config whose plugins are given.
const replacedRules = `
sources: [{name: site}]
tenants: {shop: {all_traffic: true}}
`

// What is wrong with rules, or with what they answer, is shown with its place.
func TestRulesFaults(t *testing.T) {
	for name, c := range map[string]struct {
		rules string
		code  int
		want  string // of standard output and error, FILE for the file
	}{
		"an answer that is not expected": {
			`
drop:
  - {reason: asset, when: 'path.endsWith(".css")'}
  - {reason: probe, when: 'agent == "uptime"'}
tests:
  - {beacon: {path: /a.css, agent: uptime}, expect: probe}
  - {beacon: "path=%2Fb", expect: asset}
`, 1, `tests: 0 of 2 hold

FAULT FILE:6:5
  why       decided by reason asset, drop.0, FILE:3:5
  beacon    {"path":"/a.css","agent":"uptime"}
  expected  "probe"
  got       "asset"

FAULT FILE:7:5
  why       no rule holds
  beacon    "path=%2Fb"
  expected  "asset"
  got       null
pharos: FILE: 2 faults
`,
		},
		"a measurement that is not expected": {
			`
extract:
  - {point: view, when: 'type == "view"'}
  - {point: price, when: 'has(price)', value: price}
tests:
  - {beacon: {type: view, price: 2}, expect: [view, {price: 3}]}
`, 1, `tests: 0 of 1 hold

FAULT FILE:6:5
  why       these rules hold: point view, extract.0, FILE:3:5; point price, extract.1, FILE:4:5
  beacon    {"type":"view","price":2}
  expected  [{"point":"view","value":1},{"point":"price","value":3}]
  got       [{"point":"view","value":1},{"point":"price","value":2}]
pharos: FILE: 1 fault
`,
		},
		"a session's end that is not expected": {
			`
extract: [{point: view, when: 'type == "view"'}]
close: [{point: seconds, when: 'true', value: session.duration / 1000}]
tests:
  - beacons:
      - {beacon: {type: view, ts: 1000}, expect: view}
      - {beacon: {type: view, ts: 3500}, expect: view}
    close: {seconds: 2}
`, 1, `tests: 0 of 1 hold

FAULT FILE:6:9, the end of the session
  expected  [{"point":"seconds","value":2}]
  got       [{"point":"seconds","value":2.5}]
pharos: FILE: 1 fault
`,
		},
		"what no rule answers": {
			`
split: [{route: web, when: 'true'}]
tests:
  - {beacon: {}, expect: wbe}
  - {beacon: {}, expect: [web]}
`, 2, `FILE:4:5: expect: no rule has the route "wbe"; there are web
FILE:5:5: expect: a route or null is wanted, not ["web"]
`,
		},
		"tests that are none": {
			`
extract: [{point: view, when: 'true'}]
tests:
  - {beacon: {}, expect: order}
  - {beacon: {}, expect: {view: x}}
  - {beacon: {}, expect: {point: view, vlaue: 1}}
  - beacons: [{beacon: {}, expect: view}, {beacon: "a=1", expect: view}]
`, 2, `FILE:4:5: expect: no rule has the point "order"; there are view
FILE:5:5: expect: the value of a measurement is a number, or null where it is bad, not "x"
FILE:6:5: expect: json: unknown field "vlaue"
FILE:7:43: beacon: the beacons of one test are all mappings, or all query strings
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "mine.rules.yaml")
			writeFile(t, file, c.rules)
			out, errs, code := run(t, "rules", "test", file)
			if got := strings.ReplaceAll(out+errs, file, "FILE"); got != c.want || code != c.code {
				t.Errorf("exit code %d, said:\n%s\nwant %d:\n%s", code, got, c.code, c.want)
			}
		})
	}
}

// Golden vectors beside the rules are tests too, and go into the module.
func TestRulesGoldenBeside(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.yaml")
	writeFile(t, file, `drop: [{reason: big, when: 'a.b > 3'}]`)
	golden := filepath.Join(dir, "mine.golden.ndjson")
	writeFile(t, golden, `{"beacons": [{"a.b": 4}, {}], "expect": ["big", null]}`+"\n")
	expect(t, mustRun(t, "rules", "test", file), "tests: 1 of 1 hold\n")
	expect(t, mustRun(t, "rules", "build", file, "-o", filepath.Join(dir, "mine.wasm")), "with 1 golden vector\n")
	writeFile(t, golden, "\n"+`{"beacons": [{"a.b": 3}], "expect": ["big"]}`+"\n")
	out, _, code := run(t, "rules", "test", file)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	expect(t, out, `FAULT \S+mine.golden.ndjson, line 2: beacon 0\n  why +no rule holds\n  beacon +\{"a.b":3\}\n`)
	if err := os.WriteFile(golden, []byte(`{"config": {"x": 1}, "beacons": [{}], "expect": [null]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := run(t, "rules", "test", file); code != 1 || !strings.Contains(errs, "line 1: rules have no config and no data") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// The rules of a config are tried in it, with real beacons.
func TestRulesOfAConfig(t *testing.T) {
	config, err := filepath.Abs(filepath.Join(root, "docs", "examples", "access-log.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, "rules", "test", config, "--random", "100")
	expect(t, out, `assets, a filter:\ntests: none`, `pages, an extractor:\ntests: none`, "\nall is well\n")
	in := filepath.Join(t.TempDir(), "in.log")
	writeFile(t, in, `127.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /a.css HTTP/1.1" 200 12 "-" "-"`+"\n")
	expect(t, mustRun(t, "rules", "test", config, "--plugin", "assets", "--random", "0", "--in", in, "--format", "clf"), "purity: 1 beacons of ")
}

// Explain says what rules read and cost, and which of them can not be.
func TestRulesExplain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.rules.yaml")
	writeFile(t, file, `
let: {asset: 'path.endsWith(".css")'}
drop:
  - {reason: asset, when: asset}
  - {reason: probe, when: 'agent == "uptime" && price > 2'}
  - {reason: asset, when: 'path.endsWith(".min.css") && has(price)'}
  - {reason: odd, when: 'price > 3 && price < 2'}
tests:
  - {beacon: {path: /a.css, agent: uptime, price: 3}, expect: asset}
  - {beacon: {agent: uptime, price: 3}, expect: probe}
`)
	out := strings.ReplaceAll(mustRun(t, "rules", "explain", file), file, "FILE")
	out = regexp.MustCompile(`[0-9]+\.[0-9] of fuel|[0-9]+ bytes, sha256:[0-9a-f]{64}`).ReplaceAllString(out, "N")
	if want := `mine, a filter of 4 rules, N
N a beacon, of 2 beacons, of the tests

field  agent  str, dictionary
field  path   str, dictionary
field  price  f64
field  price  kind

rule 0  asset  FILE:4:5
  when   path.endsWith(".css")
  holds of 1, decides 1, alone N

rule 1  probe  FILE:5:5
  when   agent == "uptime" && price > 2
  holds of 2, decides 1, alone N

rule 2  asset  FILE:6:5
  when   path.endsWith(".min.css") && has(price)
  holds of 0, decides 0, alone N

rule 3  odd  FILE:7:5
  when   price > 3 && price < 2
  holds of 0, decides 0, alone N

never    rule 3 can hold of no beacon
hidden   rule 2 never decides: where it holds, rule 0 does
overlap  rules 0 and 1 both hold of {"path":"/a.css","agent":"uptime","price":3}
overlap  rules 1 and 2 both hold of {"path": ".min.css", "agent": "uptime", "price": 2.5}
`; out != want {
		t.Errorf("said:\n%s\nwant:\n%s", out, want)
	}
	expect(t, mustRun(t, "rules", "explain", file, "--json"), `"never":\[3\],"hidden":\[\{"rule":2,"by":\[0\]\}\],"overlaps":\[\{"first":0,"second":1,`)
}

// A rule that only sets cells has its cost, too.
func TestRulesExplainSets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	writeFile(t, file, `
cells: [views]
extract:
  - {when: 'type == "view"', set: {views: 'cell("views") + 1'}}
  - {point: third, when: 'cell("views") == 3'}
`)
	out := mustRun(t, "rules", "explain", file)
	expect(t, out, `rule 0 .*\n  when   type == "view"\n  alone [0-9.]+ of fuel`, `rule 1  third `)
}

// Rules over as many texts as there can be are tried as a host has them work, few
// beacons a call.
func TestRulesOverManyFields(t *testing.T) {
	dir := t.TempDir()
	file, built := filepath.Join(dir, "mine.yaml"), filepath.Join(dir, "mine.wasm")
	text := "drop:\n"
	for i := range 256 {
		text += fmt.Sprintf("  - {reason: a, when: 'f%d == \"x\"'}\n", i)
	}
	writeFile(t, file, text+"tests: [{beacon: {f255: x}, expect: a}]\n")
	expect(t, mustRun(t, "rules", "test", file), "tests: 1 of 1 hold\n.*\nall is well")
	expect(t, mustRun(t, "rules", "explain", file), "of fuel a beacon")
	mustRun(t, "rules", "build", file, "-o", built)
	expect(t, mustRun(t, "plugin", "test", built), "all is well")
}

// TestRulesDoc does what docs/rules.md shows of the commands, and sees what it shows.
func TestRulesDoc(t *testing.T) {
	dir := t.TempDir()
	_, section, found := strings.Cut(string(read(t, root+"/docs/rules.md")), "## Trying and building rules\n")
	blocks := regexp.MustCompile("(?s)```(yaml|console)\n(.*?)```").FindAllStringSubmatch(section, 3)
	if !found || len(blocks) != 3 || blocks[0][1] != "yaml" {
		t.Fatalf("%d examples", len(blocks))
	}
	writeFile(t, filepath.Join(dir, "noise.yaml"), blocks[0][2])
	console(t, dir, blocks[1][2])
	if out := mustRun(t, "rules", "explain", filepath.Join(dir, "noise.yaml")); !strings.HasSuffix(out, "\n\n"+blocks[2][2]) {
		t.Errorf("explained:\n%s\nand not at the end:\n%s", out, blocks[2][2])
	}
	built := filepath.Join(dir, "noise.wasm")
	mustRun(t, "rules", "build", filepath.Join(dir, "noise.yaml"), "-o", built)
	expect(t, mustRun(t, "plugin", "test", built, "--random", "100"), "golden vectors: 4 of 4 hold")
}
