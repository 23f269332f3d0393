package metric

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// AppendKey appends the canonical key of s: two series have the same key if
// and only if they are the same, whatever the order in which their labels
// stand. A label with an empty value is none.
func (s *Series) AppendKey(dst []byte) []byte {
	for _, v := range [...]string{s.Tenant, s.Experiment, s.Variant, s.Status, s.Point} {
		dst = appendText(dst, v)
	}
	dst = appendLabels(dst, s.Attributes)
	return appendLabels(dst, s.Dims)
}

func appendText(dst []byte, v string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
}

func appendLabels(dst []byte, labels []Label) []byte {
	labels = canonical(labels)
	dst = binary.AppendUvarint(dst, uint64(len(labels)))
	for _, l := range labels {
		dst = appendText(appendText(dst, l.Name), l.Value)
	}
	return dst
}

// canonical returns the labels sorted by name without empty values: the
// argument itself where it is so already.
func canonical(labels []Label) []Label {
	ok := true
	for i, l := range labels {
		if l.Value == "" || i > 0 && compareLabel(labels[i-1], l) > 0 {
			ok = false
			break
		}
	}
	if ok {
		return labels
	}
	out := make([]Label, 0, len(labels))
	for _, l := range labels {
		if l.Value != "" {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, compareLabel)
	return out
}

func compareLabel(a, b Label) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
}

// Hash returns the xxhash of the key.
func (s *Series) Hash() uint64 {
	var buf [256]byte
	return xxhash.Sum64(s.AppendKey(buf[:0]))
}

// PartitionOf returns the partition of the metrics topic that holds s.
func PartitionOf(s *Series, partitions int32) int32 {
	return int32(s.Hash() % uint64(partitions))
}

// Less is the order of replay's output.
func (s *Series) Less(t *Series) bool { return s.Compare(t) < 0 }

// Compare orders series by tenant, experiment, variant, status, point,
// dimensions, attributes, each by bytes. Labels compare as lists sorted by
// name, pair by pair, name before value; a list goes before one that it begins.
// It is 0 if and only if the keys are the same.
func (s *Series) Compare(t *Series) int {
	return cmp.Or(
		strings.Compare(s.Tenant, t.Tenant),
		strings.Compare(s.Experiment, t.Experiment),
		strings.Compare(s.Variant, t.Variant),
		strings.Compare(s.Status, t.Status),
		strings.Compare(s.Point, t.Point),
		slices.CompareFunc(canonical(s.Dims), canonical(t.Dims), compareLabel),
		slices.CompareFunc(canonical(s.Attributes), canonical(t.Attributes), compareLabel),
	)
}

// Clone returns a copy of s that shares no label slice with it.
func (s *Series) Clone() *Series {
	c := *s
	c.Attributes = slices.Clone(s.Attributes)
	c.Dims = slices.Clone(s.Dims)
	return &c
}
