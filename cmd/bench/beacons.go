package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// The shop whose beacons are made: sessions of about ten beacons, each in five
// of a hundred experiments.
const (
	tenant      = "shop"
	openVisits  = 50_000
	eventRate   = 2000 // beacons a second of event time
	experiments = 100
	perVisit    = 5
	botsOf100   = 2 // visits
)

// start is the event time of the first beacon.
var start = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// kind is what a beacon can be, and how many of 1000 are.
type kind struct {
	name   string
	share  int
	useful bool
}

// Of all beacons 57 % are useful: 58.2 % of those that bots do not send.
var kinds = []kind{
	{"view", 320, true}, {"click", 150, true}, {"search", 60, true}, {"cart", 35, true}, {"purchase", 17, true},
	{"scroll", 180, false}, {"heartbeat", 120, false}, {"mouse_move", 60, false}, {"perf", 38, false}, {"impression", 20, false},
}

type agent struct{ platform, text string }

var agents = []agent{
	{"web", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"},
	{"web", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36"},
	{"web", "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"},
	{"web", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"},
	{"ios", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"},
	{"ios", "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"},
	{"android", "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"},
	{"android", "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36"},
}

const botAgent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

var (
	categories = []string{"electronics.smartphone", "appliances.environment.water_heater", "furniture.living_room.sofa", "computers.notebook", "apparel.shoes.keds", "electronics.audio.headphone", "kids.toys", "construction.tools.drill"}
	brands     = []string{"apple", "samsung", "xiaomi", "lenovo", "bosch", "lucente", "sony", "huawei", "shiseido", "aqua"}
	referrers  = []string{"https://www.google.com/", "https://shop.example/", "https://www.bing.com/", "https://news.example/deals/today"}
	languages  = []string{"en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr-FR,fr;q=0.9,en;q=0.7", "pl-PL,pl;q=0.9"}
)

// visit is an open session.
type visit struct {
	session, visitor, assignments string
	agent                         agent
	width, height                 int
	address                       uint32
}

// shop makes beacons: the same every time.
type shop struct {
	rng    *rand.Rand
	visits []visit
	n      int64
	text   []byte
}

func newShop() *shop {
	return &shop{rng: rand.New(rand.NewPCG(1, 2)), visits: make([]visit, openVisits)}
}

// beacon is one that was made; its text is valid until the next is made.
type beacon struct {
	text    []byte
	session string
	kept    bool // dispatch must not drop it
	mobile  bool
}

// next makes the next beacon. One in twenty is up to 5 s late, the others up to
// 200 ms; a session ends after each of its beacons with a chance of a tenth.
func (s *shop) next() beacon {
	r := s.rng
	v := &s.visits[r.IntN(openVisits)]
	if v.session == "" || r.IntN(10) == 0 {
		*v = s.arrive()
	}
	late := r.IntN(200)
	if r.IntN(20) == 0 {
		late = r.IntN(5000)
	}
	ts := start.UnixMilli() + s.n*1000/eventRate - int64(late)
	k := s.kind()
	product := 1_000_000 + r.IntN(20_000)*37
	category := categories[product%len(categories)]
	b := append(s.text[:0], `{"id":"`...)
	b = appendHex(b, r.Uint64())
	b = appendHex(append(b, '-'), uint64(s.n))
	b = strconv.AppendInt(append(b, `","ts":`...), ts, 10)
	b = append(b, `,"tenant":"`+tenant+`","sid":"`+v.session+`","visitor":"`+v.visitor+`","type":"`+k.name+`","platform":"`+v.agent.platform...)
	b = append(b, `","page":{"url":"https://shop.example/`+category+`/`...)
	b = strconv.AppendInt(b, int64(product), 10)
	b = appendHex(append(b, `?ref=list&click=`...), r.Uint64())
	b = append(b, `","referrer":"`+referrers[r.IntN(len(referrers))]+`"},"headers":{"ua":"`+v.agent.text+`","lang":"`+languages[v.address%4]+`","ip":"`...)
	b = fmt.Appendf(b, "%d.%d.%d.%d", v.address>>24, v.address>>16&255, v.address>>8&255, v.address&255)
	b = strconv.AppendInt(append(b, `"},"screen":{"w":`...), int64(v.width), 10)
	b = strconv.AppendInt(append(b, `,"h":`...), int64(v.height), 10)
	b = append(b, `},"exp":[`+v.assignments+`],"product":{"id":"`...)
	b = strconv.AppendInt(b, int64(product), 10)
	b = append(b, `","category":"`+category+`","brand":"`+brands[product/37%len(brands)]+`","price":`...)
	b = strconv.AppendFloat(b, math.Round(math.Exp(3+1.2*r.NormFloat64())*100)/100, 'f', -1, 64)
	b = strconv.AppendInt(append(b, `},"perf":{"ttfb":`...), int64(20+r.IntN(400)), 10)
	b = strconv.AppendInt(append(b, `,"lcp":`...), int64(300+r.IntN(4000)), 10)
	b = append(b, `},"app":"4.12.0"}`...)
	s.text = b
	s.n++
	return beacon{text: b, session: v.session, kept: k.useful && v.agent.text != botAgent, mobile: v.agent.platform != "web"}
}

func (s *shop) kind() kind {
	at := s.rng.IntN(1000)
	for _, k := range kinds {
		if at < k.share {
			return k
		}
		at -= k.share
	}
	panic("the shares of the kinds are not 1000")
}

// arrive begins a session.
func (s *shop) arrive() visit {
	r := s.rng
	v := visit{
		session: fmt.Sprintf("%08x-%04x-4%03x-%012x", r.Uint32(), r.Uint32N(1<<16), r.Uint32N(1<<12), r.Uint64N(1<<48)),
		visitor: strconv.Itoa(500_000_000 + r.IntN(50_000_000)),
		agent:   agents[r.IntN(len(agents))],
		width:   320 + 16*r.IntN(140), height: 568 + 8*r.IntN(110), address: r.Uint32(),
	}
	if r.IntN(100) < botsOf100 {
		v.agent = agent{"web", botAgent}
	}
	e := r.IntN(experiments)
	for i := range perVisit {
		if i > 0 {
			v.assignments += ","
		}
		v.assignments += fmt.Sprintf(`{"id":"exp-%02d","variant":"%c"}`, e, 'a'+r.IntN(2))
		e = (e + 1 + r.IntN(experiments/perVisit-1)) % experiments
	}
	return v
}

func appendHex(b []byte, v uint64) []byte { return strconv.AppendUint(b, v, 16) }
