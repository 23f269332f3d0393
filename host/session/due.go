package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// The last session of a key is measured by the close function once no beacon can
// prolong it: when the limit (watermark minus lateness) comes to the end of the
// minute in which it ends, which is when that minute becomes final. What is measured
// is booked in that minute, and the key is let go of.
//
// Where such a session ends is noted by minute: dueKeys finds all keys whose session
// ends in a minute or, where it was prolonged since, earlier. So a key is noted
// again only when its note comes due, or when its session ends earlier than it did.
type dueKeys struct {
	at    map[int64][]byte // by minute: keys of the table, as appendValue appends them
	first int64            // the first minute in at
}

func newDueKeys() dueKeys { return dueKeys{at: map[int64][]byte{}, first: math.MaxInt64} }

func (d *dueKeys) add(minute int64, at []byte) {
	d.at[minute] = appendValue(d.at[minute], at)
	d.first = min(d.first, minute)
}

// take takes the keys of the first minute out, sorted: their order is then that of
// the log alone.
func (d *dueKeys) take() (minute int64, keys [][]byte) {
	minute = d.first
	for rest := d.at[minute]; len(rest) > 0; {
		var at []byte
		at, rest = cutValue(rest)
		keys = append(keys, at)
	}
	delete(d.at, minute)
	d.first = math.MaxInt64
	for m := range maps.Keys(d.at) {
		d.first = min(d.first, m)
	}
	slices.SortFunc(keys, bytes.Compare)
	return minute, slices.CompactFunc(keys, bytes.Equal)
}

// end is when the key's last session ends if nothing prolongs it, less the gap, and
// the view of its last beacon if that closes sessions.
func (k *key) end() (last int64, closer *view) {
	c := k.courseTo(len(k.tail))
	if c.view != nil && !c.view.closes {
		c.view = nil
	}
	return c.last, c.view
}

// expect notes when the key's session ends, where that is not noted yet. before is
// its last beacon's time before the beacon in hand.
func (p *Partition) expect(k *key, before int64) {
	if last, closer := k.end(); closer != nil && (!k.expected || last < before) {
		k.expected = true
		p.due.add(metric.MinuteOf(last+p.gap), k.at)
	}
}

// mostDue bounds how many keys are open to be closed together.
const mostDue = 256

// closeDue measures the sessions whose minute of the end lies before limit.
func (p *Partition) closeDue(ctx context.Context, limit int64) error {
	for p.due.first < metric.MinuteOf(limit) {
		minute, all := p.due.take()
		for part := range slices.Chunk(all, mostDue) {
			if err := p.closeKeys(ctx, minute, part, limit); err != nil {
				return err
			}
		}
	}
	return nil
}

// closeKeys measures the sessions of keys, as far as they end in a minute.
func (p *Partition) closeKeys(ctx context.Context, minute int64, all [][]byte, limit int64) error {
	var due []*key
	p.makeRoom()
	for _, at := range all {
		k := p.findAt(at, limit)
		if k == nil {
			continue // it was let go of by another note
		}
		if k.behind {
			p.catchUp(k)
		}
		switch last, closer := k.end(); {
		case closer == nil:
			k.expected = false
		case metric.MinuteOf(last+p.gap) > minute:
			p.due.add(metric.MinuteOf(last+p.gap), at)
		default:
			due = append(due, k)
		}
	}
	for len(due) > 0 {
		n := 1
		for n < len(due) && due[n].head.closer == due[0].head.closer {
			n++
		}
		if err := p.closeTogether(ctx, due[:n]); err != nil {
			return err
		}
		due = due[n:]
	}
	p.closeSome(func(k *key) bool { return k.gone })
	return nil
}

// closeTogether measures the sessions of keys whose last beacons are of one view,
// and lets go of the keys.
func (p *Partition) closeTogether(ctx context.Context, due []*key) error {
	sessions := make([]endedSession, len(due))
	for i, k := range due {
		s := &sessions[i]
		s.since, s.last = k.head.since, k.head.last
		(&unpacker{text: k.head.kept}).kept(k.tenant, &s.kept)
	}
	said, err := p.measureEnds(ctx, due[0].head.closer, sessions, p.again)
	if err != nil {
		return err
	}
	for i, k := range due {
		p.ledger.close(k.tenant, &k.head, &said[i], p.gap)
		k.gone = true
		k.tenant.held--
		p.held--
	}
	return nil
}

// measureEnds has sessions measured that have ended, maybe again.
func (p *Partition) measureEnds(ctx context.Context, w *view, sessions []endedSession, again bool) ([]closing, error) {
	l := p.looker()
	if err := l.close(ctx, w, sessions, again); err != nil {
		return nil, err
	}
	said := make([]closing, len(sessions))
	for i := range said {
		s := &l.saw[i]
		said[i] = closing{view: w, measures: slices.Clone(l.measures[s.from:s.to]), bad: s.bad, trap: s.trap}
		if s.trap != nil {
			said[i].measures = nil
		}
		for j := range said[i].measures {
			m := &said[i].measures[j]
			m.attributes = bytes.Clone(m.attributes)
		}
	}
	return said, nil
}

// closeNow measures the sessions that are due at the watermark, which may be said
// only behind what that books.
func (p *Partition) closeNow(ctx context.Context) error {
	err := p.closeDue(ctx, p.limit(p.watermark.value))
	p.closeAll()
	return err
}

// Finish measures the sessions that have not ended yet as if nothing more came: at
// the end of a log that has one.
func (p *Partition) Finish(ctx context.Context, out *Output) error {
	err := p.closeDue(ctx, math.MaxInt64)
	p.closeAll()
	p.flush(out)
	return err
}

// findAt is find by the table's key.
func (p *Partition) findAt(at []byte, limit int64) *key {
	number, n := binary.Uvarint(at)
	return p.find(p.tenants[number], unpackID(nil, at[n:]), limit)
}
