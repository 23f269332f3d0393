package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/definition"
	plugins "github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rollout"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

// version is one of those of the tenant news' extractor, a true plugin, twice: as the
// host loads it, and as the definition has it.
type version struct {
	spec    plugins.Spec
	loaded  *plugins.Plugin
	extract extraction
	close   func(definition.Session) []definition.Measurement // nil: it has no close function
}

type extraction func(definition.Beacon, definition.Cells) []definition.Measurement

// versions are loaded once, outside of any run's bubble.
var versions = sync.OnceValue(func() []*version {
	loader, err := plugins.NewLoader("")
	if err != nil {
		panic(err)
	}
	visits := func(config string) plugins.Spec {
		return plugins.Spec{Module: "../../plugins/visits/visits.wasm", Config: json.RawMessage(config)}
	}
	all := []*version{
		{
			spec:    visits(`{"pages": {"field": "type", "is": ["view"]}, "engaged": 10}`),
			extract: paged(nil, "view"), close: visited(10),
		},
		{
			spec:    visits(`{"points": [{"point": "seen", "is": "view"}, {"point": "order", "is": "order"}]}`),
			extract: paged(map[string]string{"view": "seen", "order": "order"}), close: visited(math.Inf(1)),
		},
		{
			spec: plugins.Spec{Rules: &rules.Rules{Extract: []rules.Extract{
				{Point: "order", When: `type == "order" || type == "both"`}, {Point: "seen", When: `type == "view"`},
			}}},
			extract: ruled,
		},
		{spec: plugins.Spec{Module: "../plugin/testdata/sessions.wasm"}, extract: moody, close: moodyEnd},
	}
	for _, v := range all {
		v.spec.Name, v.spec.OnError = "news", plugins.Pass
		if v.loaded, err = loader.Load(context.Background(), v.spec); err != nil {
			panic(err)
		}
	}
	return all
})

// paged is visits.wasm, which counts pages: beacons of a type, or all.
func paged(points map[string]string, pages ...string) extraction {
	return func(b definition.Beacon, cells definition.Cells) (all []definition.Measurement) {
		what := b.Field("type").Text()
		if len(pages) == 0 || slices.Contains(pages, what) {
			cells["pages i64"]++
		}
		if point, ok := points[what]; ok {
			all = append(all, definition.Measurement{Point: point, Value: 1})
		}
		return all
	}
}

func visited(engaged float64) func(definition.Session) []definition.Measurement {
	return func(s definition.Session) []definition.Measurement {
		seconds, pages := float64(s.Last-s.First)/1000, float64(int64(s.Cells["pages i64"]))
		all := []definition.Measurement{{Point: "duration", Value: seconds}, {Point: "pages", Value: pages}}
		if pages == 1 && seconds < engaged {
			all = append(all, definition.Measurement{Point: "bounce", Value: 1})
		}
		return all
	}
}

func ruled(b definition.Beacon, _ definition.Cells) []definition.Measurement {
	switch b.Field("type").Text() {
	case "view":
		return []definition.Measurement{{Point: "seen", Value: 1}}
	case "order", "both":
		return []definition.Measurement{{Point: "order", Value: 1}}
	}
	return nil
}

// moody is sessions.wasm, which traps where a beacon says so.
func moody(b definition.Beacon, cells definition.Cells) []definition.Measurement {
	do := b.Field("do").Text()
	if do == "trap" {
		return nil
	}
	cells["seen i64"]++
	total := math.Float64frombits(cells["total f64"])
	if v, ok := b.Field("v").Number(); ok {
		total += v
	}
	cells["total f64"] = math.Float64bits(total)
	all := []definition.Measurement{{Point: "nth", Value: float64(cells["seen i64"])}}
	switch do {
	case "forget":
		cells["seen i64"] = 0
	case "sum":
		all = append(all, definition.Measurement{Point: "sum", Value: total, Attributes: map[string]string{"what": do}})
	}
	return all
}

func moodyEnd(s definition.Session) []definition.Measurement {
	return []definition.Measurement{
		{Point: "sum", Value: math.Float64frombits(s.Cells["total f64"]), Attributes: map[string]string{"what": "all"}},
		{Point: "end", Value: float64(s.Last - s.First)},
		{Point: "counted", Value: float64(s.Counts["nth"])},
	}
}

