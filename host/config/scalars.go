package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// units of a duration, the largest first.
var units = []struct {
	name string
	span time.Duration
}{
	{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

var durationPart = regexp.MustCompile(`^(\d+)(ms|d|h|m|s)`)

// ParseDuration reads a duration such as 30d, 1h30m or 500ms. A day is 24
// hours.
func ParseDuration(text string) (time.Duration, error) {
	var sum time.Duration
	for rest := text; rest != "" || text == ""; {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, fmt.Errorf("%q is no duration; write it as 30d, 1h30m, 10s or 500ms", text)
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		var span time.Duration
		for _, u := range units {
			if u.name == m[2] {
				span = u.span
			}
		}
		if err != nil || n > (math.MaxInt64-int64(sum))/int64(span) {
			return 0, fmt.Errorf("the duration %q is too long", text)
		}
		sum += time.Duration(n) * span
		rest = rest[len(m[0]):]
	}
	return sum, nil
}

// FormatDuration writes a duration of whole milliseconds as ParseDuration
// reads it.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range units {
		if n := d / u.span; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.span
		}
	}
	return b.String()
}

// Size is a number of bytes, in the file 16MiB, 64KiB, or plain bytes.
type Size int64

var sizes = []struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// String writes the size in the largest unit that holds it exactly.
func (s Size) String() string {
	for _, u := range sizes {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func (s *Size) decode(d *decoder, n *node, at keyPath) {
	text, ok := d.text(n, at)
	if !ok {
		return
	}
	digits, unit := text, int64(1)
	for _, u := range sizes {
		if cut, found := strings.CutSuffix(text, u.name); found {
			digits, unit = strings.TrimSpace(cut), u.bytes
		}
	}
	count, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(count) > math.MaxInt64/unit {
		d.faultAt(n.pos, at, "%q is no size; write it as 16MiB, 64KiB, or plain bytes", text)
		return
	}
	*s = Size(int64(count) * unit)
}

// Percent is a part of a whole in millionths, in the file 5% or 0.1%.
type Percent int64

// onePercent is 1% as a Percent.
const onePercent = 10_000

var percent = regexp.MustCompile(`^(\d{1,3})(?:\.(\d{1,4}))?%$`)

// String writes the part as the file does.
func (p Percent) String() string {
	text := strconv.FormatInt(int64(p)/onePercent, 10)
	if rest := int64(p) % onePercent; rest > 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%04d", rest), "0")
	}
	return text + "%"
}

func (p *Percent) decode(d *decoder, n *node, at keyPath) {
	text, ok := d.text(n, at)
	if !ok {
		return
	}
	m := percent.FindStringSubmatch(text)
	var parts int64
	if m != nil {
		full, _ := strconv.ParseInt(m[1], 10, 64) // digits, few
		rest, _ := strconv.ParseInt((m[2] + "0000")[:4], 10, 64)
		parts = full*onePercent + rest
	}
	if m == nil || parts > 100*onePercent {
		d.faultAt(n.pos, at, "%q is no share; write it as 5%% or 0.1%%, up to 100%%", text)
		return
	}
	*p = Percent(parts)
}

// Time is a moment of event time; the zero value is none.
type Time struct {
	MS  int64 // epoch ms
	Set bool
}

// endOfTime is the first ms that is no event time: the year 10000.
const endOfTime = 253402300800000

// String is the moment in RFC 3339, in UTC.
func (t Time) String() string {
	return time.UnixMilli(t.MS).UTC().Format("2006-01-02T15:04:05.999Z07:00")
}

func (t *Time) decode(d *decoder, n *node, at keyPath) {
	text, ok := d.text(n, at)
	if !ok {
		return
	}
	moment, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		d.faultAt(n.pos, at, "%q is no time of RFC 3339; write it as 2026-01-31T00:00:00Z", text)
		return
	}
	if ms := moment.UnixMilli(); ms < 0 || ms >= endOfTime {
		d.faultAt(n.pos, at, "%q is no event time; those lie between the years 1970 and 9999", text)
		return
	}
	*t = Time{MS: moment.UnixMilli(), Set: true}
}

// Buckets is the number of buckets of a layer.
const Buckets = 10_000

