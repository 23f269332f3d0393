package beacon

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

// decode gives the only row of raw, its values by field as "kind text".
func decode(t *testing.T, src *Source, raw string, fields ...string) (*Row, Cause) {
	t.Helper()
	p, b := projection(t, src, fields...)
	i, cause := b.Add(p, []byte(raw))
	return b.Row(i), cause
}

func TestCauses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	wide := func(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }
	for _, c := range []struct {
		format Format
		raw    string
		want   Cause
	}{
		{JSON, `{"a":1}`, ""},
		{JSON, " \t\r\n{\"a\":1}\n", ""},
		{JSON, ``, NotJSON},
		{JSON, `{"a":1`, NotJSON},
		{JSON, `{"a":1} x`, NotJSON},
		{JSON, `{"a":1}{}`, NotJSON},
		{JSON, `{"a":NaN}`, NotJSON},
		{JSON, `{"a":-Infinity}`, NotJSON},
		{JSON, "{\"a\":\"x\ty\"}", NotJSON},
		{JSON, "{\"a\x00\":1}", NotJSON},
		{JSON, `{"a":"\v"}`, NotJSON},
		{JSON, `{"a":"\u12g4"}`, NotJSON},
		{JSON, `{"a":"\ud800"}`, ""},
		{JSON, `{"a":012}`, NotJSON},
		{JSON, "\xef\xbb\xbf{}", NotJSON},
		{JSON, `[{}]`, NotObject},
		{JSON, `"a"`, NotObject},
		{JSON, `null`, NotObject},
		{JSON, `[1] 2`, NotJSON},
		{JSON, "{\"a\":\"\xc0\x80\"}", NotUTF8},
		{JSON, "{\"a\":\"\xed\xa0\x80\"}", NotUTF8}, // a surrogate
		{JSON, "\xff", NotUTF8},
		{JSON, deep(128), ""},
		{JSON, deep(129), TooDeep},
		{JSON, strings.Repeat("[", 1<<20), TooDeep},
		{JSON, `{"a" ` + deep(129), NotJSON},
		{JSON, wide(1 << 20), ""},
		{JSON, wide(1<<20 + 1), TooLarge},
		{JSON, strings.Repeat("\xff", 1<<20+1), TooLarge},
		{Query, ``, ""},
		{Query, `a=%41&b`, ""},
		{Query, `a=%4`, BadEscape},
		{Query, `a=1&unasked%=1`, BadEscape},
		{Query, `a=%G1`, BadEscape},
		{Query, `a=%+1`, BadEscape},
		{Query, `unasked=%C3`, NotUTF8},
		{Query, `%C3=1`, NotUTF8},
		{Query, "a=\xc3", NotUTF8},
		{Query, "a=\xc3&b=%", NotUTF8},
		{Query, `a={"x":` + deep(128) + `}`, ""}, // text, whatever is in it
		{Query, strings.Repeat("a", 1<<20+1), TooLarge},
		{CLF, clfSeeds[0], ""},
		{CLF, clfSeeds[1], ""},
		{CLF, `h - - [x] "a" 1 2 "r" "a`, NotCLF},
		{CLF, `h - - [x] "a" 1 2 "r"`, NotCLF},
		{CLF, `h - - [x] "a" 1 2 `, NotCLF},
		{CLF, `h - - x "a" 1 2`, NotCLF},
		{CLF, `h - john smith [x] "a" 1 2`, NotCLF},
		{CLF, ``, NotCLF},
		{CLF, "h - - [x] \"\xff\" 1 2", NotUTF8},
		{CLF, clfSeeds[0] + strings.Repeat("x", 1<<20), TooLarge},
	} {
		src := &Source{Format: c.format, Tenant: Locator{Const: "shop", IsConst: true}, Session: path("a"), Names: map[string]Locator{"n": {Const: "x", IsConst: true}}}
		r, cause := decode(t, src, c.raw, "a", "a.x", "n", "$tenant")
		name := c.raw[:min(len(c.raw), 40)]
		if cause != c.want {
			t.Errorf("%s %q: %q, want %q", c.format, name, cause, c.want)
		}
		if string(r.Tenant) != "shop" {
			t.Errorf("%s %q: a constant tenant is %q", c.format, name, r.Tenant)
		}
		if cause != "" && (len(r.Session) > 0 || slices.ContainsFunc(r.Values, func(v Value) bool { return v.Kind != abi.Missing })) {
			t.Errorf("%s %q: values of what cannot be decoded", c.format, name)
		}
		if string(r.Raw) != c.raw || r.Source != src {
			t.Errorf("%s %q: raw or source lost", c.format, name)
		}
	}
	r, cause := decode(t, &Source{Format: JSON, Tenant: path("t")}, `{"t":"shop"`)
	if cause != NotJSON || len(r.Tenant) > 0 {
		t.Errorf("a tenant %q out of a broken beacon, cause %q", r.Tenant, cause)
	}
}

