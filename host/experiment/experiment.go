// Package experiment says which variant of an experiment a unit belongs to, and
// when: it checks an experiment's description once and then answers without
// allocating. What a session makes of the answers is host/session's.
package experiment

// Variant is one arm of an experiment and its integer share of the total.
type Variant struct {
	Name   string
	Weight int64
}

// Phase changes the shares of a running experiment from an event time on. What
// it does not give stays as in the phase before.
type Phase struct {
	From     int64     // epoch ms, included
	Variants []Variant // the same names as the experiment's, in any order; nil: as before
	Buckets  *[2]int64 // nil: as before
}

// Layer is what experiments share that must not share a unit.
type Layer struct {
	Name string
	Salt string // empty: the layer's name
}

// Buckets is the number of buckets of a layer.
const Buckets = 10_000

// Experiment describes one experiment of a tenant.
type Experiment struct {
	ID       string
	Variants []Variant // weights at least 0, their total more
	Hash     bool      // the engine assigns; else beacons carry assignments
	Salt     string    // with Hash; empty: the experiment's ID
	Unit     string    // with Hash: path of what is hashed; empty: the session id
	Layer    *Layer    // with Hash
	Buckets  *[2]int64 // with Layer: [from, to) of Buckets; nil: all
	Qualify  string    // point that qualifies; empty: assignment does
	Exclude  bool      // crossovers are taken out, else kept in their first variant
	Start    int64     // epoch ms, included, if HasStart
	End      int64     // epoch ms, not included, if HasEnd
	HasStart bool
	HasEnd   bool
	Phases   []Phase // ascending by From
}

// Reserved names: points that the engine books itself, and the experiment that
// a tenant's all_traffic makes.
const (
	reservedVisit     = "visit"
	reservedCrossover = "crossover"
	reservedAll       = "_all"
)
