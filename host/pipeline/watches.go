package pipeline

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// watches are what this host has seen of plugins, in the phases of generations that
// it may still need.
type watches struct {
	log hclog.Logger
	now func() time.Time

	mu  sync.Mutex
	all map[phaseOf]*phaseWatch
}

// phaseOf is a phase of a plugin: the generation that began it names it.
type phaseOf struct {
	plugin     string
	generation uint64
}

type phaseWatch struct {
	*rollout.Watch
	state rollout.State
}

// of gives the watch of a plugin's phase. What a shadow has compared is kept through
// the phases that follow it.
func (w *watches) of(name string, s rollout.State) *rollout.Watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := phaseOf{name, s.Generation}
	if known := w.all[key]; known != nil && known.state.Phase == s.Phase && known.state.New == s.New { // else another host was first
		return known.Watch
	}
	var compared *rollout.Comparison
	latest := uint64(0)
	for other, before := range w.all {
		if other.plugin == name && before.state.New == s.New && s.Phase != rollout.Shadow && other.generation < s.Generation && other.generation >= latest {
			compared, latest = before.Comparison(), other.generation
		}
	}
	if w.all == nil {
		w.all = map[phaseOf]*phaseWatch{}
	}
	w.all[key] = &phaseWatch{rollout.NewWatch(name, compared, w.log), s}
	return w.all[key].Watch
}

// activate makes a generation's phases those that are watched. Earlier ones are let
// go of.
func (w *watches) activate(g *Generation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, one := range w.all {
		p := g.plugins[key.plugin]
		yes := p != nil && p.State().Generation == key.generation
		if yes {
			one.Activate(w.now())
			continue
		}
		one.Deactivate()
		if key.generation <= g.Number {
			delete(w.all, key)
		}
	}
}
