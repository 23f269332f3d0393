package abi

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestParseI64(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "0.0": 0, "0e99999999999999999999": 0, "5": 5, "-7": -7, "5.0": 5, "1e3": 1000, "1.5e1": 15, "150e-1": 15, "-2.50E+2": -250,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64, "9.223372036854775807e18": math.MaxInt64,
		"100000000000000000000e-20": 1, "0.00001e5": 1,
	} {
		if got, ok := ParseI64([]byte(text)); !ok || got != want {
			t.Errorf("%s: %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "-", "+1", "01", "1.", ".5", "1e", "1e+", " 1", "1 ", "0x1", "1_0", "NaN", "Infinity", "true", "1a",
		"1.5", "15e-1", "9223372036854775808", "-9223372036854775809", "1e19", "1e999999999999999999999", "1e-1", "1e-99999999999999999999",
	} {
		if got, ok := ParseI64([]byte(text)); ok {
			t.Errorf("%s: taken as %d", text, got)
		}
	}
}

func TestParseF64(t *testing.T) {
	for text, want := range map[string]float64{"1": 1, "-1.5e3": -1500, "1e999": math.Inf(1), "-1e999": math.Inf(-1), "1e-999": 0, "0.1": 0.1} {
		if got, ok := ParseF64([]byte(text)); !ok || got != want {
			t.Errorf("%s: %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "inf", "nan", "0x1p3", "1_000", "+1", "01"} {
		if got, ok := ParseF64([]byte(text)); ok {
			t.Errorf("%s: taken as %v", text, got)
		}
	}
}

// A text is a number exactly where encoding/json says so, and its integer is
// the one that big.Rat gives.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"0", "-1.25e2", "1e3", "00", "9223372036854775808", "1e-3", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		isNumber := json.Valid([]byte(s)) && strings.Trim(s, "0123456789+-.eE") == ""
		if got := IsNumber([]byte(s)); got != isNumber {
			t.Fatalf("%q: number %t, want %t", s, got, isNumber)
		}
		if !isNumber || len(s) > 30 || strings.Contains(strings.ToLower(s), "e") && len(s[strings.IndexAny(s, "eE"):]) > 4 {
			return // big.Rat would be slow
		}
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is no rational", s)
		}
		want := r.IsInt() && r.Num().IsInt64()
		got, ok := ParseI64([]byte(s))
		if ok != want || ok && got != r.Num().Int64() {
			t.Fatalf("%q: %d, %t; want %s", s, got, ok, r)
		}
	})
}

func TestBuild(t *testing.T) {
	fields := []Field{{"v", Str, false}, {"v", Str, true}, {"v", I64, false}, {"v", F64, false}, {"v", Bool, false}, {"v", JSON, false}, {"v", Any, false}, {"v", Kinds, false}}
	kinds := []Value{
		{}, {Null, nil}, {False, []byte("false")}, {True, []byte("true")}, {Number, []byte("1.50")}, {Number, []byte("7")},
		{String, []byte("7")}, {String, []byte("")}, {Untyped, []byte("7")}, {Untyped, []byte("x")}, {Array, []byte("[1]")}, {Object, []byte("{}")},
	}
	rows := make([][]Value, len(kinds))
	for i, v := range kinds {
		rows[i] = []Value{v, v, v, v, v, v, v, v}
	}
	// Which rows are valid in each column.
	want := []string{"001111111100", "001111111100", "000001001000", "000011001000", "001100000000", "000000000011", "011111111111", "011111111111"}
	var b Batch
	for range 2 { // again with reused memory
		Build(fields, rows, &b)
		for c, bits := range want {
			for r := range rows {
				if Bit(b.Columns[c].Valid, r) != (bits[r] == '1') {
					t.Errorf("column %s dict %t, row %d: valid %t", fields[c].Type, fields[c].Dict, r, Bit(b.Columns[c].Valid, r))
				}
			}
		}
	}
	if got := string(b.Columns[1].Bytes); got != "falsetrue1.507x" {
		t.Errorf("dictionary %q", got)
	}
	if Bit(b.Columns[4].Bits, 2) || !Bit(b.Columns[4].Bits, 3) {
		t.Error("bool values")
	}
}

// Numbers with more digits than the library keeps are the double next to them too.
func TestNumbersOfManyDigits(t *testing.T) {
	zeros := strings.Repeat("0", 1000)
	for text, want := range map[string]float64{
		"1" + zeros + "e-1000":                   1,
		"-1" + zeros + "e-1000":                  -1,
		"1" + zeros:                              math.Inf(1),
		"1" + zeros + ".5e-1000":                 1,
		"9007199254740993" + zeros + "e-1000":    9007199254740992,
		"9007199254740993" + zeros + "1e-1001":   9007199254740994,
		"9007199254740993." + zeros + "1":        9007199254740994,
		"0." + zeros + "1e1001":                  1,
		"1" + zeros + "e-99999999999999999999":   0,
		"12" + zeros + zeros + "e-2000":          12,
		strings.Repeat("1", 801) + ".0e-800":     1.1111111111111112,
		strings.Repeat("9", 5000) + ".9e-5000":   1,
		strings.Repeat("9", 5000) + ".9e-4990":   1e10,
		"1" + strings.Repeat("0", 799) + "e-799": 1,
	} {
		if got, ok := ParseF64([]byte(text)); !ok || got != want {
			t.Errorf("%.20s… of %d bytes is %v, %t, want %v", text, len(text), got, ok, want)
		}
	}
}
