package interest

import (
	"math"
	"strconv"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// Value is what a beacon has in a field, as far as a rule can tell it from others:
// the numbers 1 and 1.0 are one value, and so are all lists and objects.
type Value struct {
	Sort Sort
	Text string // of a Text, Number, Boolean; of an extension
}

// Sort is what a value is.
type Sort uint8

// The sorts. No condition is written for Others: lists and objects, texts that are
// too long to name a kind, numbers beyond float64, and what comes beyond the
// number of values that are told apart. Nor is one for Undecodable: all of a beacon
// that is.
const (
	Missing Sort = iota
	Null
	Boolean
	Number
	Text
	Others
	Undecodable
)

// MaxText is the longest text that names a kind, in bytes.
const MaxText = 128

// String is the value for people, and told apart from all others.
func (v Value) String() string {
	switch v.Sort {
	case Missing:
		return "(missing)"
	case Null:
		return "null"
	case Text:
		return strconv.Quote(v.Text)
	case Others:
		return "(others)"
	case Undecodable:
		return "(not decodable)"
	}
	return v.Text
}

// Field is what kinds are told apart by: a path or further name, or the file
// extension of the path of a web address that stands there.
type Field struct {
	Name      string
	Extension bool
}

const extensionOf = "extension("

// ParseField reads a field as String writes it.
func ParseField(s string) Field {
	if name, ok := strings.CutPrefix(s, extensionOf); ok && strings.HasSuffix(name, ")") {
		return Field{Name: strings.TrimSuffix(name, ")"), Extension: true}
	}
	return Field{Name: s}
}

// String is the field as people write it.
func (f Field) String() string {
	if f.Extension {
		return extensionOf + f.Name + ")"
	}
	return f.Name
}

// value is what a beacon has in the field.
func (f Field) value(v *beacon.Value) Value {
	if f.Extension {
		if v.Kind != abi.String && v.Kind != abi.Untyped {
			return Value{}
		}
		if e := extension(v.Text); len(e) > 0 {
			return Value{Text, string(e)}
		}
		return Value{}
	}
	switch v.Kind {
	case abi.Missing:
		return Value{}
	case abi.Null:
		return Value{Sort: Null}
	case abi.True, abi.False:
		return Value{Boolean, string(v.Text)}
	case abi.Number:
		if x, ok := beacon.ParseNumber(v.Text); ok && !math.IsInf(x, 0) {
			return Value{Number, strconv.FormatFloat(x+0, 'g', -1, 64)} // -0 is 0
		}
	case abi.String, abi.Untyped:
		if len(v.Text) <= MaxText {
			return Value{Text, string(v.Text)}
		}
	}
	return Value{Sort: Others}
}

// maxExtension is the longest text behind a dot that is one, in bytes.
const maxExtension = 8

// extension is the file extension of a web address: letters and digits behind the
// last dot before a query; empty where it has none.
func extension(address []byte) []byte {
	for i, c := range address {
		if c == '?' || c == '#' {
			address = address[:i]
			break
		}
	}
	from := len(address)
	for from > 0 && isAlphanumeric(address[from-1]) {
		from--
	}
	if e := address[from:]; from > 0 && address[from-1] == '.' && len(e) > 0 && len(e) <= maxExtension {
		return e
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// The regular expressions of an extension, and of any: they hold where extension
// says so.
const (
	extensionBegin = `^[^?#]*[.]`
	extensionEnd   = `([?#]|$)`
	anyExtension   = extensionBegin + `[0-9A-Za-z]{1,8}` + extensionEnd
)
