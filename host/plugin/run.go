package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// run is one walk over the rows of a batch with one instance.
type run struct {
	p        *Plugin
	ctx      context.Context
	instance *wasm.Instance // nil until one is needed
	fresh    bool           // it has processed nothing yet, and is to prove a row guilty
	scratch  *scratch
	tally    *Tally

	beacons  *beacon.Batch
	sel      []int         // rows of beacons; of closed sessions all
	closed   *abi.Closed   // instead of beacons
	sessions *abi.Sessions // of a plugin with cells

	answered func(out *abi.Output, sel []int) // of an extractor nil: the next two are called
	emit     func(m metric.Measurement)
	bad      func(row int)
	refuse   func(row int, d beacon.Drop)
}

// run asks the plugin about the rows of asked in calls that are not too large.
func (p *Plugin) run(ctx context.Context, asked run) (err error) {
	s, ok := p.scratch.Get().(*scratch)
	if !ok {
		s = new(scratch)
	}
	r := &s.run // not a variable of its own, which would be new memory each time
	*r = asked
	r.p, r.ctx, r.scratch, r.tally = p, ctx, s, tallyOf(ctx)
	if r.closed != nil {
		r.sel = s.first(len(r.closed.First))
	}
	defer func() {
		err = errors.Join(err, r.release())
		*r = run{} // what is kept holds on to nothing of the caller's
		clear(s.closed.Columns)
		p.scratch.Put(s)
	}()
	for at := 0; at < len(r.sel); {
		end := at + r.chunk(r.sel[at:])
		if _, err := r.process(at, end, false); err != nil {
			return fmt.Errorf("plugin %s: %w", p.name, err)
		}
		at = end
	}
	return nil
}

// pace is that of the function that is called.
func (r *run) pace() *pace {
	if r.closed != nil {
		return &r.p.closePace
	}
	return &r.p.pace
}

// chunk is how many of the rows the next call takes, at least one.
func (r *run) chunk(sel []int) int {
	most := min(len(sel), r.pace().rows())
	if r.closed != nil {
		row := 8 * (2 + len(r.closed.Counts) + len(r.closed.Cells))
		return min(most, max(r.p.chunkBytes/row, 1))
	}
	size := 0
	for i, row := range sel[:most] {
		if size += len(r.beacons.Row(row).Raw); size > r.p.chunkBytes && i > 0 {
			return i
		}
	}
	return most
}

// process has the rows answered, from the first up to the end, and splits them where
// the plugin fails: what is before is answered before, since cells are written in
// order. bad says that the plugin is known to fail at one of them. It reports whether
// one of them is guilty; the error is that of the host.
func (r *run) process(first, end int, bad bool) (guilty bool, err error) {
	if end-first == 1 {
		return r.judge(first)
	}
	if !bad {
		if failure, err := r.call(first, end); err != nil || failure == nil {
			return false, err
		}
	}
	half := first + (end-first)/2
	left, err := r.process(first, half, false)
	if err != nil {
		return false, err
	}
	right, err := r.process(half, end, !left)
	return left || right, err
}

// judge has one row answered, or blames it. What came before may have broken the
// instance: a row is guilty only if it fails alone in a fresh one.
func (r *run) judge(at int) (guilty bool, err error) {
	failure, err := r.call(at, at+1)
	if err != nil || failure == nil {
		return false, err
	}
	if err := r.renew(); err != nil {
		return false, err
	}
	if failure, err = r.call(at, at+1); err != nil || failure == nil {
		return false, err
	}
	r.p.guilty.Add(1)
	r.tally.fail(r.sel[at])
	r.p.blame(r.sel[at], failure, r.refuse)
	return true, nil
}

// call has the rows answered, and passes the answers on. A failure is the plugin's,
// and an error the host's.
func (r *run) call(first, end int) (failure, err error) {
	p, out := r.p, &r.scratch.out
	rows := end - first
	b := r.fill(first, end)
	start := time.Now()
	if err := r.acquire(); err != nil {
		return nil, err
	}
	before := r.instance.Fuel()
	if r.fresh {
		err = r.instance.Prove(r.ctx, b, out)
	} else {
		err = r.instance.Process(r.ctx, b, out)
	}
	r.fresh = false
	used, busy := r.instance.Fuel()-before, time.Since(start)
	r.bill(first, end, used, busy)
	r.tally.call(busy, used)
	p.calls.Add(1)
	if err != nil {
		return r.failed(err, rows)
	}
	r.pace().answered(rows, used, uint64(p.module.Limits().Fuel))
	r.answer(first, end)
	return nil, nil
}

// failed tells the plugin's failures of a call from the host's errors.
func (r *run) failed(err error, rows int) (failure, _ error) {
	var trap *wasm.TrapError
	var size *abi.SizeError
	switch {
	case errors.As(err, &trap):
		if trap.Cause == wasm.OutOfFuel {
			r.pace().ranOut(rows)
		}
		r.p.failed(err)
		return err, r.release()
	case errors.As(err, &size):
		r.p.failed(err)
		return err, nil
	}
	return nil, err
}

// fill makes the batch of a call.
func (r *run) fill(first, end int) *abi.Batch {
	s := r.scratch
	b := &s.batch
	if r.closed != nil {
		b = &s.closed
		r.closed.Batch(first, end, b)
	} else {
		r.beacons.Columns(r.p.plan.Fields, r.sel[first:end], b)
	}
	if len(r.p.plan.Cells) > 0 {
		s.cells.load(r.sessions, r.sessions.Slots[first:end])
		b.Sessions = s.cells.Sessions
	}
	return b
}

// answer takes what the plugin answered to the rows.
func (r *run) answer(first, end int) {
	p, s, out := r.p, r.scratch, &r.scratch.out
	for i, n := range out.Counters {
		p.counters[i].Add(n)
	}
	if r.closed != nil {
		p.sessions.Add(uint64(end - first))
	} else {
		p.rows.Add(uint64(end - first))
		if len(p.plan.Cells) > 0 {
			s.cells.store(out.Cells, r.sessions)
		}
	}
	if r.answered != nil {
		r.answered(out, r.sel[first:end])
		return
	}
	for _, m := range out.Measurements {
		row := r.sel[first+int(m.Row)]
		if abi.IsBadValue(m.Value) {
			r.bad(row)
			continue
		}
		measured := metric.Measurement{Row: row, Point: int(m.Point), Value: m.Value}
		if m.Attributes > 0 {
			measured.Attributes = out.Attributes[m.Attributes-1]
		}
		r.emit(measured)
	}
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
	cause, detail := describe(failure)
	p.refuse(row, cause, strings.ToValidUTF8(detail[:min(len(detail), maxDetail)], "?"), refuse)
}

// refuse does to a row that has no answer what the config says.
func (p *Plugin) refuse(row int, cause, detail string, refuse func(row int, d beacon.Drop)) {
	d := beacon.Drop{Plugin: p.name, Version: p.version, Digest: p.digest, Detail: detail}
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
