package beacon

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

func TestParseTime(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		kind abi.ValueKind
		text string
		want int64
	}{
		{abi.Number, "1569888000000", 1569888000000},
		{abi.String, "1569888000000", 1569888000000},
		{abi.Untyped, "1569888000000", 1569888000000},
		{abi.Number, "0", 0},
		{abi.Number, "-0", 0},
		{abi.Number, "-0.0e5", 0},
		{abi.Number, "-0.1", none},
		{abi.Number, "-1", none},
		{abi.Number, "0.999", 0},
		{abi.Number, "1569888000000.9999999999999999999", 1569888000000},
		{abi.Number, "1e12", 1000000000000},
		{abi.Number, "1.5698880009999e12", 1569888000999},
		{abi.Number, "15698880000009E-1", 1569888000000},
		{abi.Number, "0.00000000001e24", 10000000000000},
		{abi.Number, "1e-400", 0},
		{abi.Number, "1e-99999999999999999999", 0},
		{abi.Number, "0e99999999999999999999", 0},
		{abi.Number, "1e99999999999999999999", none},
		{abi.Number, "0.1234567890123456789e+13", 1234567890123},
		{abi.Number, "253402300799999", 253402300799999},
		{abi.Number, "253402300799999.99999", 253402300799999},
		{abi.Number, "253402300800000", none},
		{abi.Number, "99999999999999999999999", none},
		{abi.String, "01", none},
		{abi.String, "1.", none},
		{abi.String, " 1", none},
		{abi.String, "", none},
		{abi.String, "NaN", none},
		{abi.True, "true", none},
		{abi.Array, "[1]", none},
		{abi.Null, "", none},
		{abi.Missing, "", none},
		{abi.String, "1970-01-01T00:00:00Z", 0},
		{abi.String, "2019-10-01T00:00:00Z", 1569888000000},
		{abi.String, "2019-10-01t02:00:00.1239+02:00", 1569888000123},
		{abi.String, "2019-09-30T23:59:59.5-00:01", 1569888059500},
		{abi.String, "2019-10-01T00:00:00.1z", 1569888000100},
		{abi.String, "2020-02-29T12:00:00Z", 1582977600000},
		{abi.String, "2000-02-29T12:00:00Z", 951825600000},
		{abi.String, "1900-02-29T12:00:00Z", none},
		{abi.String, "2021-02-29T12:00:00Z", none},
		{abi.String, "2019-13-01T00:00:00Z", none},
		{abi.String, "2019-00-01T00:00:00Z", none},
		{abi.String, "2019-10-00T00:00:00Z", none},
		{abi.String, "2019-10-01T24:00:00Z", none},
		{abi.String, "2019-10-01T23:59:60Z", none},
		{abi.String, "2019-10-01T00:00:00", none},
		{abi.String, "2019-10-01 00:00:00Z", none},
		{abi.String, "2019-10-01T00:00:00.Z", none},
		{abi.String, "2019-10-01T00:00:00,5Z", none},
		{abi.String, "2019-10-01T00:00:00+24:00", none},
		{abi.String, "2019-10-01T00:00:00+0200", none},
		{abi.String, "2019-10-01T00:00:00Zx", none},
		{abi.String, "2019-10-01", none},
		{abi.String, "1969-12-31T23:59:59.999Z", none},
		{abi.String, "1969-12-31T23:30:00-00:30", 0},
		{abi.String, "1970-01-01T00:00:00+00:01", none},
		{abi.String, "9999-12-31T23:59:59.999Z", 253402300799999},
		{abi.String, "9999-12-31T23:59:59-00:01", none},
		{abi.String, "0000-01-01T00:00:00Z", none},
		{abi.Untyped, "10/Oct/2000:13:55:36 -0700", 971211336000},
		{abi.String, "10/Oct/2000:13:55:36 -0700", 971211336000},
		{abi.String, "[10/Oct/2000:13:55:36 -0700]", none},
		{abi.String, "10/oct/2000:13:55:36 -0700", none},
		{abi.String, "10/Oct/2000:13:55:36", none},
		{abi.String, "31/Sep/2000:13:55:36 +0000", none},
		{abi.String, "1/Oct/2000:13:55:36 -0700", none},
	} {
		got, ok := ParseTime(c.kind, []byte(c.text))
		if ok != (c.want != none) || ok && got != c.want {
			t.Errorf("%d %q: %d %v, want %d", c.kind, c.text, got, ok, c.want)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "-0": math.Copysign(0, -1), "1": 1, "-1.5": -1.5, "0.1": 0.1, "35.79": 35.79, "1e3": 1000, "1E-2": 0.01, "1e999": math.Inf(1), "-1e999": math.Inf(-1),
		"9007199254740993": 9007199254740992, "123456789012345.6": 123456789012345.6, "0.30000000000000004": 0.30000000000000004, "5e-324": 5e-324, "1e-999": 0,
		"1.00000000000000011102230246251565404236316680908203126": 1.0000000000000002,
	} {
		got, ok := ParseNumber([]byte(text))
		if !ok || got != want || math.Signbit(got) != math.Signbit(want) {
			t.Errorf("%s: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", "1_0", " 1", "1 ", "NaN", "Infinity", "1a", "--1", "1..2", "-.5"} {
		if f, ok := ParseNumber([]byte(text)); ok {
			t.Errorf("%q is the number %v", text, f)
		}
	}
}

// FuzzNumber compares numbers with the library's.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1e3", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "5.0", "10e-1", "1e18", "1e19", "0.5", "12345678", "1234567890123456", "00", "1.5e1", "99999999999999999999e-5", "0e9999999", "18446744073709551616"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		valid := refNumber.MatchString(text)
		got, ok := ParseNumber([]byte(text))
		want, _ := strconv.ParseFloat(text, 64)
		if ok != valid || ok && math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q: %v %v, want %v %v", text, got, ok, want, valid)
		}
		n, ok := parseInteger([]byte(text))
		isInteger, wanted := false, int64(0)
		if valid {
			if r := refRat(text); r != nil && r.IsInt() && r.Num().IsInt64() {
				isInteger, wanted = true, r.Num().Int64()
			}
		}
		if ok != isInteger || ok && n != wanted {
			t.Fatalf("%q: integer %v %v, want %v %v", text, n, ok, wanted, isInteger)
		}
	})
}

