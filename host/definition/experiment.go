package definition

import (
	"crypto/sha256"
	"math"
	"math/big"
)

// Experiment is one experiment; see Tenant.
type Experiment struct {
	ID        string
	Variants  []Variant
	Hash      bool
	Salt      string // "": the ID
	Unit      string // path; "": the session
	Layer     string // "": none
	LayerSalt string // "": the layer's name
	Buckets   *[2]int64
	Qualify   string
	Exclude   bool
	Start     *int64
	End       *int64
	Phases    []Phase
}

// Variant is a variant and its integer weight.
type Variant struct {
	Name   string
	Weight int64
}

// Phase changes shares from a time on.
type Phase struct {
	From     int64
	Variants []Variant
	Buckets  *[2]int64
}

func (e *Experiment) runs(t int64) bool {
	return (e.Start == nil || t >= *e.Start) && (e.End == nil || t < *e.End)
}

// phase is when the phase in force at t began; the first has no beginning.
func (e *Experiment) phase(t int64) int64 {
	if n := e.begun(t); n > 0 {
		return e.Phases[n-1].From
	}
	return math.MinInt64
}

// begun is the number of phases begun at t.
func (e *Experiment) begun(t int64) int {
	n := 0
	for _, p := range e.Phases {
		if t >= p.From {
			n++
		}
	}
	return n
}

// variantOf gives the known variant that a beacon has in e, or "".
func (e *Experiment) variantOf(b Beacon) string {
	if !e.Hash {
		for _, a := range b.Assignments {
			if a[0] != e.ID {
				continue
			}
			for _, v := range e.Variants {
				if v.Name == a[1] {
					return v.Name
				}
			}
		}
		return ""
	}
	unit := b.Session
	if e.Unit != "" {
		unit = b.path(e.Unit).label()
	}
	if unit == "" {
		return ""
	}
	variants, buckets := e.Variants, e.Buckets
	for _, p := range e.Phases[:e.begun(b.Time)] {
		if p.Variants != nil {
			variants = p.Variants
		}
		if p.Buckets != nil {
			buckets = p.Buckets
		}
	}
	if e.Layer != "" && buckets != nil {
		at := share(first(e.LayerSalt, e.Layer), unit, 10000)
		if at < buckets[0] || at >= buckets[1] {
			return ""
		}
	}
	total := int64(0)
	for _, v := range variants {
		total += v.Weight
	}
	at, sum := share(first(e.Salt, e.ID), unit, total), int64(0)
	for _, v := range variants {
		if sum += v.Weight; sum > at {
			return v.Name
		}
	}
	return ""
}

// share is floor(h * n / 2^64), h the first 8 bytes of sha256(salt:unit).
func share(salt, unit string, n int64) int64 {
	sum := sha256.Sum256([]byte(salt + ":" + unit))
	h := new(big.Int).SetBytes(sum[:8])
	h.Mul(h, big.NewInt(n))
	return h.Rsh(h, 64).Int64()
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
