package rulestest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// Author writes random rules: of every operation, with operands of every kind,
// mostly such as the operation is made for.
type Author struct {
	*rand.Rand
	names  []string // of definitions that may be used
	cells  bool     // may be read
	points []string // that have been named
	closed bool     // what is written is of sessions that have ended
}

var (
	paths = []string{"a", "b", "c", "d.e", "f[0]", "flag", "n", `g["x-y"]`}
	// words are texts that rules and beacons have in common.
	words = []string{
		"a", "b", "ab", "A", "", "5", "true", "null", "naïve", "NAÏVE", "日本", "\x00", "10.1.2.3", "11.0.0.1", "::ffff:10.9.9.9", "2001:db8::7", "fe80::1%eth0",
		"10.1.2.03", "1", "-", "-0", "2.5e1", "1e400", " 1", "0x1", "Infinity", "9007199254740993", "abcabcabd", "ba", "cab", "aab", "Googlebot/2.1",
		strings.Repeat("ab", 300),
	}
	numbers = []string{
		"0", "1", "2.5", "-1", "5", "1e9", "0.1", "-0.0", "1e308", "-1e308", "5e-324", "9007199254740992", "9007199254740993.0", "(0/0)", "(1/0)", "(-1/0)",
		"(-9007199254740993.0)", "3.0", "1e-300",
	}
	patterns = []string{"a", "^a", "b$", "(?i)B", "[^a]", "", `\d+`, `^(a|b)*c`, `\bab`, `^10\.`, "ï", "(?i)naïve", `(?s)^.{3}$`, `\x00`, "^$", "(ab){2,5}", `[[:upper:]]`, `\pL+`}
	networks = []string{"10.0.0.0/8", "10.1.2.3", "10.9.9.9/24", "0.0.0.0/0", "::/0", "2001:db8::/32", "::ffff:10.0.0.0/104", "fe80::/10", "::ffff:0:0/90"}
	zones    = []string{"", `"UTC"`, `"+02:00"`, `"-09:30"`, `"Europe/Berlin"`, `"America/New_York"`, `"Africa/Monrovia"`, `"Australia/Lord_Howe"`}
	parts    = []string{"Milliseconds", "Seconds", "Minutes", "Hours", "DayOfWeek", "DayOfMonth", "Date", "DayOfYear", "Month", "FullYear"}
	compare  = []string{"==", "!=", "<", "<=", ">", ">="}
)

// cells are those of a list of rules with session cells.
var cells = []string{"x", "y"}

func pick[T any](a *Author, list []T) T { return list[a.IntN(len(list))] }

// Rules writes so many rules of some kind, with definitions and lists, and of an
// extractor with cells.
func (a *Author) Rules(n int) (abi.Kind, rules.Rules) {
	kind := pick(a, []abi.Kind{abi.Filter, abi.Split, abi.Extract})
	list := rules.Rules{Let: map[string]string{}, Lists: a.lists()}
	a.names, a.cells = nil, kind == abi.Extract
	if a.cells {
		list.Cells = cells
	}
	for _, name := range []string{"shared", "total", "name"} {
		list.Let[name] = []func(int) string{a.condition, a.number, a.text}[len(a.names)](2)
		a.names = append(a.names, name)
	}
	for i := range n {
		when := a.condition(a.IntN(5))
		switch kind {
		case abi.Filter:
			list.Drop = append(list.Drop, rules.Drop{Reason: fmt.Sprint("r", i%7), When: when})
		case abi.Split:
			list.Split = append(list.Split, rules.Split{Route: fmt.Sprint("r", i%7), When: when})
		default:
			list.Extract = append(list.Extract, a.extract(i, when))
		}
	}
	if kind == abi.Extract {
		list.Close = a.close(list)
	}
	return kind, list
}

// close writes rules for sessions that have ended.
func (a *Author) close(list rules.Rules) (closing []rules.Close) {
	a.closed, a.names, a.points = true, nil, nil
	defer func() { a.closed = false }()
	for _, e := range list.Extract {
		if e.Point != "" {
			a.points = append(a.points, e.Point)
		}
	}
	for range a.IntN(4) {
		c := rules.Close{Point: pick(a, []string{"p0", "duration", "bounce"}), When: a.condition(a.IntN(4))}
		if a.IntN(3) > 0 {
			c.Value = a.number(a.IntN(4))
		}
		closing = append(closing, c)
	}
	return closing
}

