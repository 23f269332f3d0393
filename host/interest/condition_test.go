package interest

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
)

func TestConditions(t *testing.T) {
	text := func(texts ...string) (all []Value) {
		for _, s := range texts {
			all = append(all, Value{Text, s})
		}
		return all
	}
	for _, c := range []struct {
		field   string
		values  []Value
		untyped bool
		want    string
	}{
		{"type", text("scroll"), false, `type == "scroll"`},
		{"type", text("scroll", "hover"), false, `type in ["scroll", "hover"]`},
		{"nest.a.b", text(""), false, `nest.a.b == ""`},
		{"exp.0.id", text("x"), false, `exp[0].id == "x"`},
		{"headers.user-agent", text("x"), false, `headers["user-agent"] == "x"`},
		{"a.in", text("x"), false, `a["in"] == "x"`},
		{"a.007", text("x"), false, `a["007"] == "x"`},
		{"type", text("a\"b\\c\n'é\u2028\U0001f600${X}"), false, `type == "a\"b\\c\u000a'é\u2028\U0001f600${X}"`},
		{"n", []Value{{Number, "404"}}, false, `n == 404`},
		{"n", []Value{{Number, "404"}}, true, `n == 404 && !(n >= "")`},
		{"b", []Value{{Boolean, "true"}, {Sort: Null}}, false, `b == true || b == null`},
		{"b", []Value{{Sort: Missing}}, false, `!has(b) && !(b == null)`},
		{"b", append(text("x", "y"), Value{}), false, `b in ["x", "y"] || (!has(b) && !(b == null))`},
		{"extension(path)", text("css"), true, `path.matches("^[^?#]*[.]css([?#]|$)")`},
		{"extension(path)", append(text("css", "js"), Value{}), true,
			`path.matches("^[^?#]*[.](css|js)([?#]|$)") || !path.matches("^[^?#]*[.][0-9A-Za-z]{1,8}([?#]|$)")`},
	} {
		f := ParseField(c.field)
		if f.String() != c.field {
			t.Errorf("%s is read as %s", c.field, f)
		}
		if got := f.condition(c.values, c.untyped); got != c.want {
			t.Errorf("%s of %v:\n got %s\nwant %s", c.field, c.values, got, c.want)
		}
	}
}

// A rule can not name every field.
func TestFieldsWithoutConditions(t *testing.T) {
	for name, want := range map[string]bool{
		"type": true, "_x9.y-z": true, "user-agent": false, "in": false, "9a": false, "": false, "a..b": false, ".a": false, "ä": false, "$source": false,
	} {
		if got := (Field{Name: name}).CanWrite(); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// The extension of an address is what the conditions of extensions say it is.
func TestExtensionIsWhatItsConditionsSay(t *testing.T) {
	anyOne := regexp.MustCompile(anyExtension)
	rapid.Check(t, func(t *rapid.T) {
		address := rapid.StringOfN(rapid.SampledFrom([]rune("aZ0./?#.-é\n")), 0, 14, -1).Draw(t, "address")
		e := string(extension([]byte(address)))
		if anyOne.MatchString(address) != (e != "") {
			t.Fatalf("%q has the extension %q", address, e)
		}
		one := rapid.StringMatching(`[aZ0]{1,3}`).Draw(t, "extension")
		if regexp.MustCompile(extensionBegin+one+extensionEnd).MatchString(address) != (e == one) {
			t.Fatalf("%q has the extension %q, and the condition of %q says otherwise", address, e, one)
		}
	})
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		kind abi.ValueKind
		text string
		want string
	}{
		{abi.Missing, "", "(missing)"}, {abi.Null, "", "null"}, {abi.True, "true", "true"}, {abi.String, "a", `"a"`}, {abi.Untyped, "a", `"a"`},
		{abi.Number, "1.0", "1"}, {abi.Number, "1e0", "1"}, {abi.Number, "-0", "0"}, {abi.Number, "1e999", "(others)"}, {abi.Number, "12345678", "1.2345678e+07"},
		{abi.Array, "[1]", "(others)"}, {abi.Object, "{}", "(others)"}, {abi.String, strings.Repeat("x", MaxText+1), "(others)"},
	} {
		if got := (Field{Name: "f"}).value(&beacon.Value{Kind: c.kind, Text: []byte(c.text)}).String(); got != c.want {
			t.Errorf("%d %s: %s, want %s", c.kind, c.text, got, c.want)
		}
	}
}
