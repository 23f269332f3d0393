// Package rulestest helps to test rules: beacons as batches, and values as
// docs/rules.md writes them.
package rulestest

import (
	"bytes"
	"encoding/json"
	"math"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// Batch is the planned columns of beacons, each JSON if it is in braces, else a
// query string.
func Batch(t testing.TB, fields []abi.Field, beacons ...string) *abi.Batch {
	t.Helper()
	rows := make([][]abi.Value, len(beacons))
	for i, beacon := range beacons {
		for _, f := range fields {
			rows[i] = append(rows[i], Lookup(t, beacon, f.Name))
		}
	}
	b := &abi.Batch{}
	abi.Build(fields, rows, b)
	return b
}

// AnyFields are the columns of paths as rules' reference reads them.
func AnyFields(paths []string) []abi.Field {
	fields := make([]abi.Field, len(paths))
	for i, path := range paths {
		fields[i] = abi.Field{Name: path, Type: abi.Any}
	}
	return fields
}

// Lookup finds a path in a beacon. A beacon without a $time is of 1970.
func Lookup(t testing.TB, beacon, path string) abi.Value {
	t.Helper()
	v := lookup(t, beacon, path)
	if path == abi.FieldTime {
		if v.Kind == abi.Missing {
			v.Text = []byte("0")
		}
		v.Kind = abi.Number
	}
	return v
}

func lookup(t testing.TB, beacon, path string) abi.Value {
	t.Helper()
	if !strings.HasPrefix(beacon, "{") {
		values, err := url.ParseQuery(beacon)
		if err != nil {
			t.Fatal(err)
		}
		if !values.Has(path) {
			return abi.Value{}
		}
		return abi.Value{Kind: abi.Untyped, Text: []byte(values.Get(path))}
	}
	raw := json.RawMessage(beacon)
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		var array []json.RawMessage
		if json.Unmarshal(raw, &object) == nil && object[name] != nil {
			raw = object[name]
		} else if i, err := strconv.Atoi(name); err == nil && json.Unmarshal(raw, &array) == nil && i < len(array) {
			raw = array[i]
		} else {
			return abi.Value{}
		}
	}
	switch text := bytes.TrimSpace(raw); text[0] {
	case 'n':
		return abi.Value{Kind: abi.Null}
	case 'f':
		return abi.Value{Kind: abi.False, Text: text}
	case 't':
		return abi.Value{Kind: abi.True, Text: text}
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		return abi.Value{Kind: abi.String, Text: []byte(s)}
	case '[':
		return abi.Value{Kind: abi.Array, Text: text}
	case '{':
		return abi.Value{Kind: abi.Object, Text: text}
	default:
		return abi.Value{Kind: abi.Number, Text: text}
	}
}

// Show writes a value as docs/rules.md does.
func Show(v expr.Value) string {
	switch v.Kind {
	case abi.Missing:
		return "no value"
	case abi.Null:
		return "null"
	case abi.False:
		return "false"
	case abi.True:
		return "true"
	case abi.Number:
		format := byte('g')
		if v.Num == math.Trunc(v.Num) && math.Abs(v.Num) < 1e15 {
			format = 'f'
		}
		return strconv.FormatFloat(v.Num, format, -1, 64)
	case abi.Array:
		return "array"
	case abi.Object:
		return "object"
	}
	return strconv.Quote(string(v.Text))
}
