package beacon

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/abi"
)

// The reference decoder: semantics in the plainest form, slow, by the standard
// library where that knows them.

// refValue is a value at a path; its text is a string so that values compare.
type refValue struct {
	Kind abi.ValueKind
	Text string
}

// refRow is a Row in comparable form.
type refRow struct {
	Cause                Cause
	Time                 int64
	HasTime              bool
	Tenant, Session, ID  string
	Assignments          []string // experiment=variant; of an object sorted
	Values               []refValue
	assignmentsAreSorted bool
}

var refNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func refDecode(src *Source, fields []string, raw []byte) refRow {
	r := refRow{Values: make([]refValue, len(fields))}
	doc, cause := refRead(src.Format, raw)
	if cause != "" {
		r.Cause = cause
		if len(src.Tenant.Paths) == 0 {
			r.Tenant = src.Tenant.Const
		}
		return r
	}
	r.Tenant, r.Session, r.ID = refLocate(doc, src.Tenant), refLocate(doc, src.Session), refLocate(doc, src.ID)
	when := refValue{abi.String, refLocate(doc, src.Time)}
	if len(src.Time.Paths) == 1 {
		when = doc.at(src.Time.Paths[0])
	}
	r.Time, r.HasTime = refTime(when)
	if len(src.Assignments.Paths) == 1 {
		r.Assignments, r.assignmentsAreSorted = refAssignments(doc.at(src.Assignments.Paths[0]), src.Format)
	}
	for i, name := range fields {
		r.Values[i] = refField(src, doc, &r, name)
	}
	return r
}

func refField(src *Source, doc refDoc, r *refRow, name string) refValue {
	some := func(kind abi.ValueKind, text string) refValue {
		if text == "" {
			return refValue{}
		}
		return refValue{kind, text}
	}
	switch name {
	case "$time":
		if !r.HasTime {
			return refValue{}
		}
		return refValue{abi.Number, strconv.FormatInt(r.Time, 10)}
	case "$tenant":
		return some(abi.String, r.Tenant)
	case "$session":
		return some(abi.String, r.Session)
	case "$source":
		return some(abi.String, src.Name)
	}
	if path, ok := strings.CutPrefix(name, Path("")); ok {
		return doc.at(path)
	}
	if l, ok := src.Names[name]; ok {
		if len(l.Paths) == 1 {
			return doc.at(l.Paths[0])
		}
		return some(abi.String, refLocate(doc, l))
	}
	return doc.at(name)
}

func refLocate(doc refDoc, l Locator) string {
	if len(l.Paths) == 0 {
		return l.Const
	}
	parts := make([]string, len(l.Paths))
	for i, p := range l.Paths {
		parts[i] = doc.at(p).name()
	}
	joined := strings.Join(parts, "|")
	if strings.Trim(joined, "|") == "" && strings.Join(parts, "") == "" {
		return ""
	}
	return joined
}

// name is the text of a value that may name something.
func (v refValue) name() string {
	switch v.Kind {
	case abi.Missing, abi.Null, abi.Array, abi.Object:
		return ""
	}
	return v.Text
}

// refDoc is a beacon that was read: JSON, or flat text by key.
type refDoc struct {
	json    json.RawMessage
	flat    map[string]string
	entered bool // values of flat may be JSON
}

func (d refDoc) at(path string) refValue {
	parts := strings.Split(path, ".")
	raw := d.json
	if d.flat != nil {
		text, ok := d.flat[parts[0]]
		switch {
		case !ok:
			return refValue{}
		case len(parts) == 1:
			return refValue{abi.Untyped, text}
		case !d.entered:
			return refValue{}
		}
		var cause Cause
		if raw, cause = refJSON([]byte(text)); cause != "" {
			return refValue{}
		}
		parts = parts[1:]
	}
	for _, part := range parts {
		switch raw[0] {
		case '{':
			var m map[string]json.RawMessage
			must(json.Unmarshal(raw, &m))
			raw = m[part]
		case '[':
			var a []json.RawMessage
			must(json.Unmarshal(raw, &a))
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(a) || strconv.Itoa(i) != part {
				return refValue{}
			}
			raw = a[i]
		default:
			return refValue{}
		}
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			return refValue{}
		}
	}
	return refOf(raw)
}

