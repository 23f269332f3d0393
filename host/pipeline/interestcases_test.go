package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/interest"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

// stream writes beacons of one session, "s", but for those that name another: each is
// a moment, a type and more fields.
func stream(t *testing.T, text string) (input string) {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		kind, more, _ := strings.Cut(rest, " ")
		d, err := time.ParseDuration(at)
		if err != nil {
			t.Fatal(err)
		}
		sid := `"sid":"s",`
		if strings.Contains(more, `"sid"`) {
			sid = ""
		}
		if more != "" {
			more = "," + more
		}
		fmt.Fprintf(&b, `{"ts":%d,"tenant":"shop",%s"type":%q%s}`+"\n", d.Milliseconds(), sid, kind, more)
	}
	input = filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(input, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return input
}

// Small streams of which it is known what each kind of beacon touches.
func TestInterestOfSmallStreams(t *testing.T) {
	for _, c := range []struct {
		name, stream            string
		useless, bounds, visits string // the kind of each rule
		left                    int    // kinds that are left alone
	}{
		{name: "within a session", stream: `
			0s view
			1s scroll
			2s view`, useless: "scroll"},
		{name: "at the end of a session", stream: `
			0s view
			1s scroll`, bounds: "scroll"},
		{name: "at the begin of a session, in the same minute", stream: `
			0s scroll
			1s view`, bounds: "scroll"},
		{name: "a session of its own", stream: `
			0s view "sid":"other"
			1s scroll`, bounds: "scroll"},
		{name: "a session of an experiment", stream: `
			0s view "sid":"other"
			1s scroll "exp":{"carried":"a"}`, visits: "scroll"},
		{name: "the first that carries an assignment", stream: `
			0s view
			50s scroll "exp":{"carried":"a"}
			61s view "exp":{"carried":"a"}`, visits: "scroll"},
		{name: "an assignment that another carries in the same minute", stream: `
			0s view
			50s scroll "exp":{"carried":"a"}
			51s view "exp":{"carried":"a"}`, useless: "scroll"},
		{name: "a crossover", stream: `
			0s view "exp":{"carried":"a"}
			1s scroll "exp":{"carried":"b"}
			2s view`, visits: "scroll"},
		{name: "what gives a session its dimension", stream: `
			0s scroll "platform":"web"
			0s view "platform":"ios","id":"z"`},
		{name: "it bridges a gap", stream: `
			0s view
			4m scroll
			8m view`},
		{name: "each of two bridges a gap, both can not go", stream: `
			0s view
			4m scroll
			4m hover
			8m view
			8m1s hover
			8m2s view`, useless: "hover", left: 1},
		{name: "each of two bridges a gap and ends sessions, both can not go", stream: `
			0s view "sid":"a"
			0s view "sid":"b"
			0s view
			1s hover "sid":"a"
			1s scroll "sid":"b"
			4m scroll
			4m hover
			8m view`, bounds: "hover", left: 1},
		{name: "the first of two with one id", stream: `
			0s view
			1s scroll "id":"x"
			2s view "id":"x"
			3s view`},
		{name: "the second of two with one id", stream: `
			0s view
			1s view "id":"x"
			2s scroll "id":"x"
			3s view`, useless: "scroll"},
		{name: "a clock ahead that makes others late", stream: `
			0s view
			601m view "sid":"ahead"
			602m30s scroll "sid":"ahead"
			2m view "sid":"late"
			603m view "sid":"ahead"`, left: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pharos.yaml")
			if err := os.WriteFile(file, []byte(matters), 0o600); err != nil {
				t.Fatal(err)
			}
			r, _ := interestOf(t, file, pipeline.InterestOptions{
				Inputs: []pipeline.Input{{Path: stream(t, c.stream)}}, By: []string{"type"}, Least: 1, Now: time.UnixMilli(1000 * minute),
			})
			for _, rule := range []struct {
				is   *interest.RuleReport
				want string
			}{{r.Useless, c.useless}, {r.BoundsOnly, c.bounds}, {r.VisitsOnly, c.visits}} {
				switch {
				case rule.want == "":
					if rule.is != nil {
						t.Errorf("dropped are %q", rule.is.Kinds)
					}
				case rule.is == nil || !slices.Equal(rule.is.Kinds, []string{"type " + quote(rule.want)}):
					t.Errorf("dropped are %+v, not %s", rule.is, rule.want)
				}
			}
			left := slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "but all of them together do") })
			if left != (c.left > 0) {
				t.Errorf("notes: %q", r.Warnings)
			}
		})
	}
}

