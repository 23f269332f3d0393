package session

// draws are the engine's own assignments of a key, remembered being the same
// for every beacon of a generation and phase.
type draws struct {
	generation uint64
	of         []draw // by trial.draw
}

type draw struct {
	known   bool
	phase   int64
	variant int32 // outside: outside the buckets
}

// outside is the variant of a unit outside the buckets.
const outside = -1

// draw assigns the key's session id in the phase of t.
func (k *key) draw(w *view, x *trial, t int64) (variant int32, ok bool) {
	if k.draws.of == nil || k.draws.generation != w.generation {
		k.draws = draws{w.generation, make([]draw, len(w.drawn))}
	}
	d := &k.draws.of[x.draw]
	if phase := x.phase(t); !d.known || d.phase != phase {
		*d = draw{known: true, phase: phase, variant: outside}
		if v, ok := x.Assign([]byte(k.name), t); ok {
			d.variant = int32(v)
		}
	}
	return d.variant, d.variant != outside
}

// long tells whether the key does not keep its session id; then its beacons
// keep what the engine assigns to it.
func (k *key) long() bool { return k.name[0] == digestByte }
