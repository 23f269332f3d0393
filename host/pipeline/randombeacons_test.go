package pipeline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/definition"
)

// traffic generates beacons for a world.
type traffic struct {
	*rand.Rand
	w        *world
	at       int64 // event time of the beacon before
	times    []int64
	sessions []string
	tenants  []string
	dense    int64 // above 0: about so many beacons lie within the gap
	whole    bool  // nothing broken: where there are many beacons, labels would have too many values
}

func newTraffic(w *world, seed uint64) *traffic {
	g := &traffic{Rand: rand.New(rand.NewPCG(seed, 2)), w: w, at: w.base}
	g.tenants = append(slices.Repeat(w.tenants[:1], 3), w.tenants...)
	g.sessions = []string{"s1", "s2", "10.0.0.1", "é|x"}[:pick(g.Rand, 1, 1, 2, 3, 4)]
	if chance(g.Rand, 6) {
		g.dense = pick[int64](g.Rand, 8, 40, 200)
		g.sessions, g.tenants = g.sessions[:1], w.tenants[:1]
	}
	return g
}

// next gives the event time of the next beacon: steps that lie at every boundary
// there is.
func (g *traffic) next() int64 {
	gap, late := g.w.def.Gap, g.w.def.Lateness
	near := g.Int64N(3) - 1
	t := g.at
	if g.dense > 0 && !chance(g.Rand, 50) {
		t += g.Int64N(3) * max(1, gap/g.dense) // so that some lie a gap apart to the ms
		if chance(g.Rand, 3) {
			t = max(0, t-g.Int64N(late+1))
		}
		g.at = max(g.at, t)
		g.times = append(g.times, t)
		return t
	}
	switch g.IntN(g.w.params.steps) {
	case 0:
		t += gap + near
	case 1:
		t -= late + near
	case 2:
		t = (t/minute+1)*minute + near
	case 3:
		t = pick(g.Rand, g.w.moments...) + near
	case 4:
		t -= g.Int64N(late + 1)
	case 5:
		t -= g.Int64N(2*late + 2)
	case 6:
		t += g.Int64N(2*gap + 1)
	case 7, 8, 9:
	default:
		t += g.Int64N(pick(g.Rand, gap/16, gap/4) + 1)
	}
	t = max(t, 0)
	if t > g.at && t-g.at < 3*g.w.span {
		g.at = t
	}
	g.times = append(g.times, t)
	return t
}

// timeText writes a time as JSON, in any of its forms.
func (g *traffic) timeText(t int64) string {
	at := time.UnixMilli(t).UTC()
	zone := at.In(time.FixedZone("", pick(g.Rand, 0, 3600, -5*3600, 5*3600+1800, 23*3600+59*60)))
	switch g.IntN(14) {
	case 0:
		return quote(strconv.FormatInt(t, 10))
	case 1:
		return fmt.Sprintf("%d.%d", t, g.IntN(1000))
	case 2:
		return fmt.Sprintf("%d%s", t, pick(g.Rand, "e0", "E+0", "e-0", ".0", "000e-3", "0e-0001"))
	case 3:
		return quote(zone.Format("2006-01-02T15:04:05.000Z07:00"))
	case 4:
		return quote(strings.ToLower(at.Format("2006-01-02T15:04:05.000999999999Z")))
	case 5:
		return quote(zone.Format("2006-01-02T15:04:05Z07:00"))
	case 6:
		return quote(zone.Format("02/Jan/2006:15:04:05 -0700"))
	case 7:
		if chance(g.Rand, 6) {
			return pick(g.Rand, "null", `""`, "true", "[1]", "{}", "-1", "-0.5", "253402300800000", `"2026-02-30T00:00:00Z"`, `"2026-03-01T00:00:00"`,
				`"2026-03-01 00:00:00Z"`, `"1/Mar/2026:00:00:00 +0000"`, `"2026-03-01T24:00:00Z"`, `"2026-03-01T5:00:00Z"`, `"2026-03-01T05:00:00,5Z"`,
				`"2026-03-01T05:00:60Z"`, `"2026-03-01T05:00:00+24:00"`, `" 1"`, `"01"`, `"1e3x"`, "1e99999999999999999999", "0e99999999999999999999", "1e-99999999999999999999",
				`"02/mar/2026:00:00:00 +0000"`, `"2026-03-01T05:00:00+0000"`, `"2026-03-01T05:00:00.Z"`, "-0", "1e12", "1.5E3")
		}
	}
	return strconv.FormatInt(t, 10)
}

