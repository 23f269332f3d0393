package config

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Map holds named values in the order of the file.
type Map[T any] []Named[T]

// Named is one value of a Map.
type Named[T any] struct {
	Name  string
	Value T
}

// Get finds a value by its name; nil is none.
func (m Map[T]) Get(name string) *T {
	for i := range m {
		if m[i].Name == name {
			return &m[i].Value
		}
	}
	return nil
}

// Names are the names, in order.
func (m Map[T]) Names() []string {
	names := make([]string, len(m))
	for i := range m {
		names[i] = m[i].Name
	}
	return names
}

// All goes through the values in order.
func (m Map[T]) All() iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for i := range m {
			if !yield(m[i].Name, &m[i].Value) {
				return
			}
		}
	}
}

func (m *Map[T]) decode(d *decoder, n *node, at keyPath) {
	if !d.want(mapping, n, at) {
		return
	}
	for _, e := range n.entries {
		here := at.to(e.key)
		d.at[here.id()] = place{key: e.pos, value: e.value.pos}
		m.add(d, e, here)
	}
}

// add decodes one named value. Of an empty one, a struct is all defaults.
func (m *Map[T]) add(d *decoder, e entry, here keyPath) {
	if why := badName(e.key); why != "" {
		d.faultAt(e.pos, here[:len(here)-1], "%s", why)
	}
	*m = append(*m, Named[T]{Name: e.key})
	v := reflect.ValueOf(&(*m)[len(*m)-1].Value).Elem()
	d.defaults(v)
	n := e.value
	if n.kind == null {
		if v.Kind() != reflect.Struct || isDecodable(v) {
			d.faultAt(n.pos, here, "a value is missing")
			return
		}
		n = &node{kind: mapping, pos: n.pos, file: n.file}
	}
	d.value(v, n, here, "")
}

func isDecodable(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(decodable)
	return ok
}

// element is the type of a Map's values, for the reference.
func (Map[T]) element() reflect.Type { return reflect.TypeFor[T]() }

// Free is a value whose form somebody else decides, as JSON; nil where none is
// given.
type Free json.RawMessage

func (f *Free) decode(d *decoder, n *node, at keyPath) { *f = d.json(nil, n, at) }

// json appends a value as compact JSON, the order of keys kept.
func (d *decoder) json(dst []byte, n *node, at keyPath) []byte {
	switch n.kind {
	case mapping:
		dst = append(dst, '{')
		for i, e := range n.entries {
			here := at.to(e.key)
			d.at[here.id()] = place{key: e.pos, value: e.value.pos}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSONString(dst, e.key), ':')
			dst = d.json(dst, e.value, here)
		}
		return append(dst, '}')
	case sequence:
		dst = append(dst, '[')
		for i, item := range n.items {
			here := at.to(strconv.Itoa(i))
			d.at[here.id()] = place{key: item.pos, value: item.pos}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = d.json(dst, item, here)
		}
		return append(dst, ']')
	case null:
		return append(dst, "null"...)
	}
	text, _ := d.expand(n, at, false)
	switch n.tag {
	case "!!bool":
		return strconv.AppendBool(dst, strings.EqualFold(text, "true"))
	case "!!int", "!!float":
		return d.number(dst, text, n, at)
	}
	return appendJSONString(dst, text)
}

// number appends a YAML number as JSON writes it.
func (d *decoder) number(dst []byte, text string, n *node, at keyPath) []byte {
	if json.Valid([]byte(text)) { // as written, so that no digit is lost
		return append(dst, text...)
	}
	if i, err := strconv.ParseInt(text, 0, 64); err == nil {
		return strconv.AppendInt(dst, i, 10)
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		d.faultAt(n.pos, at, "%s is no number that JSON can hold; put quotes around it if it is text", text)
		return append(dst, '0')
	}
	number, _ := json.Marshal(v) // finite: it can not fail
	return append(dst, number...)
}

// appendJSONString quotes a string so that YAML reads it too.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r >= 0x7F && r < 0xA0 || r == 0x2028 || r == 0x2029 || r == 0xFEFF || r >= 0xE000 && r < 0xF900 || r == 0xFFFE || r == 0xFFFF:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
