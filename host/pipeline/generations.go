package pipeline

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"weak"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/query"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// generations are those of the host's group, as far as this host has them: the one
// in force here, and older ones while sessions need them.
type generations struct {
	journal *journal
	files   *files
	shelf   *shelf
	own     *config.Config // what is this host's own: kafka, http, data, snapshots, stores
	readers map[string]query.Reader
	log     hclog.Logger

	mu      sync.Mutex
	current *Generation
	watches watches
	fault   string                                  // why a newer one is not in force
	others  map[uint64]weak.Pointer[session.Config] // given out; sessions keep them alive
}

// loadTimeout bounds loading a generation that a session asks for.
const loadTimeout = time.Minute

// load builds the generation of a record.
func (g *generations) load(ctx context.Context, r *generationRecord) (*Generation, error) {
	cfg, err := r.parse(g.files.dir)
	if err != nil {
		return nil, err
	}
	own := g.own
	cfg.Kafka, cfg.HTTP, cfg.Data, cfg.Snapshots, cfg.Stores = own.Kafka, own.HTTP, own.Data, own.Snapshots, own.Stores
	if err := g.files.fetch(ctx, cfg); err != nil {
		return nil, fmt.Errorf("generation %d: %w", r.Number, err)
	}
	rollouts, err := g.rolling(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("generation %d: %w", r.Number, err)
	}
	next, err := build(ctx, cfg, buildOptions{number: r.Number, routes: r.Routes, origins: r.Origins, shelf: g.shelf, readers: g.readers, rollouts: rollouts})
	if err == nil {
		next.sessions, err = next.sessionConfig(false)
	}
	if err != nil {
		return nil, fmt.Errorf("generation %d: %w", r.Number, err)
	}
	next.record = r
	return next, nil
}

// inForce is the generation that this host runs.
func (g *generations) inForce() *Generation {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current
}

// put puts a generation in force.
func (g *generations) put(next *Generation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.begin(next)
	g.current, g.fault = next, ""
	g.watches.activate(next)
	g.others[next.Number] = weak.Make(next.sessions)
	for n, p := range g.others {
		if p.Value() == nil {
			delete(g.others, n)
		}
	}
}

// begin notes in the lives of plugins that a generation goes in force.
func (g *generations) begin(next *Generation) {
	called := map[*plugin.Plugin]bool{}
	for _, p := range next.plugins {
		s, detail := p.State(), fmt.Sprintf("generation %d", next.Number)
		if s.Reason != "" {
			detail += ": " + s.Reason
		}
		p.New().Life().Enter(string(s.Phase), detail)
		called[p.New()] = true
		if old := p.Old(); old != nil {
			old.Life().Enter(plugin.Live, detail)
			called[old] = true
		}
	}
	if g.current == nil {
		return
	}
	for name, p := range g.current.plugins {
		for _, v := range p.Versions() {
			if now := next.plugins[name]; now == nil {
				v.Life().Enter(plugin.Draining, fmt.Sprintf("generation %d has no plugin %s", next.Number, name))
			} else if !called[v] {
				v.Life().Enter(plugin.Draining, fmt.Sprintf("generation %d has version %s", next.Number, now.Version()))
			}
		}
	}
}

// failed notes why a newer generation is not in force, and tells whether that is
// news.
func (g *generations) failed(err error) (news bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.fault
	g.fault = fmt.Sprintf("generation %d is wanted, and this host goes on with %d: %v", g.journal.wanted(), g.current.Number, err)
	return g.fault != before
}

// status says which generation is in force, which is wanted, and why they differ.
func (g *generations) status() (inForce, wanted uint64, fault string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current.Number, g.journal.wanted(), g.fault
}

