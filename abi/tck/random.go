package tck

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Rows makes random rows of values, a value for each of so many fields: every
// kind, numbers at the edges, texts that are empty, long, not ASCII or made of
// the words. Give the words (numbers too) that a guest looks for.
func Rows(rng *rand.Rand, fields, rows int, words ...string) [][]abi.Value {
	g := generator{rng, words}
	all := make([][]abi.Value, rows)
	for i := range all {
		all[i] = make([]abi.Value, fields)
		for j := range all[i] {
			all[i][j] = g.value()
		}
	}
	return all
}

// Beacons makes random rows for the fields of a plan, as Rows does, but for those that
// every beacon has: $time is a time, $tenant, $session and $source are names. A field
// that is asked for in several forms has one value.
func Beacons(rng *rand.Rand, fields []abi.Field, rows int, words ...string) [][]abi.Value {
	all := Rows(rng, len(fields), rows, words...)
	for _, row := range all {
		for i, f := range fields {
			if first := slices.IndexFunc(fields, func(o abi.Field) bool { return o.Name == f.Name }); first < i {
				row[i] = row[first]
				continue
			}
			switch f.Name {
			case abi.FieldTime:
				row[i] = abi.Value{Kind: abi.Number, Text: strconv.AppendInt(nil, rng.Int64N(maxTime), 10)}
			case abi.FieldTenant, abi.FieldSession, abi.FieldSource:
				row[i] = abi.Value{Kind: abi.String, Text: strconv.AppendInt([]byte(f.Name[1:]), rng.Int64N(20), 10)}
			}
		}
	}
	return all
}

const maxTime = 253402300800000 // 10000-01-01 in ms: later ones the host takes for none

type generator struct {
	rng   *rand.Rand
	words []string
}

func (g generator) value() abi.Value {
	switch k := abi.ValueKind(g.rng.IntN(12)); k {
	case abi.Missing, abi.Null:
		return abi.Value{Kind: k}
	case abi.False, abi.True:
		return abi.Value{Kind: k, Text: strconv.AppendBool(nil, k == abi.True)}
	case abi.Number:
		return abi.Value{Kind: k, Text: []byte(g.number())}
	case abi.Untyped:
		if g.rng.IntN(2) == 0 {
			return abi.Value{Kind: k, Text: []byte(g.number())}
		}
		return abi.Value{Kind: k, Text: []byte(g.text())}
	case abi.Array:
		return abi.Value{Kind: k, Text: []byte("[" + g.number() + ", " + quoted(g.text()) + "]")}
	case abi.Object:
		return abi.Value{Kind: k, Text: []byte("{" + quoted(g.text()) + ": " + g.number() + "}")}
	}
	return abi.Value{Kind: abi.String, Text: []byte(g.text())} // most often, as in beacons
}

var edges = []string{
	"0", "-0", "1", "-1", "0.5", "1e3", "5.0", "4e2", "1.5e-3", "1e9", "1000000000.1", "-1e9", "1e-400", "1e400", "-1e400",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "9007199254740993", "0.1",
}

func (g generator) number() string {
	switch g.rng.IntN(4) {
	case 0:
		return edges[g.rng.IntN(len(edges))]
	case 1:
		return strconv.FormatFloat(g.rng.NormFloat64()*1000, 'g', -1, 64)
	case 2:
		if w := g.word(); abi.IsNumber([]byte(w)) {
			return w
		}
	}
	return strconv.Itoa(g.rng.IntN(1000) - 100)
}

var scraps = []string{"", "a", "A", "z", "0", "-", "_", "/", " ", ".", "=", "\n", "\x00", "\"", "\\", "é", "ß", "€", "😀", "\u0130", "<", "&"}

func (g generator) text() string {
	switch g.rng.IntN(8) {
	case 0:
		return ""
	case 1:
		return g.word()
	case 2:
		return strings.ToUpper(g.word())
	case 3:
		return strings.Repeat(g.scrap(), g.rng.IntN(500)) + g.word()
	}
	s := ""
	for range g.rng.IntN(6) {
		if g.rng.IntN(3) == 0 {
			s += g.word()
		} else {
			s += g.scrap()
		}
	}
	return s
}

func (g generator) scrap() string { return scraps[g.rng.IntN(len(scraps))] }

func (g generator) word() string {
	if len(g.words) == 0 {
		return g.scrap()
	}
	return g.words[g.rng.IntN(len(g.words))]
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be quoted
	}
	return string(text)
}
