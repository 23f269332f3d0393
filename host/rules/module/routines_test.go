package module_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

// try compares an extractor's value with the reference's for rows of a and b.
func try(t *testing.T, value string, rows [][2]abi.Value) {
	t.Helper()
	program, err := rules.Compile(abi.Extract, rules.Rules{Extract: []rules.Extract{{Point: "p", When: "true", Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
	g := load(t, program, plenty)
	defer g.close(t)
	fields := program.Plan().Fields
	all := make([][]abi.Value, len(rows))
	for i, row := range rows {
		for _, f := range fields {
			all[i] = append(all[i], row[map[string]int{"a": 0, abi.FieldTime: 0, "b": 1}[f.Name]])
		}
	}
	for len(all) > 0 {
		n := min(len(all), 1000)
		compare(t, nil, program, g, all[:n], func(i int) string { return fmt.Sprintf("%s of %q", value, all[i]) })
		all = all[n:]
	}
}

func random() *rand.Rand { return rand.New(rand.NewPCG(*seed, 7)) }

// anyFloat is a number of any exponent, the smallest and whole ones too.
func anyFloat(r *rand.Rand) float64 {
	switch r.IntN(4) {
	case 0:
		return float64(r.IntN(2000) - 1000)
	case 1:
		return math.Float64frombits(r.Uint64() & (1<<54 - 1)) // the smallest
	}
	for {
		if x := math.Float64frombits(r.Uint64()); !math.IsNaN(x) && !math.IsInf(x, 0) {
			return x
		}
	}
}

func TestTextsAreReadAsTheNumbersThatTheyAre(t *testing.T) {
	r := random()
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	texts := []string{
		"", "-", "0", "-0", "00", "01", "1.", ".1", "1e", "1e+", "1e-", "1e5", "1E+05", "-1.5e-3", "1 ", " 1", "1x", "0x1", "Infinity", "NaN", "1e999", "-1e999", "1e-999", "1_0", "+1",
		"9007199254740993", "9007199254740992.5", "9007199254740993.0000000000000000000000000000000000000000001", "123456789012345678901234567890", "2.2250738585072011e-308",
		"4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "179769313486231580793728971405301e276",
		"0e99999999999999999999", "1e99999999999999999999", "1e-99999999999999999999", "0." + strings.Repeat("0", 400) + "1e400", strings.Repeat("1", 400) + "e-400", "1" + strings.Repeat("0", 1000) + "e-1000", strings.Repeat("9", 2000) + ".9e-2000",
		"9007199254740993" + strings.Repeat("0", 1000) + "1e-1001", "9007199254740993." + strings.Repeat("0", 1000) + "1", "9007199254740993." + strings.Repeat("0", 1000),
	}
	for range 3000 {
		x := anyFloat(r)
		texts = append(texts, strconv.FormatFloat(x, 'e', r.IntN(25), 64), strconv.FormatFloat(x, 'g', -1, 64), digits(1+r.IntN(30))+"."+digits(1+r.IntN(30))+"e"+strconv.Itoa(r.IntN(700)-350))
	}
	for range 100 { // halfway between two doubles, in all digits, and a little beside
		x := math.Abs(anyFloat(r))
		next := math.Nextafter(x, math.Inf(1))
		half := strings.TrimRight(fmt.Sprintf("%.1100f", x), "0")
		if x < next && x > 1e-300 && x < 1e15 {
			a, b := fmt.Sprintf("%.1100f", x), fmt.Sprintf("%.1100f", next)
			half = average(a, b)
		}
		texts = append(texts, half, half+"1", strings.TrimSuffix(half, "5")+"4999")
	}
	rows := make([][2]abi.Value, len(texts))
	for i, text := range texts {
		rows[i][0] = abi.Value{Kind: []abi.ValueKind{abi.String, abi.Untyped}[r.IntN(2)], Text: []byte(text)}
	}
	try(t, "double(a)", rows)
	try(t, "double(a.lowerAscii())", rows)
}

// average is the number in the middle of two, of as many digits before the point
// and behind it.
func average(a, b string) string {
	for len(a) < len(b) {
		a = "0" + a
	}
	sum, carry := make([]byte, len(a)), 0
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] == '.' {
			sum[i] = '.'
			continue
		}
		d := int(a[i]-'0') + int(b[i]-'0') + carry
		sum[i], carry = byte(d%10), d/10
	}
	out := ""
	for _, d := range sum {
		if d == '.' {
			out += "."
			continue
		}
		n := carry*10 + int(d)
		out += strconv.Itoa(n / 2)
		carry = n % 2
	}
	out = strings.TrimLeft(out, "0")
	if strings.HasPrefix(out, ".") {
		out = "0" + out
	}
	return strings.TrimRight(out, "0")
}

func TestRemaindersAreExact(t *testing.T) {
	r := random()
	var rows [][2]abi.Value
	number := func(x float64) abi.Value {
		return abi.Value{Kind: abi.Number, Text: strconv.AppendFloat(nil, x, 'g', -1, 64)}
	}
	special := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 3, 1e308, 5e-324, -5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308}
	for _, x := range special {
		for _, y := range special {
			rows = append(rows, [2]abi.Value{number(x), number(y)})
		}
		rows = append(rows, [2]abi.Value{number(x), {Kind: abi.Number, Text: []byte("1e999")}}, [2]abi.Value{{Kind: abi.Number, Text: []byte("-1e999")}, number(x)})
	}
	for range 5000 {
		rows = append(rows, [2]abi.Value{number(anyFloat(r)), number(anyFloat(r))})
	}
	try(t, "a % b", rows)
}

func TestTextsAreSearchedAsPackageStringsDoes(t *testing.T) {
	r := random()
	text := func(letters string, n int) abi.Value {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return abi.Value{Kind: abi.String, Text: b}
	}
	var rows [][2]abi.Value
	for range 10_000 {
		h, n := text("ab", 40), text("ab", 8)
		switch r.IntN(4) {
		case 0: // periodic
			n = abi.Value{Kind: abi.String, Text: []byte(strings.Repeat(string(text("ab", 4).Text), 1+r.IntN(4)))}
			h = abi.Value{Kind: abi.String, Text: []byte(strings.Repeat(string(n.Text), 2) + string(h.Text))}
		case 1:
			h, n = text("abc\xff\x00", 60), text("abc\xff\x00", 4)
		case 2: // a part of it
			if len(h.Text) > 0 {
				from := r.IntN(len(h.Text))
				n.Text = h.Text[from : from+r.IntN(len(h.Text)-from+1)]
			}
		}
		rows = append(rows, [2]abi.Value{h, n})
	}
	for _, method := range []string{"contains", "startsWith", "endsWith"} {
		try(t, "a."+method+"(b) ? 1 : 2", rows)
	}
	for _, compare := range []string{"==", "!=", "<", "<=", ">", ">="} {
		try(t, "a "+compare+" b ? 1 : 2", rows)
	}
}

func TestTimesHaveThePartsThatTheirZoneSays(t *testing.T) {
	r := random()
	const last = 253_402_300_799_999
	times := []int64{0, 1, last, last - 1, 951_782_400_000, 951_782_399_999, 4_107_542_400_000, 68_169_600_000}
	for range 3000 {
		times = append(times, r.Int64N(last+1), r.Int64N(4_000_000_000_000), 86_400_000*r.Int64N(20_000)-r.Int64N(2)+1)
	}
	rows := make([][2]abi.Value, len(times))
	for i, ms := range times {
		rows[i][0] = abi.Value{Kind: abi.Number, Text: strconv.AppendInt(nil, ms, 10)}
	}
	for _, part := range []string{"Milliseconds", "Seconds", "Minutes", "Hours", "DayOfWeek", "DayOfMonth", "Date", "DayOfYear", "Month", "FullYear"} {
		for _, zone := range []string{"", `"-11:30"`, `"America/Chicago"`, `"Australia/Lord_Howe"`} {
			try(t, "time().get"+part+"("+zone+")", rows)
		}
	}
}

func TestAddressesAreReadAsPackageNetipDoes(t *testing.T) {
	r := random()
	pieces := []string{"0", "1", "25", "255", "256", "a", "F", "ffff", "12345", ".", ".", ".", ":", ":", ":", "::", "%", "x", "1.2.3.4", "::ffff:", "1:2:3:4:", "10.", "2001:db8:"}
	rows := make([][2]abi.Value, 20_000)
	for i := range rows {
		text := ""
		for range r.IntN(16) {
			text += pieces[r.IntN(len(pieces))]
		}
		rows[i][0] = abi.Value{Kind: abi.String, Text: []byte(text)}
	}
	for _, network := range []string{"0.0.0.0/0", "::/0", "10.0.0.0/8", "2001:db8::/32", "::ffff:0.0.0.0/97", "1.2.3.4"} {
		try(t, `cidr("`+network+`").containsIP(a) ? 1 : 2`, rows)
	}
}

// A set of many texts is an automaton of another form than one of few.
func TestLongListsAreLookedFor(t *testing.T) {
	r := random()
	var list []string
	for range 3000 {
		list = append(list, fmt.Sprintf("%q", strconv.FormatUint(r.Uint64N(1<<40), 36)))
	}
	rows := make([][2]abi.Value, 2000)
	for i := range rows {
		text := strconv.FormatUint(r.Uint64N(1<<30), 36)
		switch r.IntN(3) {
		case 0:
			text += strings.Trim(list[r.IntN(len(list))], `"`)
		case 1:
			text = strings.Trim(list[r.IntN(len(list))], `"`)
		}
		rows[i] = [2]abi.Value{{Kind: abi.String, Text: []byte(text)}, {Kind: abi.Number, Text: []byte("1")}}
	}
	short := strings.Join(list[:2000], ", ")
	try(t, "a.containsAny(["+short+"]) ? 1 : 2", rows)
	try(t, "a in ["+short+"] ? 1 : 2", rows)
	try(t, "(b == 1 ? a : b) in ["+short+"] ? 1 : 2", rows)
}
