package session

import "math"

// draw is the engine's own assignment of the key in one phase.
type draw struct {
	known   bool
	phase   int32
	variant int32 // outside: outside the buckets
}

// outside is the variant of a unit outside the buckets.
const outside = -1

// draw assigns the key's session id in the phase of t. It is remembered, being
// the same for every beacon of a phase; n is the number of trials drawn.
func (k *key) draw(x *trial, n int, t int64) (variant int32, ok bool) {
	if k.table != nil {
		variant = k.table[x.draw][x.phase(t)]
		return variant, variant != outside
	}
	if k.draws == nil {
		k.draws = make([]draw, n)
	}
	d := &k.draws[x.draw]
	if phase := x.phase(t); !d.known || d.phase != phase {
		*d = draw{known: true, phase: phase, variant: x.variantOf([]byte(k.name), t)}
	}
	return d.variant, d.variant != outside
}

// drawAll makes all assignments that draw can be asked for, of a session id
// that is not kept.
func (k *key) drawAll(id []byte) {
	k.table = make([][]int32, len(k.tenant.drawn))
	for i, x := range k.tenant.drawn {
		for phase := range x.Phases() {
			from, ok := x.From(phase)
			if !ok {
				from = math.MinInt64 // the base
			}
			k.table[i] = append(k.table[i], x.variantOf(id, from))
		}
	}
}

// variantOf is the variant that the engine gives a unit at t, or outside.
func (x *trial) variantOf(unit []byte, t int64) int32 {
	if v, ok := x.Assign(unit, t); ok {
		return int32(v)
	}
	return outside
}
