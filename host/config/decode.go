package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// decoder fills structs from nodes, gathering what is wrong.
type decoder struct {
	*parser
	main *file // defaults are read as if they stood in it
	env  func(string) (string, bool)
	at   positions
	cfg  *Config
}

// decodable is a type with a form of its own in the file. The node is never
// null.
type decodable interface {
	decode(d *decoder, n *node, at keyPath)
}

func (d *decoder) root(c *Config, n *node) {
	d.cfg = c
	d.at[keyPath{}.id()] = place{key: n.pos, value: n.pos}
	v := reflect.ValueOf(c).Elem()
	d.defaults(v)
	d.value(v, n, nil, "")
}

// spec is the tag of a field.
type spec = reflect.StructTag

// faultAt says what is wrong at a place, after the path of keys.
func (d *decoder) faultAt(pos Pos, at keyPath, format string, args ...any) {
	d.fault(pos, "%s", at.saying(format, args...))
}

// value decodes a node into v.
func (d *decoder) value(v reflect.Value, n *node, at keyPath, tag spec) {
	if v.Kind() == reflect.Pointer {
		if n.kind == null {
			n = &node{kind: mapping, pos: n.pos, file: n.file} // "tls:" is "tls: {}"
		}
		v.Set(reflect.New(v.Type().Elem()))
		d.defaults(v.Elem())
		d.value(v.Elem(), n, at, tag)
		return
	}
	if special, ok := v.Addr().Interface().(decodable); ok {
		before := len(d.faults)
		if special.decode(d, n, at); len(d.faults) == before {
			d.bounds(v, n, at, tag)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(v, n, at)
	case reflect.Slice:
		d.list(v, n, at)
	default:
		if text, ok := d.text(n, at); ok {
			before := len(d.faults)
			if d.scalar(v, text, n, at, tag); len(d.faults) == before {
				d.bounds(v, n, at, tag)
			}
		}
	}
}

func (d *decoder) structure(v reflect.Value, n *node, at keyPath) {
	if !d.want(mapping, n, at) {
		return
	}
	fields := fieldsOf(v.Type())
	for _, e := range n.entries {
		f, known := fields.find(e.key)
		here := at.to(e.key)
		d.at[here.id()] = place{e.pos, e.value.pos, e.value.kind == null}
		switch {
		case !known:
			d.faultAt(e.pos, at, "unknown key %q%s", e.key, suggest(e.key, fields.keys()))
		case f.Tag.Get("key") == "*":
			if e.value.kind != null {
				v.FieldByIndex(f.Index).Addr().Interface().(interface {
					add(*decoder, entry, keyPath)
				}).add(d, e, here)
			}
		case f.Tag.Get("notyet") != "":
			d.fault(e.pos, "%s: not yet: %s", here, f.Tag.Get("notyet"))
		case e.value.kind == null && f.Type.Kind() != reflect.Pointer:
		default:
			d.value(v.FieldByIndex(f.Index), e.value, here, f.Tag)
		}
	}
	for _, f := range fields {
		key := f.Tag.Get("key")
		if f.Tag.Get("required") == "" {
			continue
		}
		if e := n.get(key); e == nil || e.value.kind == null {
			pos := d.at.find(at).key
			if e != nil {
				pos = e.pos
			}
			d.faultAt(pos, at, "%s is missing", key)
		}
	}
}

func (d *decoder) list(v reflect.Value, n *node, at keyPath) {
	if !d.want(sequence, n, at) {
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		here := at.to(strconv.Itoa(i))
		d.at[here.id()] = place{key: item.pos, value: item.pos}
		if item.kind == null {
			d.fault(item.pos, "%s: the element is empty", here)
			continue
		}
		d.defaults(list.Index(i))
		d.value(list.Index(i), item, here, "")
	}
	v.Set(list)
}

// want checks the kind of a node.
func (d *decoder) want(k kind, n *node, at keyPath) bool {
	if n.kind != k {
		d.faultAt(n.pos, at, "%s is wanted, not %s", k, n.kind)
	}
	return n.kind == k
}

// text is a scalar's text with its references resolved.
func (d *decoder) text(n *node, at keyPath) (string, bool) {
	if !d.want(scalar, n, at) {
		return "", false
	}
	return d.expand(n, at, false)
}

func (d *decoder) scalar(v reflect.Value, text string, n *node, at keyPath, tag spec) {
	switch v.Interface().(type) {
	case time.Duration:
		span, err := ParseDuration(text)
		if err != nil {
			d.faultAt(n.pos, at, "%v", err)
		}
		v.SetInt(int64(span))
		return
	case bool:
		if text != "true" && text != "false" {
			d.faultAt(n.pos, at, "%q is neither true nor false", text)
		}
		v.SetBool(text == "true")
		return
	}
	switch v.Kind() {
	case reflect.String:
		d.word(v, text, n, at, tag)
	case reflect.Int, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			d.faultAt(n.pos, at, "%q is no whole number", text)
			return
		}
		v.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			d.faultAt(n.pos, at, "%q is no number", text)
			return
		}
		v.SetFloat(f)
	default:
		panic(fmt.Sprintf("config: %s has a type that can not be read: %s", at, v.Type()))
	}
}

