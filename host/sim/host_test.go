package sim

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/rollout"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// host is a process: it loses all its workers' memory together.
type host struct {
	s        *simulation
	name     string
	lives    int
	down     time.Time     // until then, if it has no workers
	loaded   atomic.Uint64 // the newest generation that it has
	watching watching
	configs  configs
	handed   map[string]bool // topics that it knows to be handed over

	workers  []stepper
	beside   *beside
	dispatch *dispatch.Stage
	session  *session.Stage
	shipping *shipping
}

func (s *simulation) newHost(name string) {
	h := &host{s: s, name: name, beside: &beside{}}
	s.hosts = append(s.hosts, h)
	h.start()
}

func (h *host) up() bool { return len(h.workers) > 0 }

// start brings the host up. It may have to catch up on generations.
func (h *host) start() {
	s := h.s
	h.lives++
	name := fmt.Sprintf("%s.%d", h.name, h.lives)
	newest := s.world.newest().number
	h.loaded.Store(max(1, newest-uint64(s.IntN(2))))
	g := s.world.generation(h.loaded.Load())
	h.watching.all, h.configs.all = map[uint64]*rollout.Watch{}, map[uint64]*session.Config{}
	h.watching.activate(g.tenants["news"].rolled.state)
	h.handed = map[string]bool{}
	h.beside = &beside{s: s, name: name, current: func() bool { return h.loaded.Load() == s.world.newest().number }}
	h.dispatch = dispatch.NewStage(dispatch.StageConfig{
		Core: s.world.core(g, h.handed), Host: name, Metrics: s.world.metrics(), DeadLetters: s.world.deadLetters(), Idle: s.world.idle,
		Started: s.snapshots, Newest: s.newestGeneration, Cluster: asked{s}, Patience: time.Hour,
	})
	h.session = session.NewStage(session.StageConfig{
		Config: h.built(g), Configs: h.config, Host: name, Metrics: s.world.metrics(), DeadLetters: s.world.deadLetters(), Log: h.beside, Snapshots: h.beside, Every: s.every,
		AtOnce:    100, // who waits for whom would be luck
		Committed: h.beside.Committed,
	})
	h.shipping = s.newShipping(name+" ship", s.store, g.number)
	h.workers = []stepper{
		s.newWorker(name+" dispatch", "dispatch", g.sources, h.dispatch, h.beside),
		s.newWorker(name+" session", "session", h.reads(), h.session, h.beside),
		h.shipping,
	}
	s.said("%s is up, with generation %d of %d", name, g.number, newest)
}

// config gives the session stage a generation that the host has, or had.
func (h *host) config(generation uint64) (*session.Config, error) {
	if generation > h.loaded.Load() {
		return nil, fmt.Errorf("generation %d is not loaded yet", generation)
	}
	return h.built(h.s.world.generation(generation)), nil
}

// configs are the generations that a host has built.
type configs struct {
	mu  sync.Mutex
	all map[uint64]*session.Config
}

// built is a generation as the host has it.
func (h *host) built(g *generation) *session.Config {
	h.configs.mu.Lock()
	defer h.configs.mu.Unlock()
	if h.configs.all[g.number] == nil {
		h.configs.all[g.number] = h.s.world.sessionConfig(g, h.watching.of)
	}
	return h.configs.all[g.number]
}

// step lets a worker do something, or what goes on beside, or a generation come.
func (h *host) step() {
	switch n := h.s.IntN(40); {
	case n == 0:
		h.load()
	case n == 1:
		h.look()
	case n < 4:
		h.decide()
	case n < 10:
		h.beside.step()
	default:
		h.workers[h.s.IntN(len(h.workers))].step()
	}
}

// load puts the next generation in force, if there is one.
func (h *host) load() {
	next := h.loaded.Load() + 1
	if !h.up() || next > h.s.world.newest().number {
		return
	}
	g := h.s.world.generation(next)
	h.loaded.Store(next)
	h.s.said("%s loads generation %d", h.name, next)
	h.dispatch.Use(h.s.world.core(g, h.handed))
	h.session.Use(h.built(g))
	h.watching.activate(g.tenants["news"].rolled.state)
	h.shipping.use(g)
}

// reads are the topics that the session role is to read: of a route that moves the
// one that it leaves, until that is handed over.
func (h *host) reads() (topics []string) {
	for _, r := range h.s.world.generation(h.loaded.Load()).routes {
		if old := r.replaces; old != nil && !h.handed[old.topic] {
			topics = append(topics, old.topic)
			continue
		}
		topics = append(topics, r.topic)
	}
	return topics
}

// look looks whether routes have moved whole, and what is to be read.
func (h *host) look() {
	g := h.s.world.generation(h.loaded.Load())
	for _, r := range g.routes {
		if r.replaces == nil || h.handed[r.replaces.topic] || !h.s.handedOver(r) {
			continue
		}
		h.handed[r.replaces.topic] = true
		h.s.said("%s: %s is handed over", h.name, r.replaces.topic)
		h.dispatch.Use(h.s.world.core(g, h.handed))
	}
	h.workers[0].(*worker).read(g.sources)
	h.workers[1].(*worker).read(h.reads())
}

// crash ends the host without a word.
func (h *host) crash() {
	h.s.crashes++
	h.s.said("%s crashes", h.name)
	h.down = time.Now().Add(time.Duration(h.s.Int64N(int64(15 * time.Second))))
	h.end()
}

// end lets go of all that the host holds; nothing of it shows outside.
func (h *host) end() {
	h.beside.die()
	if h.up() {
		h.session.Close()
	}
	h.workers = nil
}