// config gives sessions any generation that the group has had: what a partition is
// read again under, or was left at by a host that was faster. It may be called at
// any time.
func (g *generations) config(number uint64) (*session.Config, error) {
	if cfg := g.known(number); cfg != nil {
		return cfg, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	if number > g.journal.wanted() {
		if _, err := g.journal.catchUp(ctx); err != nil {
			return nil, err
		}
	}
	r, err := g.journal.fetch(ctx, number)
	if err != nil {
		return nil, err
	}
	loaded, err := g.load(ctx, r)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if cfg := g.others[number].Value(); cfg != nil {
		return cfg, nil // another partition was faster
	}
	for _, p := range loaded.plugins {
		for _, v := range p.Versions() {
			if state, _ := v.Life().State(); state == plugin.Ready {
				v.Life().Enter(plugin.Draining, fmt.Sprintf("sessions of generation %d", number))
			}
		}
	}
	g.others[number] = weak.Make(loaded.sessions)
	return loaded.sessions, nil
}

func (g *generations) known(number uint64) *session.Config {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.others[number].Value()
}

// proposal is a generation that is not published yet.
type proposal struct {
	record  *generationRecord
	packed  *packed
	summary []string // of changes, for people
	changes []change // from the one that holds; nil: there is nothing to publish
}

// propose makes a generation of this host's file that follows the one that holds.
// The error names every fault of the file, and everything that can not follow.
func (g *generations) propose(ctx context.Context, file *config.Config, host string) (*proposal, error) {
	current, err := g.journal.catchUp(ctx)
	if err != nil {
		return nil, err
	}
	p := &proposal{}
	if p.packed, err = g.shelf.pack(ctx, file); err != nil {
		return nil, err
	}
	routes, parent := firstRoutes(file), uint64(0)
	if current == nil {
		p.changes = []change{{Path: "generation", After: "the first"}}
	} else {
		if p.changes, err = differs(current, p.packed); err != nil || len(p.changes) == 0 {
			return p, err
		}
		parent = current.Number
		if routes, err = g.journal.follows(ctx, current, file); err != nil {
			_, more := g.try(ctx, file, firstRoutes(file), parent+1)
			return nil, withFaults(err, more)
		}
	}
	tried, err := g.try(ctx, file, routes, parent+1)
	if err != nil {
		return nil, err
	}
	if current != nil {
		was := map[string]string{}
		if now := g.inForce(); now != nil && now.Number == current.Number {
			was = now.versions()
		}
		if p.summary, err = summarize(current.Config, p.packed.Shared(), was, tried.versions); err != nil {
			return nil, err
		}
	}
	if p.record, err = newRecord(p.packed.Config, parent, routes, host, g.watches.now()); err != nil {
		return nil, err
	}
	p.record.Origins = p.packed.origins
	if current != nil {
		p.record.Bucket = current.Bucket
	}
	rollouts, err := p.record.follow(current, tried.kinds)
	p.changes = append(p.changes, rollouts...)
	return p, err
}

// tried is what is known of the plugins of a generation that was built, by name.
type tried struct {
	versions map[string]string
	kinds    map[string]abi.Kind
}

// try builds the generation of that number from the host's own files, golden
// vectors and all, and lets it go.
func (g *generations) try(ctx context.Context, file *config.Config, routes []route, number uint64) (found tried, err error) {
	s, err := newShelf(file)
	if err != nil {
		return found, err
	}
	s.past, s.trial = g.shelf.past, true
	next, err := buildAlone(ctx, file, s)
	if err != nil {
		return found, err
	}
	next.routes, next.Number = routes, number
	_, err = next.sessionConfig(false)
	if err == nil {
		_, err = dispatch.NewCore(next.dispatchConfig(func(string) bool { return false }))
	}
	found = tried{next.versions(), map[string]abi.Kind{}}
	for name, p := range next.plugins {
		found.kinds[name] = p.Kind()
	}
	if closed := next.Close(ctx); err == nil {
		err = closed
	}
	return found, err
}

// versions are those of the plugins, by name.
func (g *Generation) versions() map[string]string {
	all := map[string]string{}
	for name, p := range g.plugins {
		all[name] = p.Version()
	}
	return all
}

// differs is what a host's config has otherwise than a generation, in words of the
// config file. Stores are where each host has them.
func differs(r *generationRecord, p *packed) ([]change, error) {
	all, err := differences(p.asGiven(r.Config), p.asGiven(p.Shared()))
	var changes []change
	for _, c := range all {
		if c.Path != "stores" && !strings.HasPrefix(c.Path, "stores.") {
			changes = append(changes, c)
		}
	}
	return p.withoutDigests(changes), err
}

// publish puts the proposal's files where all hosts find them, then publishes it.
// Whatever ends in between has done no harm: nothing refers to the files yet. The
// first one says for all later ones which bucket is the group's.
func (g *generations) publish(ctx context.Context, p *proposal) (err error) {
	if p.record.Bucket == "" {
		if p.record.Bucket, err = g.files.store.MakeID(ctx); err != nil {
			return err
		}
	}
	if err := g.files.put(ctx, p.packed); err != nil {
		return err
	}
	return g.journal.publish(ctx, p.record)
}
