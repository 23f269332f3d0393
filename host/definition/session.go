package definition

import (
	"math"
	"math/big"
	"slices"
	"sort"
	"strings"
)

// booker books the measurements of one session for one experiment and variant.
type booker struct {
	r      *Result
	key    Key // without status, point, attributes, minute
	totals map[string]*running
	order  []string
	paired map[string]*big.Int // "status\x00a*b": sum booked so far
}

// running is what a session has booked for one status, point and attributes.
type running struct {
	status, point, attributes string
	hits                      int64
	x                         *big.Int
}

func (b *booker) figure(status, point, attributes string, t int64) *Figure {
	k := b.key
	k.Status, k.Point, k.Attributes, k.Minute = status, point, attributes, floorDiv(t, 60000)
	f := b.r.Figures[k]
	if f == nil {
		f = &Figure{Sum: new(big.Int), SumSq: new(big.Int)}
		b.r.Figures[k] = f
	}
	return f
}

func (b *booker) total(status, point, attributes string) *running {
	k := status + "\x00" + point + "\x00" + attributes
	t := b.totals[k]
	if t == nil {
		t = &running{status: status, point: point, attributes: attributes, x: new(big.Int)}
		b.totals[k] = t
		b.order = append(b.order, k)
	}
	return t
}

// book books one measurement of v millionths at time t.
func (b *booker) book(status, point, attributes string, v *big.Int, t int64) {
	f, run := b.figure(status, point, attributes, t), b.total(status, point, attributes)
	f.Hits++
	f.Sum.Add(f.Sum, v)
	if run.hits == 0 {
		f.Sessions++
	}
	f.SumSq.Sub(f.SumSq, new(big.Int).Mul(run.x, run.x))
	run.x = new(big.Int).Add(run.x, v)
	f.SumSq.Add(f.SumSq, new(big.Int).Mul(run.x, run.x))
	run.hits++
}

// product is that of the running totals of a pair.
func (b *booker) product(status string, pair [2]string) *big.Int {
	return new(big.Int).Mul(b.total(status, pair[0], "").x, b.total(status, pair[1], "").x)
}

// pair books a change of a pair's product.
func (b *booker) pair(status string, pair [2]string, change *big.Int, t int64) {
	name := pair[0] + "*" + pair[1]
	f := b.figure(status, name, "", t)
	f.Sum.Add(f.Sum, change)
	k := status + "\x00" + name
	if b.paired[k] == nil {
		b.paired[k] = new(big.Int)
	}
	b.paired[k].Add(b.paired[k], change)
}

// retract takes back all that is booked so far, in the minute of t.
func (b *booker) retract(t int64) {
	for _, k := range b.order {
		run := b.totals[k]
		if run.hits == 0 {
			continue
		}
		f := b.figure(run.status, run.point, run.attributes, t)
		f.Hits -= run.hits
		f.Sessions--
		f.Sum.Sub(f.Sum, run.x)
		f.SumSq.Sub(f.SumSq, new(big.Int).Mul(run.x, run.x))
	}
	for k, booked := range b.paired {
		status, name, _ := strings.Cut(k, "\x00")
		f := b.figure(status, name, "", t)
		f.Sum.Sub(f.Sum, booked)
	}
}

// session books one session for every experiment that its tenant has in the
// generation of any of its beacons.
func (r *Result) session(k sessionKey, beacons []counted) {
	first := beacons[0]
	key := Key{Tenant: k.tenant, Dims: dims(first.tenant.Dimensions, first.beacon)}
	var ids []string
	for _, c := range beacons {
		for _, e := range c.tenant.Experiments {
			if !slices.Contains(ids, e.ID) {
				ids = append(ids, e.ID)
			}
		}
	}
	for _, id := range ids {
		r.experiment(id, key, beacons)
	}
	if first.tenant.AllTraffic {
		key.Experiment, key.Variant = "_all", "_all"
		b := r.booker(key)
		b.book("assigned", "visit", "", one, first.beacon.Time)
		b.book("qualified", "visit", "", one, first.beacon.Time)
		for _, c := range beacons {
			if c.tenant.AllTraffic {
				b.measurements("assigned", c)
				b.measurements("qualified", c)
			}
		}
	}
}

var one = big.NewInt(1_000_000)

func (r *Result) booker(key Key) *booker {
	return &booker{r: r, key: key, totals: map[string]*running{}, paired: map[string]*big.Int{}}
}

// experiment books one session for an experiment, each beacon by what its own
// generation says of it.
func (r *Result) experiment(id string, key Key, beacons []counted) {
	variant, phase := "", int64(0)
	var b *booker
	qualified, crossed := false, false
	for _, c := range beacons {
		at := slices.IndexFunc(c.tenant.Experiments, func(e Experiment) bool { return e.ID == id })
		if at < 0 {
			continue // it stands still
		}
		e, t := &c.tenant.Experiments[at], c.beacon.Time
		carried := ""
		if !c.end {
			carried = e.variantOf(c.beacon)
		}
		switch {
		case b == nil && carried != "" && e.runs(t):
			variant, phase = carried, e.phase(t)
			key.Experiment, key.Variant = e.ID, variant
			b = r.booker(key)
			b.book("assigned", "visit", "", one, t)
		case b == nil:
			continue
		case !crossed && carried != "" && carried != variant && e.phase(t) == phase && !(e.Hash && e.Unit == ""):
			crossed = true
			if e.Exclude {
				b.retract(t)
				b.totals, b.paired = map[string]*running{}, map[string]*big.Int{}
			}
			b.book("assigned", "crossover", "", one, t)
			if e.Exclude {
				return
			}
		}
		if !qualified {
			qualified = e.Qualify == "" || slices.ContainsFunc(c.measured, func(m Measurement) bool { return m.Point == e.Qualify })
			if qualified {
				b.book("qualified", "visit", "", one, t)
			}
		}
		b.measurements("assigned", c)
		if qualified {
			b.measurements("qualified", c)
		}
	}
}

// longest is the length in bytes beyond which a dimension's or attribute's value is _other.
const longest = 4096

func (b *booker) measurements(status string, c counted) {
	for _, m := range c.measured {
		v, _ := big.NewFloat(math.RoundToEven(m.Value * 1e6)).Int(nil)
		var products []*big.Int
		for _, pair := range c.tenant.Pairs {
			products = append(products, b.product(status, pair))
		}
		b.book(status, m.Point, "", v, c.beacon.Time)
		for i, pair := range c.tenant.Pairs {
			b.pair(status, pair, new(big.Int).Sub(b.product(status, pair), products[i]), c.beacon.Time)
		}
		known := map[string]string{}
		for name, value := range m.Attributes {
			if known[name] = value; len(value) > longest {
				known[name] = "_other"
			}
		}
		if attributes := labels(known); attributes != "" {
			b.book(status, m.Point, attributes, v, c.beacon.Time)
		}
	}
}

func labels(m map[string]string) string {
	names := make([]string, 0, len(m))
	for name, value := range m {
		if value != "" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var s strings.Builder
	for _, name := range names {
		s.WriteString(name + "=" + m[name] + "\n")
	}
	return s.String()
}

func dims(all []Dimension, first Beacon) string {
	m := map[string]string{}
	for _, d := range all {
		v := first.path(d.Path).label()
		switch {
		case v == "":
			v = d.Default
		case d.Values != nil && !slices.Contains(d.Values, v), d.Values == nil && len(v) > longest:
			v = "_other"
		}
		m[d.Name] = v
	}
	return labels(m)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
