// Package generate makes synthetic beacons of a shop whose experiments have
// known true effects: for demonstrations, loads and tests. The same options
// give the same beacons.
package generate

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Options say what to generate.
type Options struct {
	Seed   uint64
	Start  time.Time // event time of the first beacon
	Rate   float64   // beacons a second of event time; default 100
	Format string    // json (default), query or clf
	Tenant string    // default "shop"
	// Delayed is the share of beacons that come up to 20 s after later ones, Doubled
	// the share that comes twice.
	Delayed, Doubled float64
}

// Effects are the true effects of the generated experiments: what the share of
// sessions that order is multiplied by in the variant, against the first one.
var Effects = map[string]map[string]float64{
	"checkout-button": {"control": 1, "blue": 1.15},
	"free-shipping":   {"off": 1, "on": 0.92, "over-50": 1.05},
}

// experiments in a fixed order, with their variants.
var experiments = []struct {
	id       string
	variants []string
}{
	{"checkout-button", []string{"control", "blue"}},
	{"free-shipping", []string{"off", "on", "over-50"}},
}

var agents = []struct{ platform, agent string }{
	{"web", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"},
	{"web", "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"},
	{"ios", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"},
	{"android", "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36"},
	{"web", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
}

var brands = []string{"apple", "samsung", "xiaomi", "lenovo", "bosch", "lucente", "sony"}

// visit is one session that still has beacons to send.
type visit struct {
	sid, visitor string
	agent        int
	variants     []int
	next         time.Time
	left         int     // views to come
	orders       float64 // chance to order at the end
	price        float64
	product      int
	stage        int // what the next beacon is
}

const (
	view = iota
	cart
	purchase
)

// pending is a beacon that is ready, and when it is sent.
type pending struct {
	at  time.Time
	raw []byte
}

// Generator gives beacons in the order in which they are sent. Not for
// concurrent use.
type Generator struct {
	o       Options
	rng     *rand.Rand
	visits  visitHeap
	out     pendingHeap
	arrival time.Time // of the next session
	n       int       // beacons made
	s       int       // sessions made
}

// beaconsPerVisit is the mean number of beacons of a session.
const beaconsPerVisit = 6.0

// New gives a generator.
func New(o Options) *Generator {
	if o.Rate <= 0 {
		o.Rate = 100
	}
	if o.Tenant == "" {
		o.Tenant = "shop"
	}
	if o.Format == "" {
		o.Format = "json"
	}
	return &Generator{o: o, rng: rand.New(rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15)), arrival: o.Start}
}

// Next gives the next beacon and when it is sent. Its bytes are the caller's.
func (g *Generator) Next() (raw []byte, at time.Time) {
	for {
		horizon := g.arrival
		if len(g.visits) > 0 && g.visits[0].next.Before(horizon) {
			horizon = g.visits[0].next
		}
		if len(g.out) > 0 && !g.out[0].at.After(horizon) {
			p := heap.Pop(&g.out).(pending)
			return p.raw, p.at
		}
		if horizon.Equal(g.arrival) {
			g.arrive()
			continue
		}
		g.step()
	}
}

// arrive opens a session.
func (g *Generator) arrive() {
	v := &visit{
		sid:     fmt.Sprintf("%08x-%04x-4%03x", g.rng.Uint32(), g.s&0xffff, g.rng.Uint32N(4096)),
		visitor: fmt.Sprint(500_000_000 + g.rng.Uint32N(50_000_000)),
		next:    g.arrival,
		left:    1 + int(g.rng.ExpFloat64()*(beaconsPerVisit-2)),
	}
	g.s++
	switch p := g.rng.Float64(); {
	case p < 0.04:
		v.agent = 4
	case p < 0.30:
		v.agent = 2
	case p < 0.55:
		v.agent = 3
	case p < 0.65:
		v.agent = 1
	}
	v.orders = 0.25
	for _, e := range experiments {
		i := g.rng.IntN(len(e.variants))
		v.variants = append(v.variants, i)
		v.orders *= Effects[e.id][e.variants[i]]
	}
	heap.Push(&g.visits, v)
	g.arrival = g.arrival.Add(seconds(g.rng.ExpFloat64() * beaconsPerVisit / g.o.Rate))
}

// step sends the next beacon of the session that is due, and plans the one after.
func (g *Generator) step() {
	v := heap.Pop(&g.visits).(*visit)
	if v.stage == view {
		v.product = g.rng.IntN(1000)
		v.price = math.Round(math.Exp(3+1.2*g.rng.NormFloat64())*100) / 100
		v.left--
	}
	at, raw := v.next, g.beacon(v)
	if g.rng.Float64() < g.o.Delayed {
		at = at.Add(seconds(20 * g.rng.Float64()))
	}
	heap.Push(&g.out, pending{at, raw})
	if g.rng.Float64() < g.o.Doubled {
		heap.Push(&g.out, pending{at.Add(seconds(2 * g.rng.Float64())), append([]byte(nil), raw...)})
	}
	switch {
	case v.stage == purchase:
		return
	case v.stage == cart:
		v.stage = purchase
	case v.left > 0:
	case g.rng.Float64() < v.orders && v.agent != 4:
		v.stage = cart
	default:
		return
	}
	v.next = v.next.Add(seconds(2 + g.rng.ExpFloat64()*15))
	heap.Push(&g.visits, v)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
