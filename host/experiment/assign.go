package experiment

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
)

// Assign says which variant the engine gives a unit at an event time (epoch
// ms), as an index into Names. ok is false where the unit is empty or lies
// outside the layer's buckets of that time's phase, or where the experiment's
// assignments are carried by beacons. Whether the experiment runs at that time
// is Running's answer. It allocates only for units beyond some hundred bytes.
func (c *Compiled) Assign(unit []byte, t int64) (variant int, ok bool) {
	if !c.hash || len(unit) == 0 {
		return 0, false
	}
	if c.layer != "" {
		if p, b := &c.phases[c.Phase(t)], uint64(c.Bucket(unit)); b < p.buckets[0] || b >= p.buckets[1] {
			return 0, false
		}
	}
	return c.Variant(unit, t)
}

// Bucket is where a unit lies in the experiment's layer, from 0 up to, not
// including, Buckets. It is the same for all experiments of one LayerSalt.
func (c *Compiled) Bucket(unit []byte) int64 {
	b, _ := bits.Mul64(hash(c.layer, unit), Buckets)
	return int64(b)
}

// Variant is Assign of a unit whose bucket, where there is a layer, is known to
// be within those of t's phase.
func (c *Compiled) Variant(unit []byte, t int64) (variant int, ok bool) {
	if !c.hash || len(unit) == 0 {
		return 0, false
	}
	p := &c.phases[c.Phase(t)]
	x, _ := bits.Mul64(hash(c.prefix, unit), p.total)
	for _, s := range p.shares {
		if s.cumulative > x {
			return s.variant, true
		}
	}
	return 0, false // not reached: x is below the total
}

// hash is the first 8 bytes, big-endian, of the SHA-256 of prefix and unit.
func hash(prefix string, unit []byte) uint64 {
	var buf [512]byte
	text := append(append(buf[:0], prefix...), unit...)
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:8])
}

// Phase is the index of the phase in force at an event time (epoch ms): 0 is
// the base, i the i-th of the experiment's phases counted from 1.
func (c *Compiled) Phase(t int64) int {
	for i := len(c.phases) - 1; i > 0; i-- {
		if c.phases[i].from <= t {
			return i
		}
	}
	return 0
}

// Running tells whether an event time (epoch ms) lies within [start, end).
func (c *Compiled) Running(t int64) bool {
	return (!c.hasStart || t >= c.start) && (!c.hasEnd || t < c.end)
}

// Window is when an experiment runs, from start up to, not including, end, epoch
// ms; the lowest and the highest int64 are none.
func (c *Compiled) Window() (start, end int64) {
	start, end = math.MinInt64, math.MaxInt64
	if c.hasStart {
		start = c.start
	}
	if c.hasEnd {
		end = c.end
	}
	return start, end
}

// VariantIndex finds a variant by name.
func (c *Compiled) VariantIndex(name []byte) (int, bool) {
	i, ok := c.index[string(name)]
	return i, ok
}

// ID is the experiment's id.
func (c *Compiled) ID() string { return c.id }

// Names are the variants in the order of the experiment's own list; the caller
// must not change them.
func (c *Compiled) Names() []string { return c.names }

// Hash tells whether the engine assigns; else beacons carry assignments.
func (c *Compiled) Hash() bool { return c.hash }

// Unit is the path of what is hashed; empty is the session id.
func (c *Compiled) Unit() string { return c.unit }

// Qualify is the point that qualifies a session; empty: assignment does.
func (c *Compiled) Qualify() string { return c.qualify }

// Exclude tells whether crossovers are taken out instead of kept.
func (c *Compiled) Exclude() bool { return c.exclude }

// Layer is the name of the experiment's layer; empty is none.
func (c *Compiled) Layer() string { return c.layerName }

// LayerSalt is what is hashed with a unit to find its bucket; empty without a
// layer.
func (c *Compiled) LayerSalt() string { return c.layer }

// Phases is the number of phases, the base included.
func (c *Compiled) Phases() int { return len(c.phases) }

// From is the event time (epoch ms) at which a phase begins; ok is false for
// the base, which begins with the experiment.
func (c *Compiled) From(phase int) (ms int64, ok bool) {
	return c.phases[phase].from, phase > 0
}

// Weights are a phase's weights in the order of Names.
func (c *Compiled) Weights(phase int) []int64 {
	w := make([]int64, len(c.names))
	for _, s := range c.phases[phase].shares {
		w[s.variant] = s.weight
	}
	return w
}

// BucketRange is a phase's [from, to) of its layer's Buckets.
func (c *Compiled) BucketRange(phase int) (from, to int64) {
	b := c.phases[phase].buckets
	return int64(b[0]), int64(b[1])
}
