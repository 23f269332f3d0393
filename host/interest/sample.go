// Package interest finds out which beacons matter: of each beacon of a sample, what
// figures, assignments and sessions would be without it, and so which kinds of
// beacon could as well be dropped. For those it writes the rule.
//
// The beacons of one key of a session hang on no others, so the question is asked of
// each of them apart, by the code that books figures (session.Apart). What hangs on
// more than a key (which beacons are late, limits of distinct values) it does not
// see; whoever proposes a rule replays the sample with it and compares all figures
// (Compare).
package interest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/session"
)

// Bounds of an analysis.
const (
	// MaxRun is how many beacons without a gap between them are taken out one by
	// one: the work grows by the square of it. Of longer ones only whole kinds are.
	MaxRun = 512
	// MaxFields bounds the fields among which the choice is made.
	MaxFields = 24
	// MaxBy bounds the fields that kinds are told apart by at once.
	MaxBy = 4
	// MaxValues is how many values a field may have to be chosen, and how many are
	// told apart where it was asked for.
	MaxValues    = 64
	MaxValuesFor = 256
	// MaxDropped bounds the kinds that a rule drops: the most frequent.
	MaxDropped = 256
)

// Fate is what dispatch made of a beacon.
type Fate uint8

// The fates. Only what is Routed can touch anything.
const (
	Filtered Fate = iota // by a filter in force
	Refused              // a dead letter: not decodable, without a session, of the future, …
	Late                 // routed, and not counted; so is what is one too many for its session
	Routed
)

// Options say how a sample is looked at.
type Options struct {
	Sources []*beacon.Source
	Session *session.Config // of the generation in force; prepared and OneSource
	By      []Field         // what kinds are told apart by; none: that is chosen
	Fields  []Field         // among these, those that plugins in force ask for first
	Asked   int             // how many of Fields they are
	Least   int             // beacons that a kind must have to be dropped
	// Progress is told how many of the beacons have been looked at, now and then.
	Progress func(done, all int)
}

// Sample are beacons and what is known of them. Its memory is the beacons', and
// about 100 bytes each.
type Sample struct {
	o       Options
	fields  []Field
	beacons []one
	columns []column // by field
	tenants numbering
	keys    map[string]int32
	members [][]int32 // by key: its beacons that come to sessions, in the order in which they came
	batch   *beacon.Batch
	read    []*beacon.Projection // by source
	key     []byte
	long    int // beacons that were not taken out one by one
	spans   int // sessions
}

// one is a beacon of the sample.
type one struct {
	value  []byte
	time   int64
	source int32
	tenant int32 // number; -1: it can not be told
	fate   Fate
	looked bool // it was taken out alone
	touch  Touch
}

// column are the values of one field.
type column struct {
	numbers map[Value]uint16
	values  []Value // by number
	of      []uint16
	full    bool // there are more values than are told apart
}

// numbering numbers names.
type numbering struct {
	names []string
	of    map[string]int32
}

func (n *numbering) number(name []byte) int32 {
	if i, ok := n.of[string(name)]; ok {
		return i
	}
	if n.of == nil {
		n.of = map[string]int32{}
	}
	i := int32(len(n.names))
	n.names = append(n.names, string(name))
	n.of[n.names[i]] = i
	return i
}

// New makes an empty sample.
func New(o Options) (*Sample, error) {
	s := &Sample{o: o, fields: o.Fields, keys: map[string]int32{}}
	if len(o.By) > 0 {
		s.fields = o.By
	}
	var names []string
	for _, f := range s.fields {
		names = append(names, f.Name)
		s.columns = append(s.columns, column{numbers: map[Value]uint16{}})
	}
	fields := beacon.NewFields(names...)
	s.batch = beacon.NewBatch(fields)
	for _, source := range o.Sources {
		p, err := beacon.NewProjection(source, fields)
		if err != nil {
			return nil, fmt.Errorf("interest: %w", err)
		}
		s.read = append(s.read, p)
	}
	return s, nil
}