func (a *Author) lists() map[string]*expr.Set {
	some := func(all []string) (list []string) {
		for _, one := range all {
			if strings.TrimSpace(one) == one && one != "" && a.IntN(2) == 0 {
				list = append(list, one)
			}
		}
		return list
	}
	return map[string]*expr.Set{"words": expr.NewSet("words", some(words)), "nets": expr.NewSet("nets", some(networks)), "none": expr.NewSet("none", nil)}
}

func (a *Author) extract(i int, when string) rules.Extract {
	e := rules.Extract{When: when}
	if i == 0 || a.IntN(4) > 0 { // the first: a plan has a point
		e.Point = fmt.Sprint("p", i%5)
		if a.IntN(2) == 0 {
			e.Value = a.number(a.IntN(4))
		}
		for _, name := range []string{"x", "y", "z"}[:a.IntN(4)] {
			if e.Attributes == nil {
				e.Attributes = map[string]string{}
			}
			e.Attributes[name] = pick(a, []string{"a", "b", "c", "d.e", "other"})
		}
	}
	if e.Point == "" || a.IntN(3) == 0 {
		e.Set = map[string]string{}
		for _, cell := range cells[a.IntN(len(cells)):] {
			e.Set[cell] = a.number(a.IntN(3))
		}
	}
	return e
}

func (a *Author) field() string {
	if a.closed {
		return pick(a, []string{"session.first", "session.last", "session.duration", `count("` + pick(a, a.points) + `")`, `cell("` + pick(a, cells) + `")`})
	}
	return pick(a, paths)
}

// time is the beacon's, or what a session that has ended has instead.
func (a *Author) time() string {
	if a.closed {
		return a.field()
	}
	return "time()"
}

func (a *Author) literal() string { return strconv.Quote(pick(a, words)) }

// condition writes what mostly comes to true or false.
func (a *Author) condition(depth int) string {
	if depth <= 0 {
		list := []string{a.field(), "true", "false", a.field() + " == " + a.literal(), a.field() + " == null", a.field() + " < " + pick(a, numbers)}
		if !a.closed {
			list = append(list, "has("+a.field()+")")
		}
		return pick(a, append(list, a.named("shared")...))
	}
	c := func() string { return a.condition(depth - 1) }
	any := func() string { return "(" + a.any(depth-1) + ")" }
	order := " " + pick(a, compare) + " "
	switch a.IntN(18) {
	case 0, 1:
		return "(" + c() + " && " + c() + ")"
	case 2, 3:
		return "(" + c() + " || " + c() + ")"
	case 4:
		return "!(" + c() + ")"
	case 5:
		return "(" + c() + " ? " + c() + " : " + c() + ")"
	case 6:
		return "(" + a.number(depth-1) + order + a.number(depth-1) + ")"
	case 7:
		return "(" + a.text(depth-1) + order + a.text(depth-1) + ")"
	case 8:
		return "(" + any() + order + any() + ")"
	case 9:
		var list []string
		for range a.IntN(5) {
			list = append(list, pick(a, []string{a.literal(), pick(a, numbers), any(), "null", "true"}))
		}
		return "(" + any() + " in [" + strings.Join(list, ", ") + "])"
	case 10:
		return any() + ".matches(" + strconv.Quote(pick(a, patterns)) + ")"
	case 11:
		return "(" + any() + " in lists." + pick(a, []string{"words", "none"}) + ")"
	case 12:
		return a.field() + order + a.literal()
	case 13:
		return any() + ".containsAny(lists." + pick(a, []string{"words", "words", "none"}) + ")"
	case 14:
		var list []string
		for range a.IntN(4) {
			list = append(list, a.literal())
		}
		return any() + ".containsAny([" + strings.Join(list, ", ") + "])"
	case 15:
		return "cidr(" + pick(a, []string{"lists.nets", "lists.none", strconv.Quote(pick(a, networks))}) + ").containsIP(" + any() + ")"
	default:
		return any() + "." + pick(a, []string{"startsWith", "endsWith", "contains"}) + "(" + a.text(depth-1) + ")"
	}
}

