package tck

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Random rows are what beacons may hold: every kind, texts that are UTF-8 and of
// their kind, and the same for the same seed.
func TestRows(t *testing.T) {
	again := func() [][]abi.Value { return Rows(rand.New(rand.NewPCG(1, 2)), 3, 1000, "word", "12") }
	rows := again()
	if !reflect.DeepEqual(rows, again()) {
		t.Error("not the same again")
	}
	kinds, words := map[abi.ValueKind]int{}, 0
	for _, row := range rows {
		for _, v := range row {
			kinds[v.Kind]++
			if !utf8.Valid(v.Text) {
				t.Fatalf("%q is not UTF-8", v.Text)
			}
			switch v.Kind {
			case abi.Missing, abi.Null:
				if len(v.Text) > 0 {
					t.Fatalf("text %q of kind %d", v.Text, v.Kind)
				}
			case abi.String, abi.Untyped:
				if string(v.Text) == "word" {
					words++
				}
			default:
				if !json.Valid(v.Text) {
					t.Fatalf("%q of kind %d", v.Text, v.Kind)
				}
			}
		}
	}
	if len(kinds) != 9 || words == 0 {
		t.Errorf("kinds %v, %d words", kinds, words)
	}
	if got := Rows(rand.New(rand.NewPCG(1, 2)), 1, 50); len(got) != 50 {
		t.Errorf("%d rows without words", len(got))
	}
}

// A field that is asked for in two forms has one value.
func TestBeaconsOfTwoForms(t *testing.T) {
	fields := []abi.Field{{Name: "a", Type: abi.Str}, {Name: "$time", Type: abi.I64}, {Name: "a", Type: abi.F64}, {Name: "$time", Type: abi.F64}}
	for _, row := range Beacons(rand.New(rand.NewPCG(1, 2)), fields, 100) {
		if string(row[0].Text) != string(row[2].Text) || row[0].Kind != row[2].Kind || string(row[1].Text) != string(row[3].Text) {
			t.Fatalf("%q", row)
		}
	}
}
