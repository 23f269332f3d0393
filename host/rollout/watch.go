package rollout

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// side is one of the versions that are asked.
type side int

const (
	decidingSide side = iota
	newSide           // of a shadow or canary
	sides
)

// Usage is what a version has done in a phase, on this host.
type Usage struct {
	Rows  int64         // that it was asked about, each once, however often it was looked at again
	Traps int64         // of them that it failed at alone, the first time
	Fuel  uint64        // rules use none
	Busy  time.Duration // in its code
}

func (u *Usage) add(rows, traps int, t *plugin.Tally) {
	u.Rows += int64(rows)
	u.Traps += int64(traps)
	u.Fuel += t.Fuel
	u.Busy += t.Busy
}

// Watch is what this host has seen of a plugin since its phase began. It may be used
// by several goroutines, and by the plugins of several generations.
type Watch struct {
	name   string
	log    hclog.Logger
	active atomic.Bool // the phase is that of the generation in force
	failed atomic.Bool // the shadow has failed where the version before did not: it is not asked any more

	mu         sync.Mutex
	began      time.Time // when the phase came in force here; zero: it has not
	usage      [sides]Usage
	window     window // of the version that decides
	broken     string // why that is to be taken out
	comparison *Comparison
}

// NewWatch begins to watch a plugin. The comparison of a rollout goes on through its
// phases; nil begins one.
func NewWatch(name string, comparison *Comparison, log hclog.Logger) *Watch {
	if comparison == nil {
		comparison = newComparison()
	}
	return &Watch{name: name, log: log, comparison: comparison}
}

// Activate says that the phase is that of the generation in force: under others, which
// are read again, nothing is compared or counted. How long the phase lasts is counted
// from the first time on.
func (w *Watch) Activate(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began.IsZero() {
		w.began = now
	}
	w.active.Store(true)
}

// Deactivate says that another generation is in force, which has another phase.
func (w *Watch) Deactivate() { w.active.Store(false) }

// Comparison is what a shadow has answered, beside what has decided.
func (w *Watch) Comparison() *Comparison { return w.comparison }

// Usage is what the version that decides and, in a shadow or canary, the new one have
// done.
func (w *Watch) Usage() (deciding, new Usage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.usage[decidingSide], w.usage[newSide]
}

// took takes note of rows that a version was asked about for the first time, and of
// those of them that it failed at alone. Nobody may be watching.
func (w *Watch) took(p *Plugin, s side, rows, traps int, t *plugin.Tally) {
	if w == nil || !w.active.Load() || rows == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.usage[s].add(rows, traps, t)
	if s == decidingSide && w.window.add(int64(rows), int64(traps), &p.settings.Breaker, p.state.Trips > 0) {
		w.breakOff(p)
	}
}

// breaks tells whether the version that decides is to be taken out, after it has
// failed at so many rows of the batch in hand. While another one is on trial it is not:
// that may mend it.
func (w *Watch) breaks(p *Plugin, traps int) bool {
	if w == nil || !w.active.Load() || p.state.Phase == Shadow || p.state.Phase == Canary {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == "" && traps > 0 && w.window.breaks(int64(traps), &p.settings.Breaker, p.state.Trips > 0) {
		w.breakOff(p)
	}
	return w.broken != ""
}

// breakOff notes why the version that decides is to be taken out. mu is held.
func (w *Watch) breakOff(p *Plugin) {
	if w.broken == "" {
		w.broken = fmt.Sprintf("it failed at %s of its beacons or more", p.settings.Breaker.Traps)
	}
}
