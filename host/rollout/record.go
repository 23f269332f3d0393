package rollout

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// answers are what a version has said of the rows of one batch.
type answers struct {
	verdicts []verdict // by row
	measured []measured
	text     []byte // attributes of measured
}

// verdict is what a version has said of a row.
type verdict struct {
	failed  bool
	dropped bool
	word    string // the reason of a drop, or a route; empty: no opinion
	count   int    // measurements and bad values
}

// measured is a measurement of a row, or a bad value of it.
type measured struct {
	row, point int // point -1: a value that was no number
	value      float64
	attributes []byte
}

func (a *answers) drop(row int, d beacon.Drop) {
	v := &a.verdicts[row]
	v.dropped, v.word = true, d.Reason
}

func (a *answers) route(row int, name string) { a.verdicts[row].word = name }

func (a *answers) fail(row int) { a.verdicts[row].failed = true }

func (a *answers) bad(row int) { a.keep(measured{row: row, point: -1}) }

func (a *answers) measure(m metric.Measurement) {
	from := len(a.text)
	for _, v := range m.Attributes {
		if v == nil {
			a.text = append(a.text, 0)
			continue
		}
		a.text = append(binary.AppendUvarint(a.text, uint64(len(v))+1), v...)
	}
	a.keep(measured{m.Row, m.Point, m.Value, a.text[from:len(a.text):len(a.text)]})
}

func (a *answers) keep(m measured) {
	a.verdicts[m.row].count++
	a.measured = append(a.measured, m)
}

// reset makes a take the answers for so many rows.
func (a *answers) reset(rows int) {
	clear(a.verdicts)
	a.verdicts = slices.Grow(a.verdicts[:0], rows)[:rows]
	clear(a.verdicts)
	a.measured, a.text = a.measured[:0], a.text[:0]
}

// next takes the measurements of a row from the front: rows come in order.
func (a *answers) next(row int) []measured {
	n := a.verdicts[row].count
	list := a.measured[:n:n]
	a.measured = a.measured[n:]
	return list
}

// recording is what both versions have said of a batch.
type recording struct {
	old, new answers
}

var recordings = sync.Pool{New: func() any { return new(recording) }}

// record begins a recording of so many rows where new runs in the shadow of old; nil
// elsewhere.
func (p *Plugin) record(rows int) *recording {
	if p.state.Phase != Shadow || p.watch == nil || !p.watch.active.Load() || p.watch.failed.Load() {
		return nil
	}
	r := recordings.Get().(*recording)
	r.old.reset(rows)
	r.new.reset(rows)
	return r
}

func (r *recording) done() { recordings.Put(r) }

// listen has answers noted on their way.
func (a *answers) listen(to asking) asking {
	emit, bad := to.emit, to.bad
	to.emit = func(m metric.Measurement) {
		a.measure(m)
		emit(m)
	}
	to.bad = func(row int) {
		a.bad(row)
		bad(row)
	}
	return to
}

// shadow has new answer too, and compares. Nothing of it comes out: where the host
// breaks off, the batch is just not compared. Nor is it asked any more once it has
// failed at a row that the version before answers: that ends the shadow, and looking
// for more such rows would hold up the stream.
func (p *Plugin) shadow(ctx context.Context, r *recording, l looks, sel []int, ask func(context.Context) error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	traps := 0
	t := plugin.Tally{Failed: func(row int) {
		r.new.fail(row)
		if !l.isAgain(row) {
			traps++
		}
		if !r.old.verdicts[row].failed && !p.watch.failed.Swap(true) {
			p.watch.comparison.fails(p, r, l, row)
			stop()
		}
	}}
	err := ask(plugin.WithTally(ctx, &t))
	switch {
	case p.watch.failed.Load():
		p.watch.took(p, newSide, t.Guilty, t.Guilty, &t)
	case err != nil:
		p.watch.log.Debug("a batch was not compared", "plugin", p.watch.name, "error", err)
	default:
		p.watch.took(p, newSide, l.new(sel), traps, &t)
		p.watch.comparison.add(p, r, l, sel)
	}
}
