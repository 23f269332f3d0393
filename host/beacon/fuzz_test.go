package beacon

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

var jsonSeeds = []string{
	`{}`, ` {"a":1} `, `[]`, `1`, `"x"`, `null`, ``, ` `, `{`, `{"a":1}x`, `{"a":1}{"a":2}`, `{"a" :1 , "b":[ ] }`, `{,}`, `{"a":1,}`, `[1,]`, `[1 2]`,
	`{"t":"shop","s":"1","ts":1569888000000,"id":7,"exp":[{"id":"e","variant":"v"},{"id":"e"},3,{"id":1,"variant":true}]}`,
	`{"exp":{"e":"v","f":"w","e":"x","g":null,"":"y","h":""},"exp.x":1}`, `{"a":{"b":{"c":1}},"a":{"b":2}}`, `{"a":{"b":{"c":1}},"a":{}}`,
	`{"a":{"b":{"c":1},"b":{}}}`, `{"a":[{"b":1},{"b":2}],"a":[0]}`, `{"a":{"0":5,"1":{"b":"x"}}}`, `{"a":{"":3,"00":1}}`, `{"a.b":1}`, `{"":1}`,
	`{"\u0061":{"\u0062":"\ud83d\ude00"}}`, `{"a":"\ud800"}`, `{"a":"\ud800\u0041"}`, `{"a":"\ud800\ud800\udc00"}`, `{"a":"\udc00\ud800x"}`, `{"a":"\u12"}`, `{"a":"\x"}`, `{"a":"\`,
	"{\"a\":\"\x01\"}", "{\"a\":\"\x7f\"}", "{\"a\":\"\xff\"}", "\xef\xbb\xbf{}", "{\"\u00e9\":1}", `{"\u00e9":1}`, `{"longer_than_eight":1,"longer_than_nine":2,"longer_than_zzzz":3}`,
	`{"ts":-0}`, `{"ts":-0.1}`, `{"ts":1e12}`, `{"ts":1.5e12}`, `{"ts":"1569888000000.9"}`, `{"ts":0e99999999999}`, `{"ts":1e-99999999}`, `{"ts":100000000000000000000000e-10}`,
	`{"ts":253402300799999.99}`, `{"ts":253402300800000}`, `{"ts":"2020-02-29T23:59:59.9999z"}`, `{"ts":"2019-02-29T00:00:00Z"}`, `{"ts":"1969-12-31T23:30:00.5-00:30"}`,
	`{"ts":"10/Oct/2000:13:55:36 -0700"}`, `{"ts":"9999-12-31T23:59:59-00:01"}`, `{"ts":true}`, `{"ts":" 1"}`, `{"ts":"2020-01-01T00:00:00,5Z"}`, `{"ts":"2020-01-01T24:00:00Z"}`,
	`{"a":NaN}`, `{"a":Infinity}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":+1}`, `{"a":1e}`, `{"a":-}`, `{"a":tru}`, `{"a":nulll}`, `{"a":'x'}`, `{"a":1 /*x*/}`, "{\"a\":\"x\ny\"}",
	`{"h":{"ua":"x"},"agent":"y","hidden":1}`, `{"h":null,"t":"","s":[],"a":{"b":false}}`,
	strings.Repeat("[", 129), strings.Repeat("[", 128) + strings.Repeat("]", 128), `{"a":` + strings.Repeat("[", 127) + strings.Repeat("]", 127) + `}`,
	`{"a":` + strings.Repeat(`{"a":`, 127) + `1` + strings.Repeat("}", 128), `{"a":` + strings.Repeat(`{"a":`, 128), `{} ` + strings.Repeat("[", 129),
}

var querySeeds = []string{
	``, `&`, `=`, `=5&=6`, `&&a=1&`, `a`, `a=1&a=2`, `a&a=2`, `?a=1`, `a=b=c`, `a+b=c+d`, `a=%41%2B+x`, `a=%`, `a=%4`, `a=%zz`, `%=1`, `%ff=1`, `a=%ff`, `z=%ff`, `z=%`,
	`a=%c3%a9`, `a=%c3&b=%a9`, `%c3%a9=1`, "\u00e9=2", "a=\xc3", `%61=1&a=2`, `a={"b":{"c":"x"}}&t=shop&s=1&ts=1569888000000&exp=[{"id":"e","variant":"v"}]`,
	`a=%7B%22b%22%3A%22%5Cu0041%22%7D`, `a=+{"b":1}+`, `a={"b":1}x`, `a=[1,{"b":2}]`, `a={"b":1&a={"b":2}`, `a="x"`, `a.b=1`, `exp={"e":"v"}`, `exp=%7B`, `exp=3`, `z=%ff&y=%`, `y=%&z=%ff`, `%ff=%`,
	`a=` + strings.Repeat("[", 129), `ts=1e12`, `ts=%22x`, `ts=2020-01-01T00:00:00%2B01:00`, `a={"b":1,"b":{"c":2}}&a.b`,
}

var clfSeeds = []string{
	`1.2.3.4 - frank [10/Oct/2000:13:55:36 -0700] "GET /x?y=1 HTTP/1.0" 200 2326`,
	`1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.0" 200 - "http://e/" "M \"q\" \\"`,
	`h - - [] "" - -`, `h - - [x] "-" - - "" ""`, `h - - [x] "GET  /" 1 2 "-" "-"`, `h - - [x] "a b c d" 1 2 "-" "-"`, `h - - [x] "- - -" 1 2`, `h - - [x] " a b" 1 2`,
	`h - - [x] "a  c" 1 2`, `h - - [x] "a b" 1 2`, `h - - [x] "a b c" 1 2 `, `h - - [x] "a b c" 1 2 "r"`, `h - - [x] "a b c" 1 2 "r" "a" "b"`, `h - - [x] "a b c" 1`,
	`h - - [x "a b c" 1 2`, `h  - - [x] "a b c" 1 2`, `h - [x] "a b c" 1 2`, `h - - [x] "a b c 1 2`, `h - - [x] "a\" b c" 1 2`, "h - - [x] \"a\\\nb\" 1 2", "h - - [x] \"a\nb\" 1 2",
	"h\t - - [x] \"a b c\" 1 2", "h - - [x] \"a b c\" 1 2\n", "\xff - - [x] \"a b c\" 1 2", `{"x":1} - - [x] "a b c" 1 2`, `h - - [x] "a b c\" 1 2`, ``, `-`, "h - - [x] \"a\tb c\" 1 2", `h - - [x] "\`,
}

// FuzzDecode compares the decoder with the reference on arbitrary bytes.
func FuzzDecode(f *testing.F) {
	for format, seeds := range [][]string{jsonSeeds, querySeeds, clfSeeds} {
		for _, seed := range seeds {
			f.Add(byte(format), []byte(seed))
		}
	}
	c := newComparer(f)
	f.Fuzz(func(t *testing.T, format byte, raw []byte) {
		c.batch.Reset()
		for range 2 { // memory that was used must not show
			if err := c.compare([]Format{JSON, Query, CLF}[format%3], raw); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestDecodeGenerated compares on texts that are nearly right, which arbitrary
// bytes seldom are.
func TestDecodeGenerated(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	c := newComparer(t)
	for i := range 8000 {
		if i%100 == 0 {
			c.batch.Reset()
		}
		format := []Format{JSON, Query, CLF}[i%3]
		raw := generate(r, format)
		if err := c.compare(format, raw); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func generate(r *rand.Rand, format Format) []byte {
	var b bytes.Buffer
	switch format {
	case JSON:
		object(r, &b, 0)
	case Query:
		for range r.IntN(8) {
			var v bytes.Buffer
			value(r, &v, 1)
			text := v.String()
			if r.IntN(2) == 0 {
				text = url.QueryEscape(text)
			}
			fmt.Fprintf(&b, "%s=%s&", keys[r.IntN(len(keys))], text)
		}
	case CLF:
		b.WriteString(clfSeeds[r.IntN(2)])
	}
	raw := b.Bytes()
	for range max(0, r.IntN(6)-3) { // some damage
		if len(raw) == 0 {
			break
		}
		i := r.IntN(len(raw))
		switch r.IntN(3) {
		case 0:
			raw = append(raw[:i:i], raw[i+1:]...)
		case 1:
			raw[i] = "\"\\{}[],: %+&=-0e\xff\n"[r.IntN(18)]
		default:
			raw = append(raw[:i:i], append([]byte{raw[i]}, raw[i:]...)...)
		}
	}
	return raw
}

var keys = []string{"a", "b", "c", "0", "1", "exp", "id", "variant", "x", "h", "ua", "t", "s", "ts", "", "agent", "hidden", "longer_than_eight", "longer_than_nine", "longer_than_", `\u0061`, `\u0062`, `e\u0301`, "\u00e9"}

func object(r *rand.Rand, b *bytes.Buffer, depth int) {
	b.WriteByte('{')
	for i := range r.IntN(7) {
		if i > 0 {
			b.WriteByte(',')
		}
		padding(r, b)
		fmt.Fprintf(b, `"%s"`, keys[r.IntN(len(keys))])
		padding(r, b)
		b.WriteByte(':')
		value(r, b, depth+1)
	}
	padding(r, b)
	b.WriteByte('}')
}

func value(r *rand.Rand, b *bytes.Buffer, depth int) {
	padding(r, b)
	switch n := r.IntN(10); {
	case depth < 5 && n < 3:
		object(r, b, depth)
	case depth < 5 && n < 5:
		b.WriteByte('[')
		for i := range r.IntN(4) {
			if i > 0 {
				b.WriteByte(',')
			}
			value(r, b, depth+1)
		}
		b.WriteByte(']')
	default:
		b.WriteString(scalars[r.IntN(len(scalars))])
	}
	padding(r, b)
}

var scalars = []string{
	"null", "true", "false", `""`, `"x"`, "0", "-1.50", "1e3", "12345678901234", "1569888000000.5", `"1569888000000"`, `"2019-10-01T00:00:00.123+02:00"`,
	`"01/Oct/2019:00:00:00 +0000"`, `"abcdefgh"`, `"abcdefghijklmnop\n"`, `"\ud83d\ude00\ud83d"`, "\"\u65e5\u672c\"", `"a|b"`, "9e99", "15698880000000000e-4",
}

func padding(r *rand.Rand, b *bytes.Buffer) {
	for r.IntN(8) == 0 {
		b.WriteByte(" \t\n\r"[r.IntN(4)])
	}
}