// rolled is what a generation says of the extractor of news.
type rolled struct {
	state    rollout.State
	settings rollout.Settings
	new, old *version // old: nil, or the version before
}

func moment(generation uint64, by string) rollout.Moment {
	return rollout.Moment{Generation: generation, Time: time.Now(), By: by}
}

// firstRolled is that of the first generation.
func firstRolled(r *rand.Rand) rolled {
	v := pick(r, versions()...)
	return rolled{state: rollout.First(v.spec, abi.Extract, moment(1, "first")), settings: rolledSettings(r), new: v}
}

func rolledSettings(r *rand.Rand) rollout.Settings {
	s := rollout.Settings{Breaker: rollout.BreakerSettings{Traps: 300_000, Rows: 10, Backoff: 20 * time.Second, MaxBackoff: 5 * time.Minute}}
	if r.IntN(3) > 0 {
		s.Shadow = &rollout.ShadowSettings{For: pick(r, 0, time.Minute), MaxDiff: pick(r, rollout.Share(0), 1_000_000), MinRows: 5}
	}
	if r.IntN(3) > 0 {
		s.Canary = &rollout.CanarySettings{Share: pick(r, rollout.Share(300_000), 700_000), For: pick(r, 0, time.Minute), MaxTraps: 100_000, MinRows: 5}
	}
	return s
}

// follow is that of the next generation, whose config names another version, or asks
// for other trials.
func (w rolled) follow(r *rand.Rand, generation uint64) rolled {
	is, settings := pick(r, versions()...), rolledSettings(r)
	next := rolled{state: w.state.Follow(w.new.spec, is.spec, abi.Extract, settings, moment(generation, "reload")), settings: settings, new: is}
	next.find()
	return next
}

// in is that of a generation in which the plugin is in another state.
func (w rolled) in(state rollout.State) rolled {
	w.state = state
	return w
}

// find finds the version before.
func (w *rolled) find() {
	w.old = nil
	for _, v := range versions() {
		if w.state.Old != nil && rollout.IDOf(v.spec) == rollout.IDOf(*w.state.Old) {
			w.old = v
		}
	}
}

// plugin is the extractor as a host has it that watches it.
func (w rolled) plugin(watch *rollout.Watch) *rollout.Plugin {
	var old *plugins.Plugin
	if w.state.NeedsOld() {
		old = w.old.loaded
	}
	p, err := rollout.New(w.state, w.settings, w.new.loaded, old, watch)
	if err != nil {
		panic(err)
	}
	return p
}

// whose is the cell in which a canary notes which version a session is with.
const whose = "canary::whose i64"

// define is the extractor in the words of the definition: what its version says that
// decides; of a canary, that which the session is with.
func (w rolled) define(t *definition.Tenant) {
	decides := w.new
	switch w.state.Phase {
	case rollout.Out:
		t.Extract = func(definition.Beacon) []definition.Measurement { return nil }
		return
	case rollout.Shadow, rollout.RolledBack, rollout.Fallback:
		decides = w.old
	case rollout.Canary:
		w.defineCanary(t)
		return
	}
	t.ExtractIn, t.Close = decides.extract, decides.close
	if w.state.Phase == rollout.Shadow && t.Close == nil && w.new.close != nil {
		t.Close = func(definition.Session) []definition.Measurement { return nil } // measurements are counted for it
	}
}

func (w rolled) defineCanary(t *definition.Tenant) {
	closes := w.new.close != nil || w.old.close != nil
	seed := xxhash.Sum64String("news\x00" + w.state.New)
	t.ExtractIn = func(b definition.Beacon, cells definition.Cells) []definition.Measurement {
		d := xxhash.NewWithSeed(seed)
		if _, err := d.WriteString(b.Tenant + "\x00" + b.Session); err != nil {
			panic(err) // it never fails
		}
		side, v := uint64(1), w.old
		if d.Sum64()%1_000_000 < uint64(w.settings.Canary.Share) {
			side, v = 2, w.new
		}
		if closes {
			cells[whose] = side
		}
		return v.extract(b, cells)
	}
	if !closes {
		return
	}
	t.Close = func(s definition.Session) []definition.Measurement {
		v := w.old
		if s.Cells[whose] == 2 {
			v = w.new
		}
		if v.close == nil {
			return nil
		}
		return v.close(s)
	}
}