// Add adds the next beacon, of a source by its number, with what became of it;
// route is that on which it is. The value must not change any more.
func (s *Sample) Add(source int, value []byte, fate Fate, route string) {
	s.batch.Reset()
	at, cause := s.batch.Add(s.read[source], value)
	row := s.batch.Row(at)
	b := one{value: value, time: row.Time, source: int32(source), tenant: -1, fate: fate}
	if len(row.Tenant) > 0 && s.o.Session.Tenants != nil {
		if _, known := s.o.Session.Tenants[string(row.Tenant)]; known {
			b.tenant = s.tenants.number(row.Tenant)
		}
	}
	for i := range s.columns {
		v := Value{Sort: Undecodable}
		if cause == "" {
			v = s.fields[i].value(&row.Values[s.batch.Fields().Index(s.fields[i].Name)])
		}
		s.columns[i].add(v, len(s.o.By) > 0)
	}
	if fate == Routed {
		s.join(row, route)
	}
	s.beacons = append(s.beacons, b)
}

// join notes the beacon that comes next with its key.
func (s *Sample) join(row *beacon.Row, route string) {
	s.key = append(binary.AppendUvarint(s.key[:0], uint64(len(row.Tenant))), row.Tenant...)
	s.key = append(binary.AppendUvarint(s.key, uint64(len(route))), route...)
	s.key = append(s.key, row.Session...)
	n, there := s.keys[string(s.key)]
	if !there {
		n = int32(len(s.members))
		s.keys[string(s.key)] = n
		s.members = append(s.members, nil)
	}
	s.members[n] = append(s.members[n], int32(len(s.beacons)))
}

// add adds the next beacon's value.
func (c *column) add(v Value, asked bool) {
	n, there := c.numbers[v]
	if !there {
		limit := MaxValues
		if asked {
			limit = MaxValuesFor
		}
		if len(c.values) >= limit {
			c.full = true
			v = Value{Sort: Others}
			n, there = c.numbers[v]
		}
		if !there {
			n = uint16(len(c.values))
			c.numbers[v] = n
			c.values = append(c.values, v)
		}
	}
	c.of = append(c.of, n)
}

// Keys is the number of keys that beacons come to.
func (s *Sample) Keys() int { return len(s.members) }

// records are the beacons of a key as the session stage reads them.
func (s *Sample) records(dst []session.Record, members []int32) []session.Record {
	for _, i := range members {
		b := &s.beacons[i]
		dst = append(dst, session.Record{
			Offset: int64(i), Value: b.value,
			Header: beacon.Header{Topic: s.o.Sources[b.source].Topic, Offset: int64(i), Generation: s.o.Session.Generation, Watermark: metric.NoWatermark},
		})
	}
	return dst
}

// Look takes each beacon out alone and notes what is otherwise then.
func (s *Sample) Look(ctx context.Context) error {
	apart := session.NewApart(s.o.Session)
	defer func() { _ = apart.Close() }() // its memory goes with it
	var records []session.Record
	var whole basis
	done := 0
	for _, members := range s.members {
		records = s.records(records[:0], members)
		runs, err := apart.Load(ctx, records)
		if err != nil {
			return err
		}
		for n, run := range runs {
			if err := s.lookAt(ctx, apart, &whole, n, run, members); err != nil {
				return err
			}
		}
		if done += len(members); s.o.Progress != nil {
			s.o.Progress(done, len(s.beacons))
		}
	}
	return nil
}

func (s *Sample) lookAt(ctx context.Context, apart *session.Apart, whole *basis, n int, run session.Run, members []int32) error {
	all, err := apart.Fold(ctx, n, nobody)
	if err != nil {
		return err
	}
	s.spans += len(all.Sessions)
	if len(run) > MaxRun {
		s.long += len(run)
		return nil
	}
	whole.set(all)
	for _, place := range run {
		now, err := apart.Fold(ctx, n, func(other int) bool { return other == place })
		if err != nil {
			return err
		}
		b := &s.beacons[members[place]]
		b.looked, b.touch = true, whole.differs(now)
	}
	return ctx.Err()
}

func nobody(int) bool { return false }

// UpperBound is the share of beacons that touch something of which, with 95 %
// confidence, there are no more where n were looked at and none does.
func UpperBound(n int) float64 { return math.Min(1, 3/float64(max(n, 1))) }
