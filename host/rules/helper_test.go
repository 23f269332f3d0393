package rules

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

// field is what a beacon holds at a path.
type field struct {
	kind abi.ValueKind
	text string
}

// lookup finds a path in a beacon: JSON if it is in braces, else a query.
func lookup(t testing.TB, beacon, path string) field {
	t.Helper()
	if !strings.HasPrefix(beacon, "{") {
		values, err := url.ParseQuery(beacon)
		if err != nil {
			t.Fatal(err)
		}
		if !values.Has(path) {
			return field{}
		}
		return field{abi.Untyped, values.Get(path)}
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
			return field{}
		}
	}
	switch text := string(bytes.TrimSpace(raw)); text[0] {
	case 'n':
		return field{abi.Null, ""}
	case 'f':
		return field{abi.False, text}
	case 't':
		return field{abi.True, text}
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		return field{abi.String, s}
	case '[':
		return field{abi.Array, text}
	case '{':
		return field{abi.Object, text}
	default:
		return field{abi.Number, text}
	}
}

// batch is the planned columns of beacons.
func batch(t testing.TB, plan *abi.Plan, beacons ...string) *abi.Batch {
	t.Helper()
	b := &abi.Batch{Rows: len(beacons)}
	for _, f := range plan.Fields {
		rows := make([]field, len(beacons))
		for i, beacon := range beacons {
			rows[i] = lookup(t, beacon, f.Name)
		}
		b.Columns = append(b.Columns, column(rows))
	}
	return b
}

func column(rows []field) abi.Column {
	c := abi.Column{Type: abi.Any, Valid: make([]byte, (len(rows)+7)/8), Offsets: []uint32{0}}
	for i, f := range rows {
		if f.kind != abi.Missing {
			c.Valid[i/8] |= 1 << (i % 8)
		}
		c.Bytes = append(c.Bytes, f.text...)
		c.Offsets = append(c.Offsets, uint32(len(c.Bytes)))
		c.Kinds = append(c.Kinds, f.kind)
	}
	return c
}

// compileExpression compiles one expression alone; fields are planned into the
// compiler's program.
func compileExpression(source string) (*compiler, *node) {
	c := &compiler{program: &Program{}, fields: map[string]int{}}
	return c, c.expression(0, "when", source)
}

// show writes a value as docs/rules.md does.
func show(v value) string {
	switch v.kind {
	case abi.Missing:
		return "no value"
	case abi.Null:
		return "null"
	case abi.False:
		return "false"
	case abi.True:
		return "true"
	case abi.Number:
		return strconv.FormatFloat(v.num, 'g', -1, 64)
	case abi.Array:
		return "array"
	case abi.Object:
		return "object"
	}
	return strconv.Quote(string(v.text))
}