// odd gives a JSON value of any type, now and then.
func (g *traffic) odd(usual string) string {
	if !chance(g.Rand, 10) {
		return usual
	}
	if chance(g.Rand, 10) {
		return long(pick(g.Rand, 511, 512, 513, 600, 4095, 4096, 4097), pick(g.Rand, "a", "b", "é"))
	}
	return pick(g.Rand, "null", `""`, "true", "false", "[]", "{}", `[1,"x"]`, `{"a":1}`, "1.50", "1e3", "-0", `"1.50"`, "12345678901234567890123", `"\ud800"`, `"\u00e9\n"`,
		`"a|b"`, `"true"`, "1.5", `" 1"`, `"null"`, `"%41+"`, `"{\"a\":7}"`, `{"a":{"b":"deep","x-y":3},"id":"i9"}`)
}

// long gives a string of so many bytes that ends in a text.
func long(size int, end string) string { return quote(strings.Repeat("l", size-len(end)) + end) }

func (g *traffic) number() string {
	return pick(g.Rand, "1.50", "3", "3", "1e3", "0", "-2.5", "-2.5", "1e9", "-1e9", "1000000000.0000001", "1000000000.0000002", "1e10", "1e400", "-0", "0.0000005", "0.0000015",
		"2.5e-6", "0.1", "123456789.123456", "1E-7", "-0.0000005", `"7"`, `"x"`, "0.30000000000000004", "999999999.9999999", "4.35", "1e-400", "17.9999995", "true")
}

func (g *traffic) assignments() string {
	entry := func() (string, string) {
		return pick(g.Rand, `"e0"`, `"e0"`, `"e1"`, `"e2"`, `"none"`, g.odd(`"e0"`)), pick(g.Rand, `"a"`, `"a"`, `"b"`, "1", `"1"`, "1.50", "1.5", `"zz"`, g.odd(`"b"`))
	}
	var all []string
	array := chance(g.Rand, 2)
	for range pick(g.Rand, 0, 1, 1, 2, 3) {
		id, variant := entry()
		switch {
		case !array:
			if id[0] != '"' {
				id = `"e1"`
			}
			all = append(all, id+":"+variant)
		case chance(g.Rand, 12):
			all = append(all, pick(g.Rand, `null`, `"e0"`, `{}`, `[]`, `{"id":"e0"}`, `{"variant":"a"}`, `{"id":"e1","id":"e0","variant":"b","variant":"a"}`, `{"id":{"id":"e0"},"variant":"a"}`))
		default:
			all = append(all, pick(g.Rand, `{"id":`+id+`,"variant":`+variant+`}`, `{"x":{"id":"e1"}, "variant":`+variant+` , "id":`+id+`}`))
		}
	}
	if array {
		return "[" + strings.Join(all, " , ") + "]"
	}
	return "{" + strings.Join(all, ",") + "}"
}

// member is a key and its value as JSON.
type member struct{ key, value string }