// Range is a part of a layer's buckets: from From up to, not including, To.
type Range struct{ From, To int64 }

func (r *Range) decode(d *decoder, n *node, at keyPath) {
	var ends [2]int64
	if !d.want(sequence, n, at) {
		return
	}
	if len(n.items) != 2 {
		d.faultAt(n.pos, at, "a range has two ends, from and up to: [0, 3000]")
		return
	}
	for i, item := range n.items {
		text, ok := d.text(item, at)
		if !ok {
			return
		}
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			d.faultAt(item.pos, at, "%q is no whole number", text)
			return
		}
		ends[i] = v
	}
	if ends[0] < 0 || ends[0] >= ends[1] || ends[1] > Buckets {
		d.faultAt(n.pos, at, "[%d, %d] is no range within 0 to %d", ends[0], ends[1], Buckets)
		return
	}
	*r = Range{ends[0], ends[1]}
}

// Pair are two points whose product is summed.
type Pair [2]string

func (p *Pair) decode(d *decoder, n *node, at keyPath) {
	if !d.want(sequence, n, at) {
		return
	}
	if len(n.items) != 2 {
		d.faultAt(n.pos, at, "a pair has two points: [revenue, order]")
		return
	}
	for i, item := range n.items {
		d.at[at.to(strconv.Itoa(i)).id()] = place{key: item.pos, value: item.pos}
		p[i], _ = d.text(item, at)
	}
}

// Share is a variant and its weight.
type Share struct {
	Name   string
	Weight int64
}

// Shares are variants in the order of the file.
type Shares []Share

// maxWeight bounds a weight, so that totals stay far from overflow.
const maxWeight = 1_000_000_000

func (s *Shares) decode(d *decoder, n *node, at keyPath) {
	if !d.want(mapping, n, at) {
		return
	}
	var total int64
	sound := true
	for _, e := range n.entries {
		here := at.to(e.key)
		d.at[here.id()] = place{key: e.pos, value: e.value.pos}
		if why := badName(e.key); why != "" {
			d.faultAt(e.pos, at, "%s", why)
		}
		text, ok := d.text(e.value, here)
		w, err := strconv.ParseInt(text, 10, 64)
		if ok && (err != nil || w < 0 || w > maxWeight) {
			d.faultAt(e.value.pos, here, "%q is no weight; take whole numbers from 0 to %d", text, maxWeight)
		}
		sound = sound && ok && err == nil
		total += w
		*s = append(*s, Share{e.key, w})
	}
	switch {
	case len(n.entries) == 0:
		d.faultAt(n.pos, at, "there are no variants")
	case sound && total == 0:
		d.faultAt(n.pos, at, "all weights are 0")
	}
}

// Locator says where a beacon holds a field: paths whose texts are joined with
// "|", or a constant. The zero Locator is nowhere.
type Locator struct {
	Paths   []string
	Const   string // holds where Paths is empty and IsConst
	IsConst bool
}

// String writes the locator as the file does.
func (l Locator) String() string {
	switch {
	case l.IsConst:
		return "{const: " + l.Const + "}"
	case len(l.Paths) == 1:
		return l.Paths[0]
	}
	return "[" + strings.Join(l.Paths, ", ") + "]"
}

func (l *Locator) decode(d *decoder, n *node, at keyPath) {
	*l = Locator{}
	path := func(n *node) {
		text, ok := d.text(n, at)
		if !ok {
			return
		}
		if why := badPath(text); why != "" {
			d.faultAt(n.pos, at, "%s", why)
		}
		l.Paths = append(l.Paths, text)
	}
	switch n.kind {
	case scalar:
		path(n)
	case sequence:
		for _, item := range n.items {
			path(item)
		}
		if len(n.items) == 0 {
			d.faultAt(n.pos, at, "the list of paths is empty")
		}
	case mapping:
		e := n.get("const")
		if e == nil || len(n.entries) != 1 {
			d.faultAt(n.pos, at, "write a path, a list of paths, or {const: value}")
			return
		}
		l.IsConst = true
		text, ok := d.text(e.value, at)
		if ok && text == "" {
			d.faultAt(e.value.pos, at, "the constant is empty")
		}
		l.Const = text
	}
}