// FuzzTime compares times with the reference's.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"1569888000000", "1e12", "2019-10-01T00:00:00.123456Z", "2020-02-29T00:00:00+01:30", "10/Oct/2000:13:55:36 -0700", "29/Feb/2100:00:00:00 +0000", "0e999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsFunc(text, func(r rune) bool { return r > 127 }) {
			return
		}
		got, ok := ParseTime(abi.String, []byte(text))
		want, valid := refTime(refValue{abi.String, text})
		if ok != valid || ok && got != want {
			t.Fatalf("%q: %v %v, want %v %v", text, got, ok, want, valid)
		}
	})
}

// TestDays walks every day of the range.
func TestDays(t *testing.T) {
	lengths := []int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	want := int64(0)
	for year := 1970; year < 10000; year++ {
		for m, length := range lengths {
			if m == 1 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
				length++
			}
			for day := 1; day <= length; day++ {
				if got, ok := clock(year, m+1, day, 0, 0, 0); !ok || got != want {
					t.Fatalf("%d-%d-%d: %d, want %d", year, m+1, day, got, want)
				}
				want += 86400000
			}
			if _, ok := clock(year, m+1, length+1, 0, 0, 0); ok {
				t.Fatalf("%d-%d has a day %d", year, m+1, length+1)
			}
		}
	}
	if want != maxTime {
		t.Errorf("the range ends at %d", want)
	}
}