// members are what a beacon of JSON has.
func (g *traffic) members(t int64) []member {
	r := g.Rand
	all := []member{
		{"ts", g.timeText(t)},
		{"tenant", quote(pick(r, g.tenants...))},
		{"sid", g.odd(quote(pick(r, g.sessions...)))},
		{"type", g.odd(pick(r, `"view"`, `"buy"`, `"buy"`, `"click"`, `"drop"`))},
	}
	some := func(n int, key, value string) {
		if chance(r, n) {
			all = append(all, member{key, value})
		}
	}
	some(2-int(min(g.dense, 1)), "id", g.odd(quote(g.id())))
	some(20, "tenant", g.odd(`"unknown"`))
	if !chance(r, 4) {
		all = append(all, member{"exp", g.odd(g.assignments())})
	}
	some(2, "price", g.odd(g.number()))
	some(3, "qty", g.odd(pick(r, "1", "2", `"2"`, "3.5")))
	some(2, "platform", g.odd(pick(r, `"web"`, `"ios"`, `"tv"`)))
	some(2, "visitor", g.odd(pick(r, `"v1"`, `"v2"`, `"v3"`, "42")))
	some(4, "tags", pick(r, `["x","y"]`, `[]`, `[1.50,true]`, `{"0":"web","1":null}`, `[[1],{"a":2}]`, `"x"`))
	some(3, "img", pick(r, `{"id":"i1","slot":"top"}`, `{"id":2}`, `{"slot":""}`, `"plain"`, `{"id":{"x":1},"slot":"s"}`, `{"id":"a","id":"b"}`, `{"id":null,"slot":true}`))
	some(5, "flag", g.odd(pick(r, "true", "false")))
	some(5, "nest", pick(r, `{"a":{"b":1,"x":2},"x-y":"v"}`, `{"a":"v1"}`, `{"a":[{"b":1}]}`))
	some(3, "headers", pick(r, `{"ua":"Web/1.0"}`, `{"ua":null}`, `{"ua":5}`, `{}`))
	some(3, "agent", `"hidden?"`)
	some(4, "user", pick(r, `{"name":"u1"}`, `{"name":""}`, `"u"`))
	some(4, "ip", pick(r, `"10.0.0.1"`, "null"))
	some(4, "status", pick(r, "200", `"200"`, "404"))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	some(6, "ts", g.timeText(t))
	some(9, "sid", `"s2"`)
	some(9, "img", `{"slot":"second"}`)
	return all
}

func (g *traffic) id() string {
	if g.dense > 0 {
		return fmt.Sprint("u", g.Int64N(2*g.dense))
	}
	return pick(g.Rand, "i1", "i2", "i3", "7", fmt.Sprint("u", g.IntN(30)))
}

// beacon gives the raw bytes of a beacon of a source.
func (g *traffic) beacon(s *definition.Source) []byte {
	t := g.next()
	var raw []byte
	switch s.Format {
	case "json":
		raw = g.json(g.members(t))
	case "query":
		raw = g.query(g.members(t))
	default:
		raw = g.clf(t)
	}
	if !g.whole && chance(g.Rand, 25) {
		raw = g.broken(raw)
	}
	return bytes.ReplaceAll(raw, []byte("\n"), []byte(" "))
}

func (g *traffic) json(all []member) []byte {
	var b bytes.Buffer
	space := func() string { return pick(g.Rand, "", "", "", "", " ", "\t", "  ") }
	b.WriteString(space() + "{")
	for i, m := range all {
		if i > 0 {
			b.WriteString("," + space())
		}
		key := quote(m.key)
		if chance(g.Rand, 20) {
			key = fmt.Sprintf(`"\u%04x%s"`, m.key[0], m.key[1:])
		}
		b.WriteString(key + space() + ":" + space() + m.value)
	}
	b.WriteString("}" + space())
	return b.Bytes()
}

// query writes members as a query string: a string's text, of anything else the JSON.
func (g *traffic) query(all []member) []byte {
	var b strings.Builder
	escape := func(s string) {
		always := chance(g.Rand, 4)
		for _, c := range []byte(s) {
			switch {
			case c == ' ' && !always:
				b.WriteByte('+')
			case c == '&' || c == '%' || c == '+' || c == '=' || c < ' ' || always:
				fmt.Fprintf(&b, pick(g.Rand, "%%%02x", "%%%02X"), c)
			default:
				b.WriteByte(c)
			}
		}
	}
	for i, m := range all {
		if i > 0 {
			b.WriteString(pick(g.Rand, "&", "&", "&", "&", "&&"))
		}
		var s string
		if json.Unmarshal([]byte(m.value), &s) != nil || m.value == "null" {
			s = m.value
		}
		escape(m.key)
		if s != "" || chance(g.Rand, 2) {
			b.WriteByte('=')
			escape(s)
		}
	}
	return []byte(b.String())
}

