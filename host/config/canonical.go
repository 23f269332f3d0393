package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figureKeys are the keys that decide what figures come out.
var figureKeys = []string{"sources", "plugins", "dispatch", "session", "tenants", "lists"}

// hostKeys are the keys that may differ between the hosts of a group: how one
// reaches the brokers and the blob store, and where it keeps what is its own.
var hostKeys = []string{"kafka", "http", "data", "snapshots"}

// JSON is the config in its canonical form: with defaults, included files
// merged in, without secrets (a reference to one stays as it is written). Parse
// reads it, given the directory of the main file. It does not hold what the
// files that it names contain.
func (c *Config) JSON() []byte {
	return c.part(func(string) bool { return true })
}

// Digests tell whether two configs are the same.
type Digests struct {
	Figures string // of what decides the figures: sources, plugins, dispatch, session, tenants, lists
	Rest    string // of what else the hosts of a group share: not kafka, http, data, snapshots
}

// Digests are the SHA-256 of the two parts of JSON. Modules, data files and
// lists count by name and, where given, by digest.
func (c *Config) Digests() Digests {
	sum := func(include func(string) bool) string {
		h := sha256.Sum256(c.part(include))
		return "sha256:" + hex.EncodeToString(h[:])
	}
	figures := func(key string) bool { return slices.Contains(figureKeys, key) }
	return Digests{
		Figures: sum(figures),
		Rest:    sum(func(key string) bool { return !figures(key) && !slices.Contains(hostKeys, key) }),
	}
}

func (c *Config) part(include func(key string) bool) []byte {
	return encodeStruct(nil, reflect.ValueOf(c).Elem(), include)
}

// encodable is a type with a form of its own in JSON.
type encodable interface {
	encode(dst []byte) []byte
}

// encodeStruct leaves out what is zero and has no default: absent and zero are
// the same there.
func encodeStruct(dst []byte, v reflect.Value, include func(key string) bool) []byte {
	dst = append(dst, '{')
	for _, f := range fieldsOf(v.Type()) {
		key, field := f.Tag.Get("key"), v.FieldByIndex(f.Index)
		_, hasDefault := f.Tag.Lookup("default")
		if f.Tag.Get("notyet") != "" || key == "include" || include != nil && !include(key) ||
			field.IsZero() && (!hasDefault || isSpecial(field)) {
			continue
		}
		if s, ok := field.Interface().(Secret); ok && s.ref == "" {
			continue
		}
		if key == "*" {
			dst = encodeEntries(dst, field)
			continue
		}
		dst = append(appendJSONString(comma(dst), key), ':')
		dst = encodeValue(dst, field)
	}
	return append(dst, '}')
}

// isSpecial tells of a type whose zero value is none.
func isSpecial(v reflect.Value) bool {
	_, ok := v.Interface().(encodable)
	_, percent := v.Interface().(Percent) // 0% is one
	return ok && !percent
}

func comma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last != '{' && last != '[' {
		return append(dst, ',')
	}
	return dst
}

// encodeEntries appends the entries of a Map, without its braces.
func encodeEntries(dst []byte, v reflect.Value) []byte {
	for i := range v.Len() {
		e := v.Index(i)
		dst = append(appendJSONString(comma(dst), e.Field(0).String()), ':')
		dst = encodeValue(dst, e.Field(1))
	}
	return dst
}

func encodeValue(dst []byte, v reflect.Value) []byte {
	switch x := v.Interface().(type) {
	case encodable:
		return x.encode(dst)
	case time.Duration:
		return appendJSONString(dst, FormatDuration(x))
	case interface{ element() reflect.Type }:
		return append(encodeEntries(append(dst, '{'), v), '}')
	}
	switch v.Kind() {
	case reflect.Pointer:
		return encodeValue(dst, v.Elem())
	case reflect.Struct:
		return encodeStruct(dst, v, nil)
	case reflect.Slice, reflect.Array:
		dst = append(dst, '[')
		for i := range v.Len() {
			dst = encodeValue(comma(dst), v.Index(i))
		}
		return append(dst, ']')
	case reflect.String:
		return appendText(dst, v.String())
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case reflect.Float64:
		return strconv.AppendFloat(dst, v.Float(), 'g', -1, 64)
	}
	panic(fmt.Sprintf("config: a type that can not be written: %s", v.Type()))
}

// appendText quotes a value in which references mean something.
func appendText(dst []byte, s string) []byte {
	return appendJSONString(dst, strings.ReplaceAll(s, "${", "$${"))
}

func (s Size) encode(dst []byte) []byte    { return appendJSONString(dst, s.String()) }
func (p Percent) encode(dst []byte) []byte { return appendJSONString(dst, p.String()) }
func (t Time) encode(dst []byte) []byte    { return appendJSONString(dst, t.String()) }
func (p Path) encode(dst []byte) []byte    { return appendText(dst, p.given) }
func (u URL) encode(dst []byte) []byte     { return appendText(dst, u.given) }
func (s Secret) encode(dst []byte) []byte  { return appendJSONString(dst, s.ref) }
func (e Expr) encode(dst []byte) []byte    { return appendJSONString(dst, e.Text) }
func (r Range) encode(dst []byte) []byte   { return fmt.Appendf(dst, "[%d,%d]", r.From, r.To) }

func (s Shares) encode(dst []byte) []byte {
	dst = append(dst, '{')
	for _, v := range s {
		dst = append(appendJSONString(comma(dst), v.Name), ':')
		dst = strconv.AppendInt(dst, v.Weight, 10)
	}
	return append(dst, '}')
}

func (l Locator) encode(dst []byte) []byte {
	switch {
	case l.IsConst:
		return append(appendText(append(dst, `{"const":`...), l.Const), '}')
	case len(l.Paths) == 1:
		return appendText(dst, l.Paths[0])
	}
	dst = append(dst, '[')
	for _, p := range l.Paths {
		dst = appendText(comma(dst), p)
	}
	return append(dst, ']')
}

// encode escapes references in the values, not in the keys, which have none.
func (f Free) encode(dst []byte) []byte {
	for i := 0; i < len(f); {
		if f[i] != '"' {
			dst = append(dst, f[i])
			i++
			continue
		}
		end := i + 1
		for f[end] != '"' {
			if f[end] == '\\' {
				end++
			}
			end++
		}
		end++
		text := string(f[i:end])
		if end == len(f) || f[end] != ':' {
			text = strings.ReplaceAll(text, "${", "$${")
		}
		dst = append(dst, text...)
		i = end
	}
	return dst
}
