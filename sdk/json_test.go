package sdk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"
)

// The JSON readers of the SDKs read what encoding/json reads: any nesting, white
// space and escapes.
func TestJSON(t *testing.T) {
	for _, l := range languages {
		if l.build != nil {
			t.Run(l.name, func(t *testing.T) { testJSON(t, compile(t, l.build(t, "json"))) })
		}
	}
}

func testJSON(t *testing.T, m *module) {
	for _, config := range []string{
		`{}`, `{"a": []}`, `{"a":{"b":{"c":[[],{},[{}]]}}}`,
		"{\n\t\"n\" : [ 1 ,\t-2.5\t,\r\n3e2 ] , \"t\":true\t, \"f\" : false\n,\"x\":null }",
		`{"brackets in strings": "}]\"\\", "x\\": "\\\"{["}`,
		`{"a\"\u00e9": {"b": "found \u00e9\ud83d\ude00\/\b\f\n\r\t"}}`,
		`{"a\"é": {"b": "first"}, "a\"\u00E9": {"b": "the last counts"}}`,
		`{"a\"é": ["an array has no keys", "b"], "b": "found"}`,
		`{"half": "\ud800", "other": "\udc00x", "two": "\ud800\ud800", "then": "\ud83dx", "pair after": "\ud800\ud83d\ude00"}`,
		`{"deep": ` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`,
	} {
		if err := tryJSON(m, config, "a \"file\"\n\x01"); err != nil {
			t.Errorf("%s: %v", config, err)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		config := drawObject(r, 3)
		if err := tryJSON(m, config, rapid.String().Draw(r, "file")); err != nil {
			r.Fatalf("%s: %v", config, err)
		}
	})
}

func tryJSON(m *module, config, file string) error {
	d, text, err := m.start(config, map[string]string{"whole": file})
	if refused, ok := strings.CutPrefix(fmt.Sprint(err), "code 2: "); ok {
		text = refused // a plan that is none cannot be written with every SDK
	} else if err != nil {
		return err
	}
	defer d.mod.Close(context.Background())
	var got []any
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) != 3 {
		return fmt.Errorf("it writes %q: %w", text, err)
	}
	var want any
	if err := decode(config, &want); err != nil {
		return err
	}
	if err := sameJSON(got[0], want); err != nil {
		return err
	}
	if got[1] != file {
		return fmt.Errorf("data file %q, it is %q", got[1], file)
	}
	found, _ := want.(map[string]any)["a\"é"].(map[string]any)
	b, _ := found["b"].(string)
	if fmt.Sprint(got[2]) != "["+b+"]" {
		return fmt.Errorf("found %q, it is %q", got[2], b)
	}
	return nil
}

func decode(text string, into *any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// sameJSON compares what the guest wrote, numbers as strings, with what it was given.
func sameJSON(got, want any) error {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return fmt.Errorf("%v is %v", got, want)
		}
		for k, v := range want {
			if err := sameJSON(g[k], v); err != nil {
				return fmt.Errorf("%q: %w", k, err)
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return fmt.Errorf("%v is %v", got, want)
		}
		for i, v := range want {
			if err := sameJSON(g[i], v); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	case json.Number:
		return sameNumber(got, string(want))
	}
	if got != want {
		return fmt.Errorf("%q is %q", got, want)
	}
	return nil
}

// sameNumber wants the nearest double of up to 15 digits and small exponents, and
// close ones of others.
func sameNumber(got any, want string) error {
	s, _ := got.(string)
	text, hex, _ := strings.Cut(s, " ")
	bits, err := strconv.ParseUint(hex, 16, 64)
	if err != nil || text != want {
		return fmt.Errorf("%q is the number %s", got, want)
	}
	n := math.Float64frombits(bits)
	f, err := strconv.ParseFloat(want, 64)
	if err != nil && !math.IsInf(f, 0) {
		return err
	}
	digits, exponent, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(want, "-")), "e")
	e := 0
	if exponent != "" {
		if e, err = strconv.Atoi(exponent); err != nil {
			return err
		}
	}
	_, fraction, _ := strings.Cut(digits, ".")
	if e -= len(fraction); len(strings.Replace(digits, ".", "", 1)) <= 15 && -22 <= e && e <= 22 {
		if bits != math.Float64bits(f) {
			return fmt.Errorf("%s is read as %v", want, n)
		}
		return nil
	}
	if n == f || math.Abs(n-f) <= math.Abs(f)*1e-14 || math.Abs(f) < 1e-300 && math.Abs(n) < 1e-300 || math.Abs(f) > 1e300 && math.Abs(n) > 1e300 {
		return nil
	}
	return fmt.Errorf("%s is read as %v", want, n)
}

func space(r *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", " ", "\t", "\n", "\r\n  "}).Draw(r, "space")
}

func drawObject(r *rapid.T, depth int) string {
	var members []string
	keys := map[string]bool{}
	for range rapid.IntRange(0, 4).Draw(r, "members") {
		key := rapid.SampledFrom([]string{"a\"é", "b", "", "config", "data", "😀", "x\n"}).Draw(r, "key")
		if keys[key] {
			continue // what repeated keys mean is tried elsewhere
		}
		keys[key] = true
		members = append(members, space(r)+drawQuoted(r, key)+space(r)+":"+space(r)+drawValue(r, depth-1)+space(r))
	}
	return "{" + strings.Join(members, ",") + space(r) + "}"
}

func drawValue(r *rapid.T, depth int) string {
	most := 6
	if depth <= 0 {
		most = 4
	}
	switch rapid.IntRange(0, most).Draw(r, "what") {
	case 0:
		return rapid.SampledFrom([]string{"true", "false", "null"}).Draw(r, "word")
	case 1:
		return rapid.SampledFrom([]string{
			"0", "-0", "5", "5.0", "-0.25", "1e2", "1E+2", "12.5e-1", "0.1", "123456789012345", "1e22", "1e-22",
			"9007199254740993", "123456789012345678901234567890", "0.00000000000000000000000000001234", "1e400", "1e-400", "4.9e-324", "1.7976931348623157e308",
		}).Draw(r, "number")
	case 2:
		return strconv.FormatFloat(rapid.Float64().Draw(r, "float"), 'g', -1, 64)
	case 3, 4:
		return drawQuoted(r, rapid.StringN(0, 20, -1).Draw(r, "string"))
	case 5:
		return drawObject(r, depth)
	}
	var elements []string
	for range rapid.IntRange(0, 4).Draw(r, "elements") {
		elements = append(elements, space(r)+drawValue(r, depth-1)+space(r))
	}
	return "[" + strings.Join(elements, ",") + space(r) + "]"
}

// drawQuoted writes a string with escapes of all kinds.
func drawQuoted(r *rapid.T, s string) string {
	var b strings.Builder
	b.WriteByte('"')
	escapes := map[rune]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\n': `\n`, '\t': `\t`, '\r': `\r`, '\b': `\b`, '\f': `\f`}
	for _, c := range s {
		short, special := escapes[c]
		switch how := rapid.IntRange(0, 2).Draw(r, "how"); {
		case how == 0 && special:
			b.WriteString(short)
		case how == 1 || c < ' ' || special && c != '/':
			for _, u := range utf16.Encode([]rune{c}) {
				fmt.Fprintf(&b, rapid.SampledFrom([]string{`\u%04x`, `\u%04X`}).Draw(r, "hex"), u)
			}
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
