package abi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func names(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%q", fmt.Sprintf("n%d", i))
	}
	return strings.Join(list, ",")
}

func TestParsePlanRefuses(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		plan string
		want []string
	}{
		{Filter, ``, []string{"plan: "}},
		{Filter, `{"reasons":["a"]} x`, []string{"something follows"}},
		{Filter, `{"reasons":["a"],"reason":[]}`, []string{`unknown field "reason"`}},
		{Filter, "{\"reasons\":[\"\xff\"]}", []string{"not UTF-8"}},
		{Filter, `{}`, []string{"a plugin of the kind filter needs at least one reason"}},
		{Split, `{"reasons":["a"]}`, []string{"reasons are for plugins of the kind filter, not split", "needs at least one route"}},
		{Extract, `{"routes":["a"],"points":[{"name":"visit"},{"name":"crossover"},{"name":"a*b"},{"name":""},{"name":"p"},{"name":"p"}]}`, []string{
			"routes are for plugins of the kind split", `point "visit" is reserved`, `point "crossover" is reserved`, `point "a*b" must not contain *`,
			`point "" is not 1 to 128 bytes`, `point "p" is named twice`,
		}},
		{Extract, `{"points":[{"name":"p","attributes":["a","a","a-b","1a",""]}]}`, []string{
			`point "p": attribute "a" is named twice`, `attribute "a-b" is not 1 to 64 letters`, `attribute "1a"`, `attribute ""`,
		}},
		{Filter, `{"reasons":["a"],"cells":[{"name":"c","type":"i64"}]}`, []string{"cells are for plugins of the kind extract"}},
		{Extract, `{"points":[{"name":"p"}],"cells":[{"name":"c","type":"str"}]}`, []string{`cell "c": type str is neither i64 nor f64`}},
		{Extract, `{"points":[{"name":"p"}],"cells":[{"name":"c"}]}`, []string{`cell "c": type type 0`}},
		{Filter, `{"reasons":["a"],"fields":[{"name":"x","type":"text"}]}`, []string{`type "text" is none of str, i64`}},
		{Filter, `{"reasons":["a"],"fields":[{"name":"x"},{"name":"y","type":"i64","dict":true},{"name":"","type":"str"},{"name":"$now","type":"i64"},{"name":"z","type":"str"},{"name":"z","type":"str"}]}`, []string{
			`field "x": type is missing`, `field "y": dict is for type str, not i64`, `field 2: the name "" is not`, `field "$now" is none of $time`, `field "z" of type str is planned twice`,
		}},
		{Filter, `{"reasons":[` + names(MaxReasons+1) + `]}`, []string{"257 reasons, at most 256"}},
		{Split, `{"routes":[` + names(MaxRoutes+1) + `]}`, []string{"1025 routes, at most 1024"}},
		{Filter, `{"reasons":["a"],"counters":[` + names(MaxCounters+1) + `]}`, []string{"33 counters, at most 32"}},
		{Extract, `{"points":[{"name":"p","attributes":[` + names(MaxAttributes+1) + `]}]}`, []string{"17 attributes, at most 16"}},
		{Filter, `{"reasons":["` + strings.Repeat("a", 129) + `"]}`, []string{"is not 1 to 128 bytes"}},
		{Filter, `{"reasons":["a\u0007"]}`, []string{"printable"}},
		{Filter, strings.Repeat(" ", MaxPlanBytes+1), []string{"at most 1048576"}},
	} {
		_, err := ParsePlan(c.kind, []byte(c.plan))
		if err == nil {
			t.Errorf("%.80s: taken", c.plan)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%.80s: %q does not say %q", c.plan, err, want)
			}
		}
	}
}

func TestParsePlan(t *testing.T) {
	text := `{"fields":[{"name":"headers.ua","type":"str","dict":true},{"name":"headers.ua","type":"str"},{"name":"$time","type":"i64"},{"name":"headers.ua","type":"kind"}],` +
		`"points":[{"name":"Bestellung ü","attributes":["img"]}],"cells":[{"name":"c","type":"f64"}],"counters":["n"]}`
	p, err := ParsePlan(Extract, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(p)
	if err != nil || string(again) != text {
		t.Errorf("%s, %v", again, err)
	}
	if p.TupleWidth() != 1 {
		t.Errorf("tuple width %d", p.TupleWidth())
	}
	if _, err := json.Marshal(Field{Name: "x"}); err == nil {
		t.Error("a field without type has JSON")
	}
}

func TestParseManifest(t *testing.T) {
	m, err := ParseManifest([]byte(`{"kind":"split","name":"n","version":"1","description":"d","config":{"type":"object"},"defaults":{"fields":[{"name":"x","type":"any"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Manifest{Kind: Split, Name: "n", Version: "1", Description: "d", Config: json.RawMessage(`{"type":"object"}`), Defaults: &Plan{Fields: []Field{{Name: "x", Type: Any}}}}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("%+v", m)
	}
	for text, want := range map[string]string{
		`{}`:                                    `kind "" is none of`,
		`{"kind":"filter","name":"a\nb"}`:       `name "a\nb" is not`,
		`{"kind":"filter","name":"a"}`:          `version "" is not`,
		`{"kind":"filter","abi":1}`:             `unknown field "abi"`,
		`[]`:                                    `cannot unmarshal`,
		strings.Repeat(" ", 1+MaxManifestBytes): `at most`,
		`{"kind":"filter","name":"a","version":"1","defaults":{"routes":["x"]}}`: `defaults: routes are for plugins of the kind split`,
	} {
		if _, err := ParseManifest([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add("extract", `{"fields":[{"name":"a","type":"str","dict":true}],"points":[{"name":"p","attributes":["x"]}],"counters":["c"]}`)
	f.Add("filter", `{"reasons":["a"]}`)
	f.Add("split", `{"routes":["a"]}`)
	f.Fuzz(func(t *testing.T, kind, text string) {
		p, err := ParsePlan(Kind(kind), []byte(text))
		if err != nil {
			return
		}
		// What is taken survives its own JSON.
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePlan(Kind(kind), again); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
	})
}
