package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

const (
	// chunkRows is how many beacons a call has at most, fewer of a slow plugin: enough that what a call
	// costs does not show, and few enough to stay in the processor's cache.
	chunkRows = 4096
	// memoryShare of an instance's memory is what the raw bytes of a call's
	// beacons may have: the guest needs room for itself, and fields that are
	// asked for twice are there twice.
	memoryShare = 8
	// keptInstances is how many instances stay configured while nobody needs
	// them; workers beyond it make theirs anew.
	keptInstances = 64
)

// Plugin is a loaded plugin. It is safe for concurrent use: each call takes an
// instance of its own.
type Plugin struct {
	name, version, digest string
	kind                  abi.Kind
	plan                  *abi.Plan
	onError               OnError
	chunkBytes            int // of raw beacons, a call

	module  *wasm.Module
	pool    *wasm.Pool
	config  json.RawMessage
	data    map[string][]byte
	vectors int
	life    Life

	scratch   sync.Pool // of *scratch
	pace      pace
	closePace pace // of the close function
	uses      uses

	last                                                       atomic.Pointer[Failure]
	rows, sessions, calls, failures, guilty, nanoseconds, fuel atomic.Uint64
	counters                                                   []atomic.Uint64
}

// scratch is the memory of one call.
type scratch struct {
	run    run
	batch  abi.Batch // of beacons
	closed abi.Batch // of closed sessions
	cells  cells
	all    []int // 0, 1, …: the rows of closed sessions
	shares shares
	out    abi.Output
}

// first are the numbers of so many rows.
func (s *scratch) first(n int) []int {
	for len(s.all) < n {
		s.all = append(s.all, len(s.all))
	}
	return s.all[:n]
}

// Name is the plugin's name in the config.
func (p *Plugin) Name() string { return p.name }

// Version is the module's version in its manifest; of rules, one that hangs on their
// text alone.
func (p *Plugin) Version() string { return p.version }

// Digest is "sha256:" and the hex digest of the module, of rules that which this build
// of Pharos makes of them.
func (p *Plugin) Digest() string { return p.digest }

// Kind is what the plugin does with beacons.
func (p *Plugin) Kind() abi.Kind { return p.kind }

// Plan is what the plugin needs and may answer. The caller must not change it.
func (p *Plugin) Plan() *abi.Plan { return p.plan }

// Points are the points of an extractor; measurements refer to them by index.
func (p *Plugin) Points() []abi.Point { return p.plan.Points }

// Vectors is how many golden vectors held when the plugin was loaded.
func (p *Plugin) Vectors() int { return p.vectors }

// Life is the journal of this version; its owner enters states in it.
func (p *Plugin) Life() *Life { return &p.life }

// Close waits for the calls that are under way, or until ctx ends, and lets
// the plugin go. Calls after it fail.
func (p *Plugin) Close(ctx context.Context) error {
	var errs []error
	if p.pool != nil {
		errs = append(errs, p.pool.Close(ctx))
	}
	if p.module != nil {
		errs = append(errs, p.module.Close(ctx))
	}
	return errors.Join(errs...)
}

// Filter asks a filter about the selected rows and calls drop for each that
// does not go on, in the order of sel. After an error, which is that of a
// cancelled context or of the host, some rows may not have been asked about.
func (p *Plugin) Filter(ctx context.Context, b *beacon.Batch, sel []int, drop func(row int, d beacon.Drop)) error {
	if err := p.mustBe(abi.Filter); err != nil {
		return err
	}
	return p.run(ctx, run{beacons: b, sel: sel, refuse: drop, answered: func(out *abi.Output, sel []int) {
		for i, row := range sel {
			if !abi.Bit(out.Keep, i) {
				drop(row, beacon.Drop{Reason: p.plan.Reasons[out.Reasons[i]], Plugin: p.name, Version: p.version})
			}
		}
	}})
}

// Split asks a splitter about the selected rows and calls route for each that
// it has an opinion on, and drop for each that does not go on because the
// plugin failed at it. Order and errors are those of Filter.
func (p *Plugin) Split(ctx context.Context, b *beacon.Batch, sel []int, route func(row int, name string), drop func(row int, d beacon.Drop)) error {
	if err := p.mustBe(abi.Split); err != nil {
		return err
	}
	return p.run(ctx, run{beacons: b, sel: sel, refuse: drop, answered: func(out *abi.Output, sel []int) {
		for i, row := range sel {
			if out.Routes[i] != abi.NoRoute {
				route(row, p.plan.Routes[out.Routes[i]])
			}
		}
	}})
}

// Extract measures the selected rows: emit is called for each measurement, rows
// in the order of sel; bad for each whose value is no number, NaN, infinite or
// too large; fail for each row at which the plugin failed, of which a copy is
// to be kept. Errors are those of Filter. One with cells wants ExtractSessions.
func (p *Plugin) Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(m metric.Measurement), bad func(row int), fail func(row int, d beacon.Drop)) error {
	if err := p.mustBe(abi.Extract); err != nil {
		return err
	}
	if len(p.plan.Cells) > 0 {
		return fmt.Errorf("plugin %s keeps cells with sessions, and is called without", p.name)
	}
	return p.run(ctx, run{beacons: b, sel: sel, emit: emit, bad: bad, refuse: fail})
}

func (p *Plugin) mustBe(kind abi.Kind) error {
	if p.kind != kind {
		return fmt.Errorf("plugin %s is a %s, and is called as a %s", p.name, p.kind, kind)
	}
	return nil
}