func TestValues(t *testing.T) {
	names := map[string]Locator{
		"agent": path("h.ua"), "void": path("nothing"), "both": path("a", "b"), "const": {Const: "k", IsConst: true}, "n": path("num"),
	}
	const missing = "0 "
	for _, c := range []struct {
		format     Format
		raw, field string
		want       string
	}{
		// Texts.
		{JSON, `{"a":"x"}`, "a", "5 x"},
		{JSON, `{"a":""}`, "a", "5 "},
		{JSON, `{"a":1.50}`, "a", "4 1.50"},
		{JSON, `{"a":-1E+3}`, "a", "4 -1E+3"},
		{JSON, `{"a":true}`, "a", "3 true"},
		{JSON, `{"a":false}`, "a", "2 false"},
		{JSON, `{"a":null}`, "a", "1 "},
		{JSON, `{"a": [1, 2] }`, "a", "7 [1, 2]"},
		{JSON, `{"a": { "b" : 1 } }`, "a", `8 { "b" : 1 }`},
		{JSON, `{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, "a", "5 \"\\/\b\f\n\r\té😀"},
		{JSON, `{"a":"\ud83d\u0041"}`, "a", "5 \uFFFDA"},
		{JSON, `{"a":"\ude00"}`, "a", "5 \uFFFD"},
		// Paths.
		{JSON, `{"a":{"b":{"c":"x"}}}`, "a.b.c", "5 x"},
		{JSON, `{"a":[{"id":1},{"id":2}]}`, "a.1.id", "4 2"},
		{JSON, `{"a":{"1":{"id":2}}}`, "a.1.id", "4 2"},
		{JSON, `{"a":[1,2]}`, "a.01", missing},
		{JSON, `{"a":[1,2]}`, "a.2", missing},
		{JSON, `{"a":[1,2]}`, "a.-1", missing},
		{JSON, `{"a":"x"}`, "a.b", missing},
		{JSON, `{"a.b":1}`, "a.b", missing},
		{JSON, `{"\u0061":{"\u0062":1}}`, "a.b", "4 1"},
		{JSON, `{"A":1}`, "a", missing},
		{JSON, `{"a\u0000":1}`, "a", missing},
		{JSON, `{"eightlet":1}`, "eightletters", missing},
		{JSON, `{"eightletters":1}`, "eightlet", missing},
		{JSON, `{"eightletterz":1,"eightletters":2}`, "eightletters", "4 2"},
		{JSON, `{"a":1,"a":2}`, "a", "4 2"},
		{JSON, `{"a":1,"a":null}`, "a", "1 "},
		{JSON, `{"a":{"b":1},"a":{"c":2}}`, "a.b", missing},
		{JSON, `{"a":{"b":1},"a":3}`, "a.b", missing},
		{JSON, `{"a":"{\"b\":1}"}`, "a.b", missing}, // JSON in a string is text
		// Further names.
		{JSON, `{"agent":"y","h":{"ua":"x"}}`, "agent", "5 x"},
		{JSON, `{"agent":"y"}`, "agent", missing},
		{JSON, `{"agent":"y"}`, Path("agent"), "5 y"},
		{JSON, `{"agent":{"x":1}}`, "agent.x", "4 1"}, // a name stands as a whole
		{JSON, `{"void":1}`, "void", missing},
		{JSON, `{"num":1.0}`, "n", "4 1.0"},
		{JSON, `{"a":1,"b":true}`, "both", "5 1|true"},
		{JSON, `{"b":2}`, "both", "5 |2"},
		{JSON, `{"a":"","b":[1]}`, "both", missing},
		{JSON, `{}`, "const", "5 k"},
		{Query, `num=1`, "n", "6 1"},
		{CLF, `h - - [x] "a" 1 2`, "const", "5 k"},
		// What every source has.
		{JSON, `{"ts":"1e3","t":"shop","s":7}`, "$time", "4 1000"},
		{JSON, `{"ts":"1e3","t":"shop","s":7}`, "$tenant", "5 shop"},
		{JSON, `{"ts":"1e3","t":"shop","s":7}`, "$session", "5 7"},
		{JSON, `{"t":"","s":null}`, "$time", missing},
		{JSON, `{"t":"","s":null}`, "$tenant", missing},
		{JSON, `{"t":"","s":{}}`, "$session", missing},
		{JSON, `{"$source":1}`, "$source", "5 src"},
		// Query.
		{Query, `a=1&a=2`, "a", "6 1"},
		{Query, `a&a=2`, "a", "6 "},
		{Query, `a=b=c`, "a", "6 b=c"},
		{Query, `a=x+y%2Bz`, "a", "6 x y+z"},
		{Query, `%61+b=1`, "a b", "6 1"},
		{Query, `?a=1`, "a", missing},
		{Query, `?a=1`, "?a", "6 1"},
		{Query, `a=null`, "a", "6 null"},
		{Query, `a.b=1`, "a.b", missing},
		{Query, `a=%7B%22b%22%3A%7B%22c%22%3A%5B1%2C%22x%22%5D%7D%7D`, "a.b.c.1", "5 x"},
		{Query, `a={"b":1.50}`, "a.b", "4 1.50"},
		{Query, `a={"b":null}`, "a.b", "1 "},
		{Query, `a={"b":{"c":1}}`, "a.b", `8 {"c":1}`},
		{Query, `a={"b":1}`, "a", `6 {"b":1}`},
		{Query, ` a=[3]`, " a.0", "4 3"},
		{Query, `a={"b":1}}`, "a.b", missing},
		{Query, `a={"b":1,}`, "a.b", missing},
		{Query, `a=x&a={"b":1}`, "a.b", missing},
		{Query, `a={"b":"{\"c\":1}"}`, "a.b.c", missing},
		{Query, `a={"b":"%5Cu0041"}`, "a.b", "5 A"},
		// CLF.
		{CLF, clfSeeds[0], "remote", "6 1.2.3.4"},
		{CLF, clfSeeds[0], "user", "6 frank"},
		{CLF, clfSeeds[0], "time", "6 10/Oct/2000:13:55:36 -0700"},
		{CLF, clfSeeds[0], "method", "6 GET"},
		{CLF, clfSeeds[0], "path", "6 /x?y=1"},
		{CLF, clfSeeds[0], "proto", "6 HTTP/1.0"},
		{CLF, clfSeeds[0], "status", "6 200"},
		{CLF, clfSeeds[0], "bytes", "6 2326"},
		{CLF, clfSeeds[0], "referer", missing},
		{CLF, clfSeeds[1], "user", missing},
		{CLF, clfSeeds[1], "bytes", missing},
		{CLF, clfSeeds[1], "referer", "6 http://e/"},
		{CLF, clfSeeds[1], Path("agent"), `6 M \"q\" \\`},
		{CLF, `h - - [x] "" 1 2 "" "-"`, "referer", "6 "},
		{CLF, `h - - [x] "" 1 2 "" "-"`, Path("agent"), missing},
		{CLF, `h - - [x] "a b" 1 2`, "method", missing},
		{CLF, `h - - [x] "a b c d" 1 2`, "path", missing},
		{CLF, `h - - [x] "a  c" 1 2`, "proto", missing},
		{CLF, `h - - [x] "a - c" 1 2`, "path", missing},
		{CLF, `h - - [x] "a - c" 1 2`, "proto", "6 c"},
		{CLF, `{"x":1} - - [x] "a - c" 1 2`, "remote.x", missing},
		{CLF, clfSeeds[0], "ident", missing},
	} {
		src := &Source{Name: "src", Format: c.format, Time: path("ts"), Tenant: path("t"), Session: path("s"), Names: names}
		r, cause := decode(t, src, c.raw, "unrelated", c.field, c.field+".below")
		if got := fmt.Sprintf("%d %s", r.Values[1].Kind, r.Values[1].Text); got != c.want || cause != "" {
			t.Errorf("%s %s: %q is %q (%s), want %q", c.format, c.raw, c.field, got, cause, c.want)
		}
	}
}