// number writes what mostly comes to a number.
func (a *Author) number(depth int) string {
	if depth <= 0 {
		list := []string{a.field(), a.field(), pick(a, numbers), pick(a, numbers), a.time()}
		if a.cells {
			list = append(list, `cell("`+pick(a, cells)+`")`)
		}
		return pick(a, append(list, a.named("total")...))
	}
	switch a.IntN(9) {
	case 0:
		return "(" + a.condition(depth-1) + " ? " + a.number(depth-1) + " : " + a.any(depth-1) + ")"
	case 1:
		return "-(" + a.number(depth-1) + ")"
	case 2:
		return "size(" + a.any(depth-1) + ")"
	case 3:
		return "(" + a.any(depth-1) + ").size()"
	case 4:
		return "double(" + a.any(depth-1) + ")"
	case 5:
		if a.closed {
			return a.field()
		}
		return "time().get" + pick(a, parts) + "(" + pick(a, zones) + ")"
	}
	return "(" + a.number(depth-1) + " " + pick(a, []string{"+", "-", "*", "/", "%"}) + " " + a.number(depth-1) + ")"
}

// text writes what mostly comes to a text.
func (a *Author) text(depth int) string {
	switch {
	case depth > 0 && a.IntN(4) == 0:
		return "(" + a.condition(depth-1) + " ? " + a.text(depth-1) + " : " + a.any(depth-1) + ")"
	case depth > 0 && a.IntN(4) == 0:
		return "(" + a.any(depth-1) + ").lowerAscii()"
	case a.IntN(2) == 0:
		return a.literal()
	}
	return pick(a, append([]string{a.field(), a.field()}, a.named("name")...))
}

func (a *Author) any(depth int) string {
	switch a.IntN(6) {
	case 0:
		return a.number(depth)
	case 1:
		return a.condition(depth)
	case 2:
		return a.text(depth)
	}
	return a.field()
}

// named is the definition, if it may be used.
func (a *Author) named(name string) []string {
	for _, known := range a.names {
		if known == name {
			return []string{name}
		}
	}
	return nil
}

// Rows makes rows of values for fields: of every kind, at the edges of each, and
// half of them such as the rules of an author speak of.
func Rows(r *rand.Rand, fields []abi.Field, n int) [][]abi.Value {
	rows := tck.Beacons(r, fields, n, words...)
	for _, row := range rows {
		for i := range row {
			if fields[i].Name[0] != '$' && r.IntN(2) == 0 {
				row[i] = value(r)
			}
		}
	}
	return rows
}

func value(r *rand.Rand) abi.Value {
	one := func(list []string) []byte { return []byte(list[r.IntN(len(list))]) }
	switch r.IntN(8) {
	case 0, 1, 2:
		return abi.Value{Kind: abi.String, Text: one(words)}
	case 3, 4:
		return abi.Value{Kind: abi.Untyped, Text: one(words)}
	case 5, 6:
		return abi.Value{Kind: abi.Number, Text: one([]string{"0", "1", "5", "2.5", "2.5e1", "-1", "1e309", "-0", "7", "5e-324", "9007199254740993", "0.1"})}
	}
	return abi.Value{Kind: abi.True, Text: []byte("true")}
}

// Sessions gives a batch sessions, whose cells hold something.
func Sessions(r *rand.Rand, plan *abi.Plan, b *abi.Batch) {
	b.Sessions = abi.Sessions{}
	if len(plan.Cells) == 0 {
		return
	}
	slots := 1 + r.IntN(5)
	for range b.Rows {
		b.Slots = append(b.Slots, uint32(r.IntN(slots)))
	}
	for range plan.Cells {
		cell := make([]uint64, slots)
		for i := range cell {
			cell[i] = math.Float64bits([]float64{0, 1, 2, -2.5, 1e300, 1 << 53}[r.IntN(6)])
		}
		b.Cells = append(b.Cells, cell)
	}
}

// Closed makes so many sessions that have ended.
func Closed(r *rand.Rand, plan *abi.Plan, n int) *abi.Batch {
	c := abi.Closed{Counts: make([][]int64, len(plan.Points))}
	for range n {
		first := r.Int64N(1 << 41)
		c.First = append(c.First, first)
		c.Last = append(c.Last, first+[]int64{0, 1000, r.Int64N(1 << 32)}[r.IntN(3)])
		for p := range c.Counts {
			c.Counts[p] = append(c.Counts[p], r.Int64N(4))
		}
	}
	var b abi.Batch
	b.Rows = n
	Sessions(r, plan, &b)
	if c.Sessions = b.Sessions; len(c.Cells) > 0 {
		for i, cell := range c.Cells { // a slot of its own for each
			for len(cell) < n {
				cell = append(cell, cell[0])
			}
			c.Cells[i] = cell
		}
		for i := range c.Slots {
			c.Slots[i] = uint32(n - 1 - i)
		}
	}
	c.Batch(0, n, &b)
	return &b
}