// Whatever texts kinds have, the rule as it is written drops just them.
func TestRuleOfInterestNamesAnyText(t *testing.T) {
	odd := []string{
		`'`, `"`, `\`, `\n`, "a\nb", "tab\t", "", " ", "null", "true", "12", "${HOME}", "{x: y}", "# no comment", "é", "日本", "\u2028", "\U0001f600", "\ufeff", "\x7f", "\u0085",
		"]", "', when: 'true", strings.Repeat("x", interest.MaxText),
	}
	var text strings.Builder
	at := 0
	for i, kind := range odd {
		for _, one := range []string{"view", kind, "view"} {
			at++
			fmt.Fprintf(&text, `{"ts":%d,"tenant":"shop","sid":"s%d","type":%s}`+"\n", at*1000, i, quote(one))
		}
	}
	dir := t.TempDir()
	file, input := filepath.Join(dir, "pharos.yaml"), filepath.Join(dir, "in")
	for name, content := range map[string]string{file: matters, input: text.String()} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inputs, now := []pipeline.Input{{Path: input}}, time.UnixMilli(1000*minute)
	r, _ := interestOf(t, file, pipeline.InterestOptions{Inputs: inputs, By: []string{"type"}, Least: 1, Now: now})
	if r.Useless == nil || r.Useless.Beacons != len(odd) || len(r.Useless.Kinds) != len(odd) {
		t.Fatalf("of %d kinds of no use these were found: %+v", len(odd), r.Useless)
	}
	before, after := replayOf(t, file, inputs, now), replayOf(t, withRule(t, dir, matters, r.Useless.YAML), inputs, now)
	if n := changed(before, after); n != 0 {
		t.Errorf("%d figures change with\n%s", n, r.Useless.YAML)
	}
}

// Of the fields that beacons have, that is chosen which brings those of no use together.
func TestInterestChoosesTheFieldThatTells(t *testing.T) {
	var text strings.Builder
	for i := range 400 {
		kind, what := "view", "page"
		if i%4 == 1 || i%4 == 2 {
			kind, what = []string{"view", "other"}[i%2], "decoration"
		}
		fmt.Fprintf(&text, `{"ts":%d,"tenant":"shop","sid":"s%d","type":"%s","id":"%d","colour":"%d","what":"%s","page":{"area":"x"}}`+"\n",
			i*1000, i/4, strings.Replace(kind+"-"+what, "-page", "", 1), i, i%3, what)
	}
	file, input := filepath.Join(t.TempDir(), "pharos.yaml"), filepath.Join(t.TempDir(), "in")
	for name, content := range map[string]string{file: matters, input: text.String()} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		by   []string
		want string
	}{{nil, "what"}, {[]string{"type", "what"}, "type what"}} {
		r, _ := interestOf(t, file, pipeline.InterestOptions{Inputs: []pipeline.Input{{Path: input}}, By: c.by, Least: 150, Now: time.UnixMilli(1000 * minute)})
		if got := strings.Join(r.By, " "); got != c.want {
			t.Errorf("kinds are by %q, not %q: %s", got, c.want, r.Why)
		}
		if found := r.Useless != nil; found != (c.by == nil) {
			t.Errorf("by %v, of no use: %+v", r.By, r.Useless) // by two fields each kind is too rare
		}
	}
}

// Each of several tenants has a rule of its own; what only one of two sources does not
// need stays.
func TestInterestOfSeveralTenantsAndSources(t *testing.T) {
	const text = `
sources: [{name: one, topic: one}, {name: two, topic: two, format: query}]
plugins:
  points: {rules: {extract: [{point: page, when: 'type == "view"'}]}}
  own: {rules: {drop: [{reason: own, when: 'type == "mine"'}]}}
tenants:
  shop: {extract: points, all_traffic: true, filters: [own]}
  "a.b: c": {extract: points, all_traffic: true}
`
	var one, two strings.Builder
	for i, kind := range []string{"view", "scroll", "hover", "mine", "view"} {
		for _, tenant := range []string{"shop", "a.b: c"} {
			if tenant != "shop" || kind != "hover" {
				fmt.Fprintf(&one, `{"ts":%d,"tenant":"%s","sid":"s","type":"%s"}`+"\n", i*1000, tenant, kind)
			}
		}
	}
	two.WriteString("ts=1&tenant=shop&sid=t&type=hover\nts=2&tenant=a.b%3A+c&sid=t&type=scroll\nts=70000&tenant=a.b%3A+c&sid=t&type=view\n")
	dir := t.TempDir()
	files := map[string]string{"pharos.yaml": text, "one": one.String(), "two": two.String()}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inputs, now := []pipeline.Input{{Source: "one", Path: filepath.Join(dir, "one")}, {Source: "two", Path: filepath.Join(dir, "two")}}, time.UnixMilli(1000*minute)
	r, _ := interestOf(t, filepath.Join(dir, "pharos.yaml"), pipeline.InterestOptions{Inputs: inputs, By: []string{"type"}, Least: 1, Now: now})
	if r.Useless == nil || r.Useless.YAML != `plugins:
  no-use-shop:
    rules:
      drop:
        - {reason: no-use, when: 'type == "scroll"'}
  "no-use-a.b: c":
    rules:
      drop:
        - {reason: no-use, when: 'type in ["hover", "mine"]'}
tenants:
  shop:
    filters: [own, no-use-shop]
  "a.b: c":
    filters: ["no-use-a.b: c"]
` {
		t.Fatalf("%+v", r.Useless)
	}
	rule := withRule(t, dir, text, r.Useless.YAML)
	if n := changed(replayOf(t, filepath.Join(dir, "pharos.yaml"), inputs, now), replayOf(t, rule, inputs, now)); n != 0 {
		t.Errorf("%d figures change", n)
	}
}

// Where an extractor measures how long sessions are, what ends one touches a figure.
func TestInterestOfAnExtractorThatClosesSessions(t *testing.T) {
	r, _ := interestOf(t, root+"/docs/examples/visits.yaml", pipeline.InterestOptions{
		Inputs: []pipeline.Input{{Path: stream(t, `
			0s view "id":"1"
			1s scroll "id":"2"
			2s view "id":"3"
			3s ping "id":"4"`)}}, By: []string{"type"}, Least: 1, Now: time.UnixMilli(1000 * minute),
	})
	if r.Useless == nil || !slices.Equal(r.Useless.Kinds, []string{`type "scroll"`}) || r.BoundsOnly != nil || r.VisitsOnly != nil {
		t.Errorf("of no use: %+v, of bounds only: %+v, of visits only: %+v", r.Useless, r.BoundsOnly, r.VisitsOnly)
	}
}

// A number of one source is not the text of another that looks like it, which compares
// with numbers.
func TestRuleOfInterestTellsNumbersFromTexts(t *testing.T) {
	const text = `
sources: [{name: one, topic: one}, {name: two, topic: two, format: query}]
plugins: {points: {rules: {extract: [{point: page, when: 'type == "view"'}]}}}
tenants: {shop: {extract: points, all_traffic: true}}
`
	dir := t.TempDir()
	for name, content := range map[string]string{
		"pharos.yaml": text,
		"one": `{"ts":1,"tenant":"shop","sid":"s","type":"view"}` + "\n" + `{"ts":2,"tenant":"shop","sid":"s","n":7}` + "\n" +
			`{"ts":3,"tenant":"shop","sid":"s","type":"view"}` + "\n",
		"two": "ts=4&tenant=shop&sid=t&type=view&n=7\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := interestOf(t, filepath.Join(dir, "pharos.yaml"), pipeline.InterestOptions{
		Inputs: []pipeline.Input{{Source: "one", Path: filepath.Join(dir, "one")}, {Source: "two", Path: filepath.Join(dir, "two")}},
		By:     []string{"n"}, Least: 1, Now: time.UnixMilli(1000 * minute),
	})
	if r.Useless == nil || r.Useless.Beacons != 1 || !slices.Equal(r.Useless.Kinds, []string{"n 7"}) {
		t.Errorf("of no use: %+v", r.Useless)
	}
}
