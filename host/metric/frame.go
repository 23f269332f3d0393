package metric

import (
	"fmt"
	"math/big"

	"google.golang.org/protobuf/encoding/protowire"
)

// frameVersion is the version of the encoding that frame.proto documents.
const frameVersion = 1

// MaxFrame bounds the bytes of a frame. A delta always fits: its dimensions are
// of one beacon and its attributes of another, each at most 1 MiB.
const MaxFrame = 4 << 20

// MaxPartitions bounds the partitions of a route that a progress may tell.
const MaxPartitions = 1 << 16

// maxInt bounds the bytes of an encoded Int.
const maxInt = 1 << 10

// Field numbers, as in frame.proto.
const (
	frameVersionField    = 1
	frameHostField       = 2
	frameGenerationField = 3
	frameStringField     = 4
	frameSeriesField     = 5
	frameDeltaField      = 6
	frameCountField      = 7
	frameProgressField   = 8
)

// Append appends the encoding of f. The frame must come out no longer than
// MaxFrame to be read back; Records sees to that.
func (f *Frame) Append(dst []byte) []byte {
	e := encoder{strings: map[string]uint64{}, series: map[string]uint64{}}
	for i := range f.Deltas {
		e.delta(&f.Deltas[i])
	}
	for i := range f.Counts {
		e.count(&f.Counts[i])
	}
	for i := range f.Progress {
		e.progress(&f.Progress[i])
	}
	dst = appendUint(dst, frameVersionField, frameVersion)
	dst = appendBytes(dst, frameHostField, f.Host)
	if f.Generation != 0 {
		dst = protowire.AppendTag(dst, frameGenerationField, protowire.Fixed64Type)
		dst = protowire.AppendFixed64(dst, f.Generation)
	}
	for _, s := range e.texts {
		dst = protowire.AppendTag(dst, frameStringField, protowire.BytesType)
		dst = protowire.AppendString(dst, s)
	}
	return append(dst, append(e.seriesOut, e.out...)...)
}

// encoder gathers the tables of a frame while it writes the rest.
type encoder struct {
	strings   map[string]uint64
	texts     []string
	series    map[string]uint64
	last      *Series // of the delta before, and
	lastIndex uint64  // its index: a series' minutes come together
	seriesOut []byte  // fields series
	out       []byte  // fields deltas, counts, progress
	msg, key  []byte  // of one message
	packed    []byte
}

func (e *encoder) text(s string) uint64 {
	i, ok := e.strings[s]
	if !ok {
		i = uint64(len(e.texts))
		e.strings[s] = i
		e.texts = append(e.texts, s)
	}
	return i
}

func (e *encoder) seriesIndex(s *Series) uint64 {
	if s != e.last {
		e.last, e.lastIndex = s, e.findSeries(s)
	}
	return e.lastIndex
}

func (e *encoder) findSeries(s *Series) uint64 {
	e.key = s.AppendKey(e.key[:0])
	if i, ok := e.series[string(e.key)]; ok {
		return i
	}
	i := uint64(len(e.series))
	e.series[string(e.key)] = i
	e.msg = e.msg[:0]
	e.packed = e.packed[:0]
	for _, v := range [...]string{s.Tenant, s.Experiment, s.Variant, s.Status, s.Point} {
		e.packed = protowire.AppendVarint(e.packed, e.text(v))
	}
	e.msg = appendBytes(e.msg, 1, e.packed)
	for field, labels := range [...][]Label{2: s.Attributes, 3: s.Dims} {
		e.packed = e.packed[:0]
		for _, l := range labels {
			e.packed = protowire.AppendVarint(e.packed, e.text(l.Name))
			e.packed = protowire.AppendVarint(e.packed, e.text(l.Value))
		}
		e.msg = appendBytes(e.msg, protowire.Number(field), e.packed)
	}
	e.seriesOut = protowire.AppendTag(e.seriesOut, frameSeriesField, protowire.BytesType)
	e.seriesOut = protowire.AppendBytes(e.seriesOut, e.msg)
	return i
}

func (e *encoder) end(field protowire.Number) {
	e.out = protowire.AppendTag(e.out, field, protowire.BytesType)
	e.out = protowire.AppendBytes(e.out, e.msg)
}

func (e *encoder) delta(d *Delta) {
	series := e.seriesIndex(d.Series)
	e.msg = appendUint(e.msg[:0], 1, series)
	e.msg = appendSint(e.msg, 2, d.Minute)
	e.msg = appendSint(e.msg, 3, d.Figure.Hits)
	e.msg = appendSint(e.msg, 4, d.Figure.Sessions)
	e.msg = appendInt(e.msg, 5, d.Figure.Sum)
	e.msg = appendInt(e.msg, 7, d.Figure.SumSq)
	e.end(frameDeltaField)
}

func (e *encoder) count(c *Count) {
	tenant, reason := e.text(c.Tenant), e.text(c.Reason)
	e.msg = appendUint(e.msg[:0], 1, tenant)
	e.msg = appendUint(e.msg, 2, uint64(c.Outcome))
	e.msg = appendUint(e.msg, 3, reason)
	e.msg = appendSint(e.msg, 4, c.N)
	e.end(frameCountField)
}

func (e *encoder) progress(p *Progress) {
	e.msg = appendUint(e.msg[:0], 1, e.text(p.Route))
	e.msg = appendBytes(e.msg, 2, p.TopicID[:])
	e.msg = appendUint(e.msg, 3, uint64(uint32(p.Partition)))
	e.msg = appendUint(e.msg, 4, uint64(uint32(p.Partitions)))
	e.msg = appendUint(e.msg, 5, uint64(p.Offset))
	if p.Watermark != NoWatermark {
		e.msg = protowire.AppendTag(e.msg, 6, protowire.VarintType)
		e.msg = protowire.AppendVarint(e.msg, protowire.EncodeZigZag(p.Watermark))
	}
	e.msg = appendUint(e.msg, 7, p.Generation)
	e.msg = appendUint(e.msg, 8, protowire.EncodeBool(p.Closed))
	e.end(frameProgressField)
}

// Values of zero are left out, as proto3 does.

func appendUint(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), v)
}

func appendSint(dst []byte, field protowire.Number, v int64) []byte {
	return appendUint(dst, field, protowire.EncodeZigZag(v))
}

func appendBytes[T []byte | string](dst []byte, field protowire.Number, v T) []byte {
	if len(v) == 0 {
		return dst
	}
	return append(protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.BytesType), uint64(len(v))), v...)
}

// appendInt writes an Int at the field, or as bytes at the one after it.
func appendInt(dst []byte, field protowire.Number, v Int) []byte {
	if small, ok := v.int64(); ok {
		return appendSint(dst, field, small)
	}
	return appendBytes(dst, field+1, v.twosComplement())
}

// twosComplement returns the shortest big-endian two's complement bytes of a.
func (a Int) twosComplement() []byte {
	v := a.view()
	if v.Sign() >= 0 {
		return v.FillBytes(make([]byte, v.BitLen()/8+1))
	}
	n := new(big.Int).Not(v).BitLen()/8 + 1
	v = new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	return v.FillBytes(make([]byte, n))
}

// intOfTwosComplement is the inverse of twosComplement.
func intOfTwosComplement(b []byte) (Int, error) {
	if len(b) > maxInt {
		return Int{}, fmt.Errorf("integer of %d bytes, at most %d are allowed", len(b), maxInt)
	}
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return IntOfBig(v), nil
}
