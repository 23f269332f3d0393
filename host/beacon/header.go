package beacon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The Kafka header keys of what dispatch routes.
const (
	HeaderKey = "pharos"      // of a beacon: its value is a Header
	MarkKey   = "pharos-mark" // tells a mark; the record's value is a Mark
	EndKey    = "pharos-end"  // tells an end; the record's value is an End
)

// version is the first byte of headers, marks and ends.
const version = 1

// maxVersion bounds what may be a later one: no text begins with such a byte.
const maxVersion = 31

// Bounds of headers, marks and ends.
const (
	maxTopic      = 249 // Kafka's own
	maxEntries    = 1 << 16
	maxPartitions = 1 << 16 // of a source topic: readers keep something of each
)

// Header says where a routed beacon came from. Its form: a byte 1, the topic as
// a length and bytes, partition, offset, generation, all as minimal varints, and
// the watermark as a zigzag varint.
type Header struct {
	Topic      string // of the source
	Partition  int32
	Offset     int64
	Generation uint64
	Watermark  int64 // the source partition's before this beacon, epoch ms; the lowest int64 is none
}

// Append appends the encoding of h to dst.
func (h Header) Append(dst []byte) []byte {
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(h.Topic)))
	dst = append(dst, h.Topic...)
	dst = binary.AppendUvarint(dst, uint64(h.Partition))
	dst = binary.AppendUvarint(dst, uint64(h.Offset))
	dst = binary.AppendUvarint(dst, h.Generation)
	return binary.AppendVarint(dst, h.Watermark)
}

// ParseHeader reads what Append wrote, and refuses anything else. A later
// version is an ErrVersion.
func ParseHeader(b []byte) (Header, error) {
	var h Header
	err := h.Parse(b)
	return h, err
}

// Parse is ParseHeader into h; it does not allocate where h has the same topic
// already. After an error h is undefined.
func (h *Header) Parse(b []byte) error {
	r := reader{rest: b}
	r.version()
	if topic := r.topic(); h.Topic != string(topic) {
		h.Topic = string(topic)
	}
	h.Partition = int32(r.uvarint(maxPartitions - 1))
	h.Offset = int64(r.uvarint(math.MaxInt64))
	h.Generation = r.uvarint(math.MaxUint64)
	h.Watermark = r.varint()
	if err := r.done(); err != nil {
		return fmt.Errorf("header %q: %w", HeaderKey, err)
	}
	return nil
}

// MarkEntry is what a mark says of one source partition.
type MarkEntry struct {
	Topic      string
	Partition  int32
	Partitions int32 // of the topic
	Watermark  int64 // epoch ms; the lowest int64 is none
	Idle       bool
}

// Mark says how far the source partitions of one dispatch host are. Its form: a
// byte 1, generation and number of entries, and each entry as topic, partition,
// partitions, idle (0 or 1), all as in a Header, and the watermark.
type Mark struct {
	Generation uint64
	Entries    []MarkEntry
}

// Append appends the encoding of m to dst.
func (m Mark) Append(dst []byte) []byte {
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, m.Generation)
	dst = binary.AppendUvarint(dst, uint64(len(m.Entries)))
	for i := range m.Entries {
		e := &m.Entries[i]
		dst = binary.AppendUvarint(dst, uint64(len(e.Topic)))
		dst = append(dst, e.Topic...)
		dst = binary.AppendUvarint(dst, uint64(e.Partition))
		dst = binary.AppendUvarint(dst, uint64(e.Partitions))
		idle := byte(0)
		if e.Idle {
			idle = 1
		}
		dst = append(dst, idle)
		dst = binary.AppendVarint(dst, e.Watermark)
	}
	return dst
}

