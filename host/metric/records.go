package metric

import (
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// recordBytes is about how long Records lets a frame grow, so that several fit
// one Kafka batch.
const recordBytes = 128 << 10

// Records cuts the frame into the records of one transaction on a metrics
// topic of so many partitions and gives each record's partition and value,
// which is the receiver's to keep. A delta goes to its series' partition, a
// count to its tenant's; the progress follows as the last record on every
// partition. It fails, before the first record is given, only if a single
// delta is longer than MaxFrame.
func (f *Frame) Records(partitions int32, emit func(partition int32, value []byte)) error {
	type record struct {
		partition int32
		value     []byte
	}
	var out []record
	parts := make([]Frame, partitions)
	sizes := make([]int, partitions)
	var tooLong error
	flush := func(p int32) {
		if sizes[p] == 0 {
			return
		}
		value := parts[p].Append(nil)
		if len(value) > MaxFrame {
			tooLong = fmt.Errorf("a frame of %d bytes, at most %d are allowed: shorten the labels of tenant %q", len(value), MaxFrame, tenantOf(&parts[p]))
		}
		out = append(out, record{p, value})
		parts[p], sizes[p] = Frame{Deltas: parts[p].Deltas[:0], Counts: parts[p].Counts[:0]}, 0
	}
	grow := func(p int32, n int) *Frame {
		if sizes[p] > 0 && sizes[p]+n > recordBytes {
			flush(p)
		}
		sizes[p] += n
		parts[p].Host, parts[p].Generation = f.Host, f.Generation
		return &parts[p]
	}
	var key []byte
	var last *Series // a series' minutes come together
	p := int32(0)
	for _, d := range f.Deltas {
		if d.Series != last {
			last, key = d.Series, d.Series.AppendKey(key[:0])
			p = int32(xxhash.Sum64(key) % uint64(partitions))
		}
		part := grow(p, len(key)+40)
		part.Deltas = append(part.Deltas, d)
	}
	for _, c := range f.Counts {
		p := int32(xxhash.Sum64String(c.Tenant) % uint64(partitions))
		part := grow(p, len(c.Tenant)+len(c.Reason)+20)
		part.Counts = append(part.Counts, c)
	}
	for p := range partitions {
		flush(p)
	}
	if tooLong != nil {
		return tooLong
	}
	for _, r := range out {
		emit(r.partition, r.value)
	}
	if len(f.Progress) > 0 {
		last := Frame{Host: f.Host, Generation: f.Generation, Progress: f.Progress}
		for p := range partitions {
			emit(p, last.Append(nil))
		}
	}
	return nil
}

func tenantOf(f *Frame) string {
	if len(f.Deltas) > 0 {
		return f.Deltas[0].Series.Tenant
	}
	return f.Counts[0].Tenant
}
