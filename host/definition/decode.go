package definition

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Source says how raw bytes become a beacon.
type Source struct {
	Format                                 string // json, query, clf
	Time, Tenant, Session, ID, Assignments Locator
	Names                                  map[string]Locator
}

// Locator is a path, several joined with "|", or a constant (no paths).
type Locator struct {
	Paths []string
	Const string
}

// Beacon is one decoded beacon. An absent logical field is empty.
type Beacon struct {
	Line                Line
	Time                int64
	HasTime             bool
	Tenant, Session, ID string
	Assignments         [][2]string // experiment, variant
	source              Source
	root                any // map[string]any of JSON values; text of query and clf is untyped
}

// Value is what a beacon has at a path: nil, Null, bool, json.Number, string, Untyped, []any or map[string]any.
type Value struct{ V any }

// Null is JSON's null; nil is no value at all.
type Null struct{}

// Untyped is a value of a query or clf beacon.
type Untyped string

// Field gives what a plugin or rule sees at name: a further name of the source, or a path.
func (b Beacon) Field(name string) Value {
	if l, ok := b.source.Names[name]; ok {
		if len(l.Paths) == 1 {
			return b.path(l.Paths[0])
		}
		if s := b.locate(l); s != "" {
			return Value{s}
		}
		return Value{}
	}
	return b.path(name)
}

// Text is the text of a string, number or bool, else "".
func (v Value) Text() string {
	switch x := v.V.(type) {
	case string:
		return x
	case Untyped:
		return string(x)
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	}
	return ""
}

func (v Value) label() string { return v.Text() }

// Number is the value as a number.
func (v Value) Number() (float64, bool) {
	text := ""
	switch x := v.V.(type) {
	case json.Number:
		text = x.String()
	case Untyped:
		text = string(x)
	}
	if !jsonNumber.MatchString(text) {
		return 0, false
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f, true
}

// Is tells whether the value is this string.
func (v Value) Is(s string) bool {
	switch x := v.V.(type) {
	case string:
		return x == s
	case Untyped:
		return string(x) == s
	}
	return false
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func (b Beacon) path(path string) Value {
	at := b.root
	for part := range strings.SplitSeq(path, ".") {
		if s, ok := at.(Untyped); ok && b.source.Format == "query" { // JSON inside a value
			inner, cause := decodeJSON([]byte(s))
			if cause != "" {
				return Value{}
			}
			at = inner
		}
		switch x := at.(type) {
		case map[string]any:
			v, ok := x[part]
			if !ok {
				return Value{}
			}
			at = v
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(x) || strconv.Itoa(i) != part {
				return Value{}
			}
			at = x[i]
		default:
			return Value{}
		}
	}
	if at == nil {
		at = Null{}
	}
	return Value{at}
}

func (b Beacon) locate(l Locator) string {
	if len(l.Paths) == 0 {
		return l.Const
	}
	parts, any := make([]string, len(l.Paths)), false
	for i, p := range l.Paths {
		parts[i] = b.path(p).label()
		any = any || parts[i] != ""
	}
	if !any {
		return ""
	}
	return strings.Join(parts, "|")
}

// Decode turns raw bytes into a beacon, or says why it cannot. A constant
// tenant is known even then.
func Decode(src Source, raw []byte) (Beacon, string) {
	b := Beacon{source: src}
	if len(src.Tenant.Paths) == 0 {
		b.Tenant = src.Tenant.Const
	}
	var cause string
	switch {
	case len(raw) > 1<<20:
		cause = "too large"
	case !utf8.Valid(raw):
		cause = "not UTF-8"
	case src.Format == "json":
		b.root, cause = decodeJSON(raw)
		if _, object := b.root.(map[string]any); cause == "" && !object {
			cause = "not an object"
		}
	case src.Format == "query":
		b.root, cause = decodeQuery(string(raw))
	default:
		b.root, cause = decodeCLF(string(raw))
	}
	if cause != "" {
		return b, cause
	}
	b.Tenant, b.Session, b.ID = b.locate(src.Tenant), b.locate(src.Session), b.locate(src.ID)
	if len(src.Time.Paths) == 1 {
		b.Time, b.HasTime = parseTime(b.path(src.Time.Paths[0]).V)
	} else {
		b.Time, b.HasTime = parseTime(b.locate(src.Time))
	}
	if len(src.Assignments.Paths) == 1 {
		v := b.path(src.Assignments.Paths[0]).V
		if s, ok := v.(Untyped); ok && src.Format == "query" {
			v, _ = decodeJSON([]byte(s))
		}
		b.Assignments = assignments(v)
	}
	return b, ""
}

func assignments(v any) (all [][2]string) {
	add := func(id, variant any) {
		e, v := Value{id}.label(), Value{variant}.label()
		if e != "" && v != "" {
			all = append(all, [2]string{e, v})
		}
	}
	switch x := v.(type) {
	case []any:
		for _, entry := range x {
			if m, ok := entry.(map[string]any); ok {
				add(m["id"], m["variant"])
			}
		}
	case map[string]any:
		for id, variant := range x {
			add(id, variant)
		}
	}
	return all
}

// decodeJSON reads one JSON text. The first fault in the order of the bytes is
// the cause, so depth is looked at up to the end of the first value only.
func decodeJSON(raw []byte) (any, string) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return nil, "not JSON"
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > 128 {
				return nil, "too deep"
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return wholeJSON(raw)
		}
	}
}

func wholeJSON(raw []byte) (any, string) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, "not JSON"
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, "not JSON"
	}
	return v, ""
}

func decodeQuery(raw string) (any, string) {
	m := map[string]any{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		k, ok1 := unescape(key)
		v, ok2 := unescape(value)
		switch {
		case !ok1 || !ok2:
			return nil, "bad escape"
		case !utf8.ValidString(k) || !utf8.ValidString(v):
			return nil, "not UTF-8"
		}
		if _, there := m[k]; !there {
			m[k] = Untyped(v)
		}
	}
	return m, ""
}

func unescape(s string) (string, bool) {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil || s[i+1] == '+' || s[i+1] == '_' {
				return "", false
			}
			out = append(out, byte(n))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), true
}

var clf = regexp.MustCompile(`^(\S+) \S+ (\S+) \[([^\]]*)\] "((?:[^"\\]|\\.)*)" (\S+) (\S+)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?$`)

func decodeCLF(raw string) (any, string) {
	m := clf.FindStringSubmatchIndex(raw)
	if m == nil {
		return nil, "not CLF"
	}
	root := map[string]any{}
	set := func(name, v string) {
		if v != "-" {
			root[name] = Untyped(v)
		}
	}
	for i, name := range []string{1: "remote", 2: "user", 3: "time", 5: "status", 6: "bytes", 7: "referer", 8: "agent"} {
		if name != "" && m[2*i] >= 0 {
			set(name, raw[m[2*i]:m[2*i+1]])
		}
	}
	if words := strings.Split(raw[m[8]:m[9]], " "); len(words) == 3 && words[0] != "" && words[1] != "" && words[2] != "" {
		set("method", words[0])
		set("path", words[1])
		set("proto", words[2])
	}
	return root, ""
}