func (g *traffic) clf(t int64) []byte {
	r := g.Rand
	at := time.UnixMilli(t).UTC().Format("02/Jan/2006:15:04:05 -0700")
	if chance(r, 30) {
		at = pick(r, "", "-", "1/Mar/2026:00:00:00 +0000", strconv.FormatInt(t, 10), time.UnixMilli(t).UTC().Format(time.RFC3339))
	}
	request := pick(r, "GET /a HTTP/1.1", "GET /a.css HTTP/1.1", "POST /a?x=1&y=%zz HTTP/2", "-", "", "GET /a", "GET  /a", "GET /a b HTTP/1.1", ` / `, "- - -", `GET /\"q\" HTTP/1.0`, "[1,2] {} x")
	line := fmt.Sprintf(`%s - %s [%s] "%s" %s %s`, pick(r, append(slices.Repeat(g.sessions, 5), "-")...), pick(r, append(slices.Repeat(g.tenants, 5), "-", "unknown")...), at, request,
		pick(r, "200", "200", "404", "-", "2e2", "x"), pick(r, "0", "1234", "-", "1.50", "99999999999", "1e3", "-5"))
	if !chance(r, 4) {
		line += fmt.Sprintf(` "%s" "%s"`, pick(r, "-", "", "http://x/", `a\"b`, `[{}]`), pick(r, "-", "", "Web/1.0", "s1", "é", `\x22`))
	}
	return []byte(line)
}

// broken makes something of a beacon that mostly cannot be decoded.
func (g *traffic) broken(raw []byte) []byte {
	r := g.Rand
	at := r.IntN(len(raw) + 1)
	insert := func(s string) []byte {
		return append(append(append([]byte(nil), raw[:at]...), s...), raw[at:]...)
	}
	switch r.IntN(10) {
	case 0:
		return raw[:at]
	case 1:
		return insert(pick(r, "\xff", "\xc3", "\xed\xa0\x80", "\x00", "\x01", "\t", "\r", "%", "%f", "%ff", "%zz", "%+1", "%c3%28", `\`, `"`, "é", "\u2028", "&", "=", "]", "}"))
	case 2:
		return append(raw, pick(r, "{}", " x", "]", "}", ",", "null", " ", "[[[[[")...)
	case 3:
		n := pick(r, 126, 127, 128, 129, 300)
		return []byte(`{"ts":1,"tags":` + strings.Repeat("[", n) + strings.Repeat("]", pick(r, n, n, n-1)) + `,"sid":"s1","tenant":"shop"}`)
	case 4:
		n := pick(r, 126, 127, 128, 129, 300)
		return []byte(`{} ` + strings.Repeat(`{"a":`, n))
	case 5:
		return []byte(pick(r, "[]", "null", "1", `"x"`, "{", "[1,]", "nonsense", " ", "{}", "&", "=", "ts=1", `{"ts":NaN}`, `{"ts":Infinity}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{'a':1}`, `{"a":1,}`, `{"a" 1}`, "\xef\xbb\xbf{}"))
	case 6:
		i := r.IntN(len(raw))
		c := append([]byte(nil), raw...)
		c[i] = byte(r.IntN(256))
		return c
	case 7:
		return append(insert(""), insert("")...)
	case 8:
		n := pick(r, 127, 128, 129)
		return []byte("ts=1&sid=s1&tenant=shop&exp=" + strings.Repeat("[", n) + strings.Repeat("]", n) + "&img=" + strings.Repeat(`{"id":`, n) + "1" + strings.Repeat("}", n))
	}
	return raw
}