func (d *decoder) word(v reflect.Value, text string, n *node, at keyPath, tag spec) {
	if words := tag.Get("enum"); words != "" {
		list := strings.Split(words, "|")
		for _, w := range list {
			if w == text {
				v.SetString(text)
				return
			}
		}
		d.faultAt(n.pos, at, "%q is not %s%s", text, oneOf(list), didYouMean(text, list))
		return
	}
	if i := strings.IndexFunc(text, isControl); i >= 0 && !strings.ContainsAny(text[i:i+1], "\n\t") {
		d.faultAt(n.pos, at, "a control character has no place in %q", text)
		return
	}
	v.SetString(text)
}

// bounds checks a number against the field's min and max, which are written as
// the file would.
func (d *decoder) bounds(v reflect.Value, n *node, at keyPath, tag spec) {
	if !v.CanInt() {
		return
	}
	for _, side := range []string{"min", "max"} {
		text := tag.Get(side)
		if text == "" {
			continue
		}
		limit := reflect.New(v.Type()).Elem()
		d.value(limit, &node{kind: scalar, text: text, file: d.main}, at, "")
		switch {
		case side == "min" && v.Int() < limit.Int():
			d.faultAt(n.pos, at, "%s is too small; the least is %s", n.text, text)
		case side == "max" && v.Int() > limit.Int():
			d.faultAt(n.pos, at, "%s is too large; the most is %s", n.text, text)
		}
	}
}

// defaults fills a struct with the defaults of its fields.
func (d *decoder) defaults(v reflect.Value) {
	if v.Kind() != reflect.Struct || !v.CanAddr() {
		return
	}
	if _, special := v.Addr().Interface().(decodable); special {
		return
	}
	quiet := &decoder{parser: &parser{}, main: d.main, env: d.env, at: positions{}, cfg: &Config{}}
	for _, f := range fieldsOf(v.Type()) {
		field := v.FieldByIndex(f.Index)
		d.defaults(field)
		if text, ok := f.Tag.Lookup("default"); ok {
			n := quiet.parse(&file{name: "default", dir: d.main.dir, text: []byte(text)})
			quiet.value(field, n, keyPath{f.Tag.Get("key")}, f.Tag)
		}
	}
	if len(quiet.faults) > 0 {
		panic(fmt.Sprintf("config: defaults of %s: %v", v.Type(), quiet.faults))
	}
}

type fields []reflect.StructField

// fieldsOf are the fields of a struct that stand in the file, those of structs that it
// embeds among them.
func fieldsOf(t reflect.Type) (list fields) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			for _, own := range fieldsOf(f.Type) {
				own.Index = append([]int{i}, own.Index...)
				list = append(list, own)
			}
		}
		if f.Tag.Get("key") != "" {
			list = append(list, f)
		}
	}
	return list
}

func (list fields) find(key string) (reflect.StructField, bool) {
	var rest *reflect.StructField
	for i, f := range list {
		switch f.Tag.Get("key") {
		case key:
			return f, true
		case "*":
			rest = &list[i]
		}
	}
	if rest != nil {
		return *rest, true
	}
	return reflect.StructField{}, false
}

func (list fields) keys() (keys []string) {
	for _, f := range list {
		keys = append(keys, f.Tag.Get("key"))
	}
	return keys
}
