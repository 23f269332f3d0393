package definition

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestTimes goes along the fine print of times.
func TestTimes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "1.999": 1, "1e3": 1000, "1E+0003": 1000, "1500e-0003": 1, "0e99999999999999999999": 0, "1e-99999999999999999999": 0,
		"253402300799999": 253402300799999, "253402300800000": -1, "1e99999999999999999999": -1, "-1": -1, "-0.5": -1, "01": -1, " 1": -1, "": -1,
		"1970-01-01T00:00:01Z": 1000, "1970-01-01t00:00:01.0019z": 1001, "1970-01-01T01:00:00+01:00": 0, "1969-12-31T23:59:00-00:01": 0,
		"1970-01-01T0:00:00Z": -1, "1970-01-01T00:00:00,5Z": -1, "1970-01-01 00:00:00Z": -1, "1970-01-01T00:00:60Z": -1, "1970-02-29T00:00:00Z": -1,
		"1972-02-29T00:00:00+24:00": -1, "1970-01-01T00:00:00.Z": -1, "1970-01-01T00:00:00": -1, "0000-01-01T00:00:00Z": -1, "9999-12-31T23:59:59-00:01": -1,
		"01/Jan/1970:00:00:01 +0000": 1000, "01/Jan/1970:01:00:00 +0100": 0, "1/Jan/1970:00:00:01 +0000": -1, "01/jan/1970:00:00:01 +0000": -1,
		"01/Jan/1970:00:00:01  +0000": -1, "31/Apr/1970:00:00:01 +0000": -1,
	} {
		ms, ok := parseTime(text)
		if !ok {
			ms = -1
		}
		if ms != want {
			t.Errorf("%q: %d, want %d", text, ms, want)
		}
	}
	for _, v := range []any{nil, Null{}, true, []any{}, map[string]any{}} {
		if ms, ok := parseTime(v); ok {
			t.Errorf("%v: %d", v, ms)
		}
	}
}

// TestFinePrint goes along what decoding leaves and what it refuses.
func TestFinePrint(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	const line = `1.2.3.4 - u [t] "GET /?a=1 HTTP/1.1" 200 -`
	for _, c := range []struct{ format, raw, path, want string }{
		{"json", `{"a":` + deep(127) + `}`, "a.0", "array"},
		{"json", `{"a":` + deep(128) + `}`, "", "too deep"},
		{"json", `{} ` + deep(200), "", "not JSON"},
		{"json", `{"a":1,` + deep(200), "", "not JSON"},
		{"json", `{"a":1e400}`, "a", "1e400"},
		{"json", `{"a":null}`, "a", "null"},
		{"json", `{"a":null}`, "b", ""},
		{"json", `{"a":{"b":1},"a":{"c":2}}`, "a.b", ""},
		{"query", `a={"b":[1,2]}&a=x`, "a.b.1", "2"},
		{"query", `a={"b":[1,2]}x`, "a.b.1", ""},
		{"query", `a&b=+%2B`, "b", " +"},
		{"query", `b=%C3%A9%`, "", "bad escape"},
		{"clf", line, "path", "/?a=1"},
		{"clf", line, "bytes", ""},
		{"clf", line + ` "" "{}"`, "referer", "empty"},
		{"clf", line + ` "" "[1]"`, "agent.0", ""},
		{"clf", `1 - u [t] "GET  /" 200 1`, "method", ""},
		{"clf", line + " ", "", "not CLF"},
	} {
		b, cause := Decode(Source{Format: c.format}, []byte(c.raw))
		got := cause
		if cause == "" {
			switch v := b.Field(c.path).V.(type) {
			case Null:
				got = "null"
			case []any:
				got = "array"
			case Untyped:
				if got = string(v); got == "" {
					got = "empty"
				}
			case json.Number:
				got = v.String()
			}
		}
		if got != c.want {
			t.Errorf("%s %.60q, %s: %q, want %q", c.format, c.raw, c.path, got, c.want)
		}
	}
}