func TestRawAndInside(t *testing.T) {
	src := &Source{Format: JSON, ID: path("a.b")}
	r, _ := decode(t, src, `{"a":{"b":{"c":[1,{"d":"x"}]}}}`, "a", "a.b", "a.b.c", "a.b.c.1", "a.b.c.1.d", "a.b.c.0")
	want := []string{`{"b":{"c":[1,{"d":"x"}]}}`, `{"c":[1,{"d":"x"}]}`, `[1,{"d":"x"}]`, `{"d":"x"}`, "x", "1"}
	for i, v := range r.Values {
		if string(v.Text) != want[i] {
			t.Errorf("value %d is %q, want %q", i, v.Text, want[i])
		}
	}
	if len(r.ID) > 0 {
		t.Errorf("an object is an id: %q", r.ID)
	}
}

func TestAssignments(t *testing.T) {
	many, want := `{"e0":"old"`, ""
	for i := range 100 {
		many += fmt.Sprintf(`,"e%d":"v"`, i)
		want += fmt.Sprintf("e%d=v ", i)
	}
	for _, c := range []struct {
		format    Format
		exp, want string
	}{
		{JSON, `[{"id":"e","variant":"v"},{"variant":"w","id":"f","more":[1]}]`, "e=v f=w "},
		{JSON, `[{"id":"e","variant":"v"},{"id":"e","variant":"w"}]`, "e=v e=w "},
		{JSON, `[{"id":1,"variant":true}]`, "1=true "},
		{JSON, `[{"id":"","variant":"v"},{"id":"e"},{"variant":"v"},{"id":"e","variant":null},{"id":["e"],"variant":"v"},{"id":"e","variant":{}}]`, ""},
		{JSON, `[1,"e",null,[{"id":"e","variant":"v"}],{},[],{"id":"f","variant":"v"}]`, "f=v "},
		{JSON, `[{"id":"e","id":"f","variant":"v"}]`, "f=v "},
		{JSON, `[{"\u0069d":"\u0065","variant":"\u0076"}]`, "e=v "},
		{JSON, ` [ { "id" : "e" , "variant" : "v" } , 3 ] `, "e=v "},
		{JSON, `{"e":"v","f":2,"g":false}`, "e=v f=2 g=false "},
		{JSON, `{"e":"v","e":"w"}`, "e=w "},
		{JSON, `{"e":"v","e":null}`, ""},
		{JSON, `{"\u0065":"v","e":"w","":"x","h":"","i":[1],"j":{"e":"y"}}`, "e=w "},
		{JSON, many + `}`, want},
		{JSON, many + `,"e7":null}`, strings.Replace(want, "e7=v ", "", 1)},
		{JSON, `"[{\"id\":\"e\",\"variant\":\"v\"}]"`, ""},
		{JSON, `3`, ""},
		{JSON, `null`, ""},
		{JSON, `[]`, ""},
		{JSON, `{}`, ""},
		{Query, `%5B%7B%22id%22%3A%22e%22%2C%22variant%22%3A%22v%22%7D%5D`, "e=v "},
		{Query, ` {"e":"v"} `, "e=v "},
		{Query, `{"e":"v"}x`, ""},
		{Query, `e`, ""},
		{Query, `"e"`, ""},
		{Query, ``, ""},
	} {
		raw := `{"exp":` + c.exp + `}`
		if c.format == Query {
			raw = "exp=" + c.exp
		}
		r, cause := decode(t, &Source{Format: c.format, Assignments: path("exp")}, raw, "exp.0.id")
		got := ""
		for _, a := range r.Assignments {
			got += string(a.Experiment) + "=" + string(a.Variant) + " "
		}
		if got != c.want || cause != "" {
			t.Errorf("%s: %q (%s), want %q", raw, got, cause, c.want)
		}
	}
	p, b := projection(t, &Source{Format: JSON, Assignments: path("exp")})
	for range 2 { // the second beacon knows nothing of the first
		row, _ := b.Add(p, []byte(`{"exp":`+many+`}}`))
		if n := len(b.Row(row).Assignments); n != 100 {
			t.Errorf("beacon %d has %d assignments", row, n)
		}
	}
	r, _ := decode(t, &Source{Format: Query, Assignments: path("bla.exp")}, `bla={"exp":{"e":"v"}}`)
	if len(r.Assignments) != 1 {
		t.Errorf("assignments inside a query value: %v", r.Assignments)
	}
}