// ParseMark reads what Append wrote, and refuses anything else, and a partition
// beyond its topic's partitions. A later version is an ErrVersion.
func ParseMark(b []byte) (Mark, error) {
	r := reader{rest: b}
	r.version()
	m := Mark{Generation: r.uvarint(math.MaxUint64)}
	n := r.uvarint(maxEntries)
	for ; n > 0 && r.err == nil; n-- {
		e := MarkEntry{Topic: string(r.topic())}
		e.Partition = int32(r.uvarint(maxPartitions - 1))
		e.Partitions = int32(r.uvarint(maxPartitions))
		e.Idle = r.uvarint(1) == 1
		e.Watermark = r.varint()
		if r.err == nil && e.Partition >= e.Partitions {
			r.err = fmt.Errorf("partition %d of %d", e.Partition, e.Partitions)
		}
		m.Entries = append(m.Entries, e)
	}
	if err := r.done(); err != nil {
		return Mark{}, fmt.Errorf("mark: %w", err)
	}
	return m, nil
}

// End says that nothing more comes of a source partition on the topic that holds
// it: from the generation on, what it routes goes to the topic that took its
// place. Its form: a byte 1, generation, topic, partition and partitions as in a
// MarkEntry, and the watermark.
type End struct {
	Generation uint64 // the one under which the source partition goes on
	Topic      string // of the source
	Partition  int32
	Partitions int32 // of the source's topic: so many ends are to come
	Watermark  int64 // at the end, epoch ms; the lowest int64 is none
}

// Append appends the encoding of e to dst.
func (e End) Append(dst []byte) []byte {
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, e.Generation)
	dst = binary.AppendUvarint(dst, uint64(len(e.Topic)))
	dst = append(dst, e.Topic...)
	dst = binary.AppendUvarint(dst, uint64(e.Partition))
	dst = binary.AppendUvarint(dst, uint64(e.Partitions))
	return binary.AppendVarint(dst, e.Watermark)
}

// ParseEnd reads what Append wrote, and refuses anything else, and a partition
// beyond its topic's partitions. A later version is an ErrVersion.
func ParseEnd(b []byte) (End, error) {
	r := reader{rest: b}
	r.version()
	e := End{Generation: r.uvarint(math.MaxUint64), Topic: string(r.topic())}
	e.Partition = int32(r.uvarint(maxPartitions - 1))
	e.Partitions = int32(r.uvarint(maxPartitions))
	e.Watermark = r.varint()
	if r.err == nil && e.Partition >= e.Partitions {
		r.err = fmt.Errorf("partition %d of %d", e.Partition, e.Partitions)
	}
	if err := r.done(); err != nil {
		return End{}, fmt.Errorf("end: %w", err)
	}
	return e, nil
}

// reader reads headers, marks and ends; after an error it gives zeros.
type reader struct {
	rest []byte
	err  error
}

// ErrVersion is a header, mark or end of a version that this host does not know: of
// a later one, not a broken one.
var ErrVersion = errors.New("upgrade this host")

var (
	errShort   = errors.New("ends too early")
	errTrail   = errors.New("bytes behind the end")
	errRange   = errors.New("number out of range")
	errMinimal = errors.New("number not in its shortest form")
)

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *reader) version() {
	switch {
	case len(r.rest) == 0:
		r.fail(errShort)
	case r.rest[0] == 0 || r.rest[0] > maxVersion:
		r.fail(errRange)
	case r.rest[0] != version:
		r.fail(fmt.Errorf("version %d is not known to this host, which knows %d: %w", r.rest[0], version, ErrVersion))
	default:
		r.rest = r.rest[1:]
	}
}

func (r *reader) uvarint(most uint64) uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.rest)
	switch {
	case n == 0:
		r.fail(errShort)
		return 0
	case n < 0 || v > most:
		r.fail(errRange)
		return 0
	case n > 1 && r.rest[n-1] == 0:
		r.fail(errMinimal)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint(math.MaxUint64)
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) topic() []byte {
	n := r.uvarint(maxTopic)
	if r.err == nil && n > uint64(len(r.rest)) {
		r.fail(errShort)
	}
	if r.err != nil {
		return nil
	}
	t := r.rest[:n]
	r.rest = r.rest[n:]
	return t
}

func (r *reader) done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = errTrail
	}
	return r.err
}