func (w rolled) String() string {
	at := func(v *version) int { return slices.Index(versions(), v) }
	text := fmt.Sprintf("version %d %s since generation %d", at(w.new), w.state.Phase, w.state.Generation)
	if w.old != nil {
		text += fmt.Sprintf(", before it %d", at(w.old))
	}
	if w.state.Reason != "" {
		text += ": " + w.state.Reason
	}
	return text
}

// watching is what a host has seen of the extractor, by the generation that began the
// phase: lost when it crashes.
type watching struct {
	mu  sync.Mutex
	all map[uint64]*rollout.Watch
}

func (w *watching) of(state rollout.State) *rollout.Watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all[state.Generation] == nil {
		w.all[state.Generation] = rollout.NewWatch("news", nil, hclog.NewNullLogger())
	}
	return w.all[state.Generation]
}

// activate makes the phase of a generation the one that is watched.
func (w *watching) activate(state rollout.State) {
	watch := w.of(state)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, other := range w.all {
		if other != watch {
			other.Deactivate()
		}
	}
	watch.Activate(time.Now())
}

// proposal is a generation that a host has published, and nobody has read yet.
type proposal struct {
	host   string
	parent uint64
	state  rollout.State
}

// decide has the host publish what the rules say, as far as it has seen.
func (h *host) decide() {
	now := h.loaded.Load()
	t, ok := h.s.world.generation(now).tenants["news"]
	if !ok {
		return
	}
	p := t.rolled.plugin(h.watching.of(t.rolled.state))
	if phase, reason, due := p.Due(time.Now()); due {
		h.propose(now, p.Next(phase, reason, moment(now+1, h.name)))
	}
}

// roll brings a version of the extractor of news in, or has an operator decide of it.
func (s *simulation) roll(h *host) {
	switch {
	case s.chance(2):
	case s.chance(3):
		if h.up() {
			h.byHand()
		}
	case s.world.newest().number < mostGenerations/2:
		s.said("%v is published", s.world.renew(s.Rand))
	}
}

// renew makes a generation with another version of the extractor of news.
func (w *world) renew(r *rand.Rand) *generation {
	g := w.newest().next()
	t := g.tenants["news"]
	t.rolled = t.rolled.follow(r, g.number)
	g.tenants["news"] = t
	w.add(g)
	return g
}

// byHand has the host publish what an operator says.
func (h *host) byHand() {
	now := h.loaded.Load()
	t, ok := h.s.world.generation(now).tenants["news"]
	if !ok {
		return
	}
	next, ok := t.rolled.state.Promote(moment(now+1, "operator"))
	if h.s.chance(2) {
		var err error
		next, err = t.rolled.state.RollBack(moment(now+1, "operator"))
		ok = err == nil
	}
	if ok {
		h.propose(now, next)
	}
}

func (h *host) propose(parent uint64, state rollout.State) {
	h.s.said("%s publishes that news is %s, behind generation %d", h.name, state.Phase, parent)
	h.s.proposals = append(h.s.proposals, proposal{h.name, parent, state})
}

// arrive has a proposal be read: of two with one parent the first holds.
func (s *simulation) arrive() {
	i := s.IntN(len(s.proposals))
	p := s.proposals[i]
	s.proposals = slices.Delete(s.proposals, i, i+1)
	if p.parent != s.world.newest().number || s.world.newest().number >= mostGenerations {
		s.overtaken++
		s.said("what %s has published behind generation %d comes too late", p.host, p.parent)
		return
	}
	g := s.world.rollOut(p.state)
	s.rolls[p.state.Phase]++
	s.said("%v is published", g)
}

// mostGenerations bounds those of a run.
const mostGenerations = 24

// rollOut makes a generation in which the extractor of news is in another state.
func (w *world) rollOut(state rollout.State) *generation {
	old := w.newest()
	g := old.next()
	t := g.tenants["news"]
	t.rolled = t.rolled.in(state)
	g.tenants["news"] = t
	w.add(g)
	return g
}
