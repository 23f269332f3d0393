package session

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Apart folds the beacons of single keys on their own, with and without some of
// them: so it can be told what a figure owes to a beacon. Beacons come to the same
// as in a Partition, by the same code; but none is late, no session is one too
// many, and a value of a dimension or attribute is one of its own as long as a key
// has no more of them than the limit. It is not for concurrent use.
type Apart struct {
	p        *Partition
	beacons  key     // has the memory of entries
	name     []byte  // of the key in hand
	entries  []entry // of the key in hand, in order
	tail     []entry // memory of Fold
	at       []int   // of entries: places in the records given
	runs     []Run
	starts   []int // of the runs: where in entries
	out      Output
	sessions []Span
}

// Run are beacons of a key that hang on no others of it: before and behind them
// lies more than the gap, whichever of them are there. They are places in what Load
// was given, in the order of the beacons.
type Run []int

// Span is a session, by the times of its first and last beacon.
type Span struct{ First, Last int64 }

// Booked is what beacons come to: of each series and minute what is not zero, and
// their sessions. In all that Fold gives of one Load a series is the same pointer.
// It is valid until the next call.
type Booked struct {
	Figures  []metric.Delta
	Sessions []Span
}

// NewApart makes an Apart for a config, which must be prepared and OneSource.
func NewApart(cfg *Config) *Apart {
	p := NewPartition(cfg, "", 0)
	p.lateness = math.MaxInt64
	return &Apart{p: p}
}

// Close gives the memory back.
func (a *Apart) Close() error { return a.p.Close() }

// Load takes the beacons of one key, as dispatch routed them, and cuts them into
// runs.
func (a *Apart) Load(ctx context.Context, records []Record) ([]Run, error) {
	a.forget()
	p := a.p
	s := p.cfg.prepared.scratch.Get().(*scratch)
	defer p.cfg.prepared.scratch.Put(s)
	defer s.reset()
	for rest := records; len(rest) > 0; {
		n, err := s.read(ctx, p, rest)
		if err != nil {
			return nil, err
		}
		for i := range rest[:n] {
			if err := a.take(s, &s.verdicts[i], &rest[i]); err != nil {
				return nil, err
			}
		}
		s.reset()
		rest = rest[n:]
	}
	a.order()
	return a.cut(), nil
}

// forget lets go of the key before, and of the values that it has shown.
func (a *Apart) forget() {
	a.p.letGo()
	for _, t := range a.p.tenants {
		for _, set := range t.admitted {
			clear(set.values)
		}
		for _, set := range t.attributes {
			clear(set.values)
		}
	}
	a.beacons.clear()
	clear(a.entries)
	a.entries, a.at = a.entries[:0], a.at[:0]
}

// take makes an entry of a record that was read.
func (a *Apart) take(s *scratch, v *verdict, r *Record) error {
	row := s.batch.Row(v.row)
	if v.cause != "" {
		return fmt.Errorf("session: a beacon that was routed can not be read: %s", v.cause)
	}
	name := nameOf(row.Session)
	if len(a.entries) == 0 {
		a.beacons.tenant, a.name = v.tenant, append(a.name[:0], name...)
	} else if a.beacons.tenant != v.tenant || string(a.name) != string(name) {
		return fmt.Errorf("session: beacons of several keys")
	}
	a.at = append(a.at, len(a.entries))
	a.entries = append(a.entries, s.entry(a.p, &a.beacons, v, row, r))
	return nil
}

// order sorts the entries.
func (a *Apart) order() {
	slices.SortFunc(a.at, func(i, j int) int {
		return cmp.Or(a.entries[i].compare(&a.entries[j], a.p.ranks), cmp.Compare(i, j))
	})
	sorted := make([]entry, len(a.entries))
	for i, at := range a.at {
		sorted[i] = a.entries[at]
	}
	a.entries = sorted
}

// cut gives the runs of the entries. Duplicates count: without some beacon they may
// be none.
func (a *Apart) cut() []Run {
	a.runs, a.starts = a.runs[:0], a.starts[:0]
	from := 0
	for i := range a.entries {
		if last := i == len(a.entries)-1; last || a.entries[i+1].time-a.entries[i].time > a.p.gap {
			a.runs, a.starts = append(a.runs, Run(a.at[from:i+1:i+1])), append(a.starts, from)
			from = i + 1
		}
	}
	return a.runs
}

// Fold says what the beacons of run number n come to if those are not there that
// without says, by their places.
func (a *Apart) Fold(ctx context.Context, n int, without func(place int) bool) (Booked, error) {
	p := a.p
	p.find(a.beacons.tenant, a.name, math.MinInt64) // it is not there: create makes what was asked for
	k := p.create(a.beacons.tenant)
	k.tail = a.tail[:0]
	defer a.drop(k)
	for i, place := range a.runs[n] {
		if without(place) {
			continue
		}
		b := a.entries[a.starts[n]+i]
		if _, err := p.add(ctx, k, &b, math.MinInt64); err != nil {
			return Booked{}, err
		}
	}
	a.spans(k)
	if _, closer := k.end(); closer != nil {
		if err := p.closeTogether(ctx, []*key{k}); err != nil {
			return Booked{}, err
		}
	}
	a.out.Reset()
	p.ledger.flush(&a.out)
	return Booked{a.out.Deltas, a.sessions}, nil
}

// spans notes the sessions of a key.
func (a *Apart) spans(k *key) {
	a.sessions = a.sessions[:0]
	for i := range k.tail {
		e := &k.tail[i]
		last := len(a.sessions) - 1
		switch {
		case !e.counted:
		case last < 0 || e.time-a.sessions[last].Last > a.p.gap:
			a.sessions = append(a.sessions, Span{e.time, e.time})
		default:
			a.sessions[last].Last = e.time
		}
	}
}

// drop lets go of a key, whatever came of it.
func (a *Apart) drop(k *key) {
	a.tail, k.tail = k.tail, nil
	if !k.gone {
		k.gone = true
		k.tenant.held--
		a.p.held--
	}
	a.p.closeAll()
}
