package dispatch

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// output gathers what the core decides of a batch. It is produced at the
// batch's end, since a plugin may take longer than a transaction may be open.
// Records, headers and their bytes are cut from slabs, since the producer keeps
// them until they are written: so a beacon costs no allocation of its own.
type output struct {
	stage  *Stage
	batch  []*kgo.Record     // in order
	topics map[string]string // by route
	routed int64

	records []kgo.Record
	headers []kgo.RecordHeader
	bytes   []byte
}

const (
	slabRecords = 512
	slabBytes   = 64 << 10
)

var _ Output = (*output)(nil)

// use takes the routes of a core.
func (o *output) use(core *Core) {
	o.topics = make(map[string]string, len(core.Routes()))
	for _, r := range core.Routes() {
		o.topics[r.Name] = r.Topic
	}
}

func (o *output) Route(route string, partition int32, key, header, value []byte) {
	if len(o.records) == 0 {
		o.records = make([]kgo.Record, slabRecords)
		o.headers = make([]kgo.RecordHeader, slabRecords)
	}
	r := &o.records[0]
	r.Headers = o.headers[:1:1]
	o.records, o.headers = o.records[1:], o.headers[1:]
	r.Headers[0] = kgo.RecordHeader{Key: beacon.HeaderKey, Value: o.keep(header)}
	r.Topic, r.Partition, r.Key, r.Value = o.topics[route], partition, o.keep(key), value
	o.batch = append(o.batch, r)
	o.routed++
}

// produce gives the batch to the transaction.
func (o *output) produce(tx *kafka.Tx) {
	for _, r := range o.batch {
		tx.Produce(r)
	}
	o.drop()
}

// drop forgets the batch.
func (o *output) drop() {
	clear(o.batch)
	o.batch = o.batch[:0]
}

// keep copies b into a slab.
func (o *output) keep(b []byte) []byte {
	if len(b) > slabBytes/4 {
		return append([]byte(nil), b...)
	}
	if cap(o.bytes)-len(o.bytes) < len(b) {
		o.bytes = make([]byte, 0, slabBytes)
	}
	n := len(o.bytes)
	o.bytes = append(o.bytes, b...)
	return o.bytes[n:len(o.bytes):len(o.bytes)]
}

func (o *output) DeadLetter(d kafka.DeadLetter) {
	o.batch = append(o.batch, d.Record(o.stage.cfg.DeadLetters.Name, o.stage.cfg.DeadLetters.Partitions))
}

func (o *output) Count(c metric.Count) { o.stage.counts.Add(c) }