func refOf(raw json.RawMessage) refValue {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	must(d.Decode(&v))
	switch v := v.(type) {
	case nil:
		return refValue{Kind: abi.Null}
	case bool:
		if v {
			return refValue{abi.True, "true"}
		}
		return refValue{abi.False, "false"}
	case json.Number:
		return refValue{abi.Number, v.String()}
	case string:
		return refValue{abi.String, v}
	case []any:
		return refValue{abi.Array, string(raw)}
	}
	return refValue{abi.Object, string(raw)}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func refRead(format Format, raw []byte) (refDoc, Cause) {
	switch {
	case len(raw) > 1048576:
		return refDoc{}, TooLarge
	case !utf8.Valid(raw):
		return refDoc{}, NotUTF8
	case format == JSON:
		text, cause := refJSON(raw)
		if cause == "" && text[0] != '{' {
			cause = NotObject
		}
		return refDoc{json: text}, cause
	case format == Query:
		flat, cause := refQuery(string(raw))
		return refDoc{flat: flat, entered: true}, cause
	}
	flat, cause := refCLF(string(raw))
	return refDoc{flat: flat}, cause
}

// refJSON checks a whole text and gives it without the white space around it.
func refJSON(raw []byte) (json.RawMessage, Cause) {
	d := json.NewDecoder(bytes.NewReader(raw))
	depth := 0
	for {
		t, err := d.Token()
		if err != nil {
			break
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > 128 {
			return nil, TooDeep
		}
		if depth == 0 {
			break
		}
	}
	if !json.Valid(raw) {
		return nil, NotJSON
	}
	return bytes.Trim(raw, " \t\r\n"), ""
}

func refQuery(raw string) (map[string]string, Cause) {
	flat := map[string]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, ok := refUnescape(key)
		if !ok {
			return nil, BadEscape
		}
		if value, ok = refUnescape(value); !ok {
			return nil, BadEscape
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, NotUTF8
		}
		if _, there := flat[key]; !there {
			flat[key] = value
		}
	}
	return flat, ""
}

var refEscape = regexp.MustCompile(`%[0-9a-fA-F]{2}|%|\+`)

func refUnescape(s string) (string, bool) {
	ok := true
	return refEscape.ReplaceAllStringFunc(s, func(e string) string {
		switch {
		case e == "+":
			return " "
		case e == "%":
			ok = false
			return ""
		}
		n, err := strconv.ParseUint(e[1:], 16, 8)
		must(err)
		return string([]byte{byte(n)})
	}), ok
}

var refLine = regexp.MustCompile(`^([^ \t\n\f\r]+) [^ \t\n\f\r]+ ([^ \t\n\f\r]+) \[([^\]]*)\] "((?:[^"\\]|\\.)*)" ([^ \t\n\f\r]+) ([^ \t\n\f\r]+)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?$`)

func refCLF(raw string) (map[string]string, Cause) {
	m := refLine.FindStringSubmatchIndex(raw)
	if m == nil {
		return nil, NotCLF
	}
	flat := map[string]string{}
	set := func(name, text string) {
		if text != "-" {
			flat[name] = text
		}
	}
	for i, name := range []string{1: "remote", 2: "user", 3: "time", 5: "status", 6: "bytes", 7: "referer", 8: "agent"} {
		if name != "" && m[2*i] >= 0 {
			set(name, raw[m[2*i]:m[2*i+1]])
		}
	}
	words := strings.Split(raw[m[8]:m[9]], " ")
	if len(words) == 3 && !slices.Contains(words, "") {
		set("method", words[0])
		set("path", words[1])
		set("proto", words[2])
	}
	return flat, ""
}

func refAssignments(v refValue, format Format) (all []string, sorted bool) {
	raw := json.RawMessage(v.Text)
	switch {
	case v.Kind == abi.Untyped && format == Query:
		var cause Cause
		if raw, cause = refJSON(raw); cause != "" {
			return nil, false
		}
	case v.Kind != abi.Array && v.Kind != abi.Object:
		return nil, false
	}
	doc := refDoc{json: raw}
	switch raw[0] {
	case '[':
		var entries []json.RawMessage
		must(json.Unmarshal(raw, &entries))
		for _, e := range entries {
			if e = bytes.TrimSpace(e); e[0] != '{' {
				continue
			}
			doc.json = e
			if id, variant := doc.at("id").name(), doc.at("variant").name(); id != "" && variant != "" {
				all = append(all, id+"="+variant)
			}
		}
	case '{':
		var members map[string]json.RawMessage
		must(json.Unmarshal(raw, &members))
		for id, variant := range members {
			if text := refOf(variant).name(); id != "" && text != "" {
				all = append(all, id+"="+text)
			}
		}
		slices.Sort(all)
		return all, true
	}
	return all, false
}
