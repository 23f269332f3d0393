package rules

import (
	"context"
	"fmt"
	"math"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// Process answers a batch into out, whose memory it reuses: a filter sets Keep
// and Reasons, a splitter Routes, an extractor Measurements, Attributes,
// BadValues and Cells. Of sessions that have ended it sets the same but Cells. Attribute values point into the batch. The error is that of a
// cancelled context, or of a batch that does not have the planned columns.
func (p *Program) Process(ctx context.Context, b *abi.Batch, out *abi.Output) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.check(b); err != nil {
		return err
	}
	out.Counters = resize(out.Counters, len(p.plan.Counters))
	clear(out.Counters)
	switch {
	case b.Closed:
		p.closed(b, out)
	case p.kind == abi.Filter:
		p.filter(b, out)
	case p.kind == abi.Split:
		p.split(b, out)
	default:
		p.extract(b, out)
	}
	return nil
}

// check finds a batch of another plan before it is read.
func (p *Program) check(b *abi.Batch) error {
	if b.Closed {
		return p.checkClosed(b)
	}
	if len(b.Columns) != len(p.plan.Fields) {
		return fmt.Errorf("a batch of %d columns where the plan has %d", len(b.Columns), len(p.plan.Fields))
	}
	for i := range b.Columns {
		c := &b.Columns[i]
		if c.Type != abi.Any || len(c.Kinds) < b.Rows || len(c.Offsets) < b.Rows+1 {
			return fmt.Errorf("column %q is not an any column of %d rows", p.plan.Fields[i].Name, b.Rows)
		}
	}
	return b.Check(&p.plan, b.Rows)
}

// checkClosed is check of sessions that have ended.
func (p *Program) checkClosed(b *abi.Batch) error {
	if len(b.Columns) != 2+len(p.plan.Points) {
		return fmt.Errorf("a batch of closed sessions with %d columns, and the plan has %d points", len(b.Columns), len(p.plan.Points))
	}
	for i := range b.Columns {
		if b.Columns[i].Type != abi.I64 || len(b.Columns[i].I64) < b.Rows {
			return fmt.Errorf("column %d of closed sessions is not an i64 column of %d rows", i, b.Rows)
		}
	}
	return b.Check(&p.plan, b.Rows)
}

// first is the answer of the first rule that holds, or -1.
func (p *Program) first(r expr.Row) int {
	for i := range p.rules {
		if p.rules[i].When.Eval(r).Holds() {
			return p.rules[i].Answer
		}
	}
	return -1
}

func (p *Program) filter(b *abi.Batch, out *abi.Output) {
	out.Keep = resize(out.Keep, abi.BitmapBytes(b.Rows))
	out.Reasons = resize(out.Reasons, b.Rows)
	clear(out.Keep)
	clear(out.Reasons)
	for i := range b.Rows {
		if reason := p.first(expr.Row{Columns: b.Columns, Index: i}); reason >= 0 {
			out.Reasons[i] = uint8(reason)
		} else {
			abi.SetBit(out.Keep, i)
		}
	}
}

func (p *Program) split(b *abi.Batch, out *abi.Output) {
	out.Routes = resize(out.Routes, b.Rows)
	for i := range b.Rows {
		out.Routes[i] = abi.NoRoute
		if route := p.first(expr.Row{Columns: b.Columns, Index: i}); route >= 0 {
			out.Routes[i] = uint16(route)
		}
	}
}

func (p *Program) extract(b *abi.Batch, out *abi.Output) {
	out.Measurements = out.Measurements[:0]
	out.Attributes = out.Attributes[:0]
	out.BadValues = out.BadValues[:0]
	p.copyCells(b, out)
	for i := range b.Rows {
		r := expr.Row{Columns: b.Columns, Index: i, Cells: out.Cells}
		if len(out.Cells) > 0 {
			r.Slot = b.Slots[i]
		}
		for j := range p.rules {
			if !p.rules[j].When.Eval(r).Holds() {
				continue
			}
			if p.rules[j].Answer >= 0 {
				p.measure(&p.rules[j], r, out)
			}
			set(p.rules[j].Sets, r, out)
		}
	}
}

// closed measures sessions that have ended.
func (p *Program) closed(b *abi.Batch, out *abi.Output) {
	out.Measurements = out.Measurements[:0]
	out.Attributes = out.Attributes[:0]
	out.BadValues = out.BadValues[:0]
	out.Cells = out.Cells[:0]
	for i := range b.Rows {
		r := expr.Row{Columns: b.Columns, Index: i, Cells: b.Cells}
		if len(b.Cells) > 0 {
			r.Slot = b.Slots[i]
		}
		for j := range p.close {
			if p.close[j].When.Eval(r).Holds() {
				p.measure(&p.close[j], r, out)
			}
		}
	}
}

// copyCells begins with the cells as they are before the batch.
func (p *Program) copyCells(b *abi.Batch, out *abi.Output) {
	out.Cells = resize(out.Cells, len(p.plan.Cells))
	for i := range out.Cells {
		out.Cells[i] = append(out.Cells[i][:0], b.Cells[i]...)
	}
}

// set gives the cells of the row's session their next values, all of them
// computed from those before.
func set(sets []Set, r expr.Row, out *abi.Output) {
	var next [abi.MaxCells]uint64
	for i, s := range sets {
		next[i] = r.Cells[s.Cell][r.Slot]
		if x, ok := s.Value.Eval(r).Number(); ok && !math.IsNaN(x) && !math.IsInf(x, 0) {
			next[i] = math.Float64bits(x)
		} else {
			out.Counters[0]++
		}
	}
	for i, s := range sets {
		r.Cells[s.Cell][r.Slot] = next[i]
	}
}

func (p *Program) measure(rule *Checked, r expr.Row, out *abi.Output) {
	x := 1.0
	if rule.Value != nil {
		var ok bool
		if x, ok = rule.Value.Eval(r).Number(); !ok {
			out.BadValues = append(out.BadValues, uint32(r.Index))
			return
		}
	}
	out.Measurements = append(out.Measurements, abi.Measurement{
		Row:        uint32(r.Index),
		Point:      uint32(rule.Answer),
		Attributes: p.tuple(rule, r, out),
		Value:      x,
	})
}

// tuple adds the texts of a measurement's attributes to the output and is
// what refers to them: 0 where none has a value.
func (p *Program) tuple(rule *Checked, r expr.Row, out *abi.Output) uint32 {
	var tuple [][]byte
	for _, a := range rule.Attributes {
		text := r.Attribute(a.Field)
		if text == nil {
			continue
		}
		if tuple == nil {
			tuple = appendTuple(out, len(p.plan.Points[rule.Answer].Attributes))
		}
		tuple[a.Slot] = text
	}
	if tuple == nil {
		return 0
	}
	return uint32(len(out.Attributes))
}

// appendTuple adds a tuple of n nils, in memory of an earlier batch if it can.
func appendTuple(out *abi.Output, n int) [][]byte {
	i := len(out.Attributes)
	if i < cap(out.Attributes) {
		out.Attributes = out.Attributes[:i+1]
	} else {
		out.Attributes = append(out.Attributes, nil)
	}
	out.Attributes[i] = resize(out.Attributes[i], n)
	clear(out.Attributes[i])
	return out.Attributes[i]
}

// resize gives s the length n, with whatever it holds.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