func TestLogical(t *testing.T) {
	src := &Source{Format: JSON, Time: path("day", "clock"), Tenant: path("t"), Session: path("a", "b", "c"), ID: path("id")}
	r, _ := decode(t, src, `{"t":5,"b":"x","id":false,"day":"2020"}`)
	if string(r.Tenant) != "5" || string(r.Session) != "|x|" || string(r.ID) != "false" || r.HasTime {
		t.Errorf("got %q %q %q %v", r.Tenant, r.Session, r.ID, r.HasTime)
	}
	r, _ = decode(t, src, `{"a":null,"b":"","c":{}}`)
	if len(r.Session) > 0 || len(r.Tenant) > 0 || len(r.ID) > 0 {
		t.Errorf("absent fields are %q %q %q", r.Session, r.Tenant, r.ID)
	}
	r, _ = decode(t, &Source{Format: JSON, Time: Locator{Const: "2020-01-01T00:00:00Z", IsConst: true}}, `{}`)
	if !r.HasTime || r.Time != 1577836800000 {
		t.Errorf("constant time: %v %v", r.Time, r.HasTime)
	}
}

func TestProjectionRefuses(t *testing.T) {
	for _, src := range []*Source{
		{Name: "s", Format: "xml"},
		{Name: "s", Format: JSON, Assignments: path("a", "b")},
		{Name: "s", Format: JSON, Assignments: Locator{Const: "x", IsConst: true}},
	} {
		if _, err := NewProjection(src, NewFields()); err == nil || !strings.Contains(err.Error(), `"s"`) {
			t.Errorf("%+v: %v", src, err)
		}
	}
}

func TestFields(t *testing.T) {
	f := NewFields("b", "a", "b", "$time")
	if !slices.Equal(f.Names(), []string{"b", "a", "$time"}) || f.Index("a") != 1 || f.Index("c") != -1 {
		t.Errorf("got %v", f.Names())
	}
}
