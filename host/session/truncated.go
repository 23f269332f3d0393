package session

import (
	"fmt"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// resume tells a partition that has been read from the first record its log
// still has, and not from the log's beginning, up to where it was once left,
// what its watermark was there. The error says that its state is not what it
// was: a session that began before the first record, or could have, still goes
// on.
//
// Whatever is gone from the log is no later than watermark.oldest. So a session
// that begins more than the gap behind that began there with the whole log
// too, and one that does not is of no account once it is let go. That holds for
// its labels only where no value was ever beyond its limit (within): else one
// that was could be within the limit of what is left.
func (p *Partition) resume(watermark int64, within bool) error {
	w := p.watermark
	for _, f := range w.feeds {
		if f.expected == 0 || f.silent > 0 {
			return fmt.Errorf("%w: not all source partitions have spoken in what is left", errState)
		}
	}
	w.value = max(w.value, watermark)
	limit := p.limit(w.value)
	p.sweepAll(limit)
	if !within || p.refused {
		return fmt.Errorf("%w: a dimension or attribute has had more values than its limit, or a session or the partition more than its bound, and which were within it stood there", errState)
	}
	if w.oldest == metric.NoWatermark {
		return nil
	}
	lost := 0
	for shard := range sweepShards {
		p.table.Sweep(shard, func(at, record []byte) ([]byte, bool) {
			if p.since(at, record, limit) <= w.oldest+p.gap {
				lost++
			}
			return nil, false
		})
	}
	if lost > 0 {
		return fmt.Errorf("%w: %d of %d sessions that go on may have begun before what is left", errState, lost, p.held)
	}
	return nil
}

// errState is a state that cannot be had from the log again.
var errState = fmt.Errorf("its sessions cannot be had from its log again, which has lost its first records")

// since is the time of the first beacon that a key's state hangs on.
func (p *Partition) since(at, record []byte, limit int64) int64 {
	k := &p.blank
	k.clear()
	k.tenant, k.name = p.tenantOf(at), nameIn(at)
	if p.unpack(k, record, limit); k.head.open {
		return k.head.since
	}
	return k.tail[0].time
}
