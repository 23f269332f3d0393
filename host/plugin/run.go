package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// run is one walk over the rows of a batch with one instance.
type run struct {
	p        *Plugin
	ctx      context.Context
	beacons  *beacon.Batch
	instance *wasm.Instance // nil of rules, and until one is needed
	fresh    bool           // it has processed nothing yet, and is to prove a row guilty
	scratch  *scratch

	answered func(out *abi.Output, sel []int)
	refuse   func(row int, d beacon.Drop)
}

// run gives the selected rows to the plugin in calls that are not too large.
func (p *Plugin) run(ctx context.Context, b *beacon.Batch, sel []int, answered func(out *abi.Output, sel []int), refuse func(row int, d beacon.Drop)) (err error) {
	if len(sel) == 0 {
		return nil
	}
	s, ok := p.scratch.Get().(*scratch)
	if !ok {
		s = new(scratch)
	}
	defer p.scratch.Put(s)
	r := &run{p: p, ctx: ctx, beacons: b, scratch: s, answered: answered, refuse: refuse}
	defer func() { err = errors.Join(err, r.release()) }()
	for len(sel) > 0 {
		n := p.chunk(b, sel)
		if _, err := r.process(sel[:n], false); err != nil {
			return fmt.Errorf("plugin %s: %w", p.name, err)
		}
		sel = sel[n:]
	}
	return nil
}

// chunk is how many of the rows the next call takes, at least one.
func (p *Plugin) chunk(b *beacon.Batch, sel []int) int {
	most := min(len(sel), p.pace.rows())
	size := 0
	for i, row := range sel[:most] {
		if size += len(b.Row(row).Raw); size > p.chunkBytes && i > 0 {
			return i
		}
	}
	return most
}

// process has the rows answered, and splits them where the plugin fails. bad says
// that the plugin is known to fail at one of them. It reports whether one of them
// is guilty; the error is that of the host.
func (r *run) process(sel []int, bad bool) (guilty bool, err error) {
	if len(sel) == 1 {
		return r.judge(sel)
	}
	if !bad {
		if failure, err := r.call(sel); err != nil || failure == nil {
			return false, err
		}
	}
	half := len(sel) / 2
	left, err := r.process(sel[:half], false)
	if err != nil {
		return false, err
	}
	right, err := r.process(sel[half:], !left)
	return left || right, err
}

// judge has one row answered, or blames it. What came before may have broken the
// instance: a row is guilty only if it fails alone in a fresh one.
func (r *run) judge(sel []int) (guilty bool, err error) {
	failure, err := r.call(sel)
	if err != nil || failure == nil {
		return false, err
	}
	if r.p.program == nil {
		if err := r.renew(); err != nil {
			return false, err
		}
		if failure, err = r.call(sel); err != nil || failure == nil {
			return false, err
		}
	}
	r.p.guilty.Add(1)
	r.p.blame(sel[0], failure, r.refuse)
	return true, nil
}

// call has the rows answered, and passes the answers on. A failure is the plugin's,
// and an error the host's.
func (r *run) call(sel []int) (failure, err error) {
	p, s := r.p, r.scratch
	r.beacons.Columns(p.plan.Fields, sel, &s.batch)
	start, used := time.Now(), uint64(0)
	if p.program != nil {
		err = p.program.Process(r.ctx, &s.batch, &s.out)
	} else {
		if err = r.acquire(); err != nil {
			return nil, err
		}
		before := r.instance.Fuel()
		process := r.instance.Process
		if r.fresh {
			process = r.instance.Prove
		}
		err = process(r.ctx, &s.batch, &s.out)
		r.fresh, used = false, r.instance.Fuel()-before
	}
	p.nanoseconds.Add(uint64(time.Since(start)))
	p.fuel.Add(used)
	p.calls.Add(1)
	var trap *wasm.TrapError
	var size *abi.SizeError
	switch {
	case err == nil:
		p.rows.Add(uint64(len(sel)))
		for i, n := range s.out.Counters {
			p.counters[i].Add(n)
		}
		if p.program == nil {
			p.pace.answered(len(sel), used, uint64(p.module.Limits().Fuel))
		}
		r.answered(&s.out, sel)
		return nil, nil
	case errors.As(err, &trap):
		if trap.Cause == wasm.OutOfFuel {
			p.pace.ranOut(len(sel))
		}
		p.failed(err)
		return err, r.release()
	case errors.As(err, &size):
		p.failed(err)
		return err, nil
	}
	return nil, err
}

// acquire makes sure that there is an instance.
func (r *run) acquire() (err error) {
	if r.instance == nil {
		r.instance, err = r.p.pool.Get(r.ctx)
		r.fresh = false
	}
	return err
}

// renew takes an instance that has processed nothing yet.
func (r *run) renew() error {
	if err := r.release(); err != nil {
		return err
	}
	instance, err := r.p.pool.Fresh(r.ctx)
	if err == nil {
		r.instance, r.fresh = instance, true
	}
	return err
}

// release gives the instance back, dead or not.
func (r *run) release() error {
	if r.instance == nil {
		return nil
	}
	i := r.instance
	r.instance = nil
	return r.p.pool.Put(r.ctx, i)
}

// maxDetail bounds what a dead letter says of a failure, in bytes.
const maxDetail = 4 << 10

// blame does to a guilty row what the config says.
func (p *Plugin) blame(row int, failure error, refuse func(row int, d beacon.Drop)) {
	d := beacon.Drop{Plugin: p.name, Version: p.version}
	cause, detail := describe(failure)
	d.Detail = strings.ToValidUTF8(detail[:min(len(detail), maxDetail)], "?")
	switch p.onError {
	case Pass:
		return
	case Filtered:
		d.Reason = "plugin " + p.name
	default:
		d.Cause = beacon.Cause("plugin " + p.name + ": " + cause)
	}
	refuse(row, d)
}

// describe gives a failure's cause, one of few, and all that is known of it.
func describe(failure error) (cause, detail string) {
	var trap *wasm.TrapError
	if !errors.As(failure, &trap) {
		return "out of memory", failure.Error()
	}
	detail = strings.TrimSpace(trap.Function + ": " + trap.Detail + "\n" + trap.Stack)
	if trap.Output != "" {
		detail += "\noutput: " + trap.Output
	}
	switch trap.Cause {
	case wasm.OutOfFuel:
		return "out of fuel", detail
	case wasm.Violation:
		return "bad output", detail
	case wasm.Failed:
		return "error", detail
	}
	return "trap", detail
}
