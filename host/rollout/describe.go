package rollout

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
)

// describe says an answer in words.
func (p *Plugin) describe(v *verdict, measured []measured) string {
	switch kind := p.Kind(); {
	case v.failed:
		return "fails"
	case kind == abi.Extract:
		return p.describeMeasurements(measured)
	case v.dropped:
		return cut([]byte("dropped: "+v.word), maxAnswerBytes)
	case kind == abi.Filter:
		return "kept"
	case v.word == "":
		return "no opinion"
	}
	return cut([]byte("route "+v.word), maxAnswerBytes)
}

func (p *Plugin) describeMeasurements(list []measured) string {
	if len(list) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for i, m := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		if b.Len() > maxAnswerBytes {
			b.WriteString("…")
			break
		}
		if m.point < 0 {
			b.WriteString("a bad value")
			continue
		}
		point := p.points[m.point]
		b.WriteString(point.Name + "=" + strconv.FormatFloat(m.value, 'g', -1, 64))
		writeAttributes(&b, point.Attributes, m.attributes)
	}
	return cut([]byte(b.String()), 2*maxAnswerBytes)
}

// writeAttributes writes the attributes that have a value.
func writeAttributes(b *strings.Builder, names []string, packed []byte) {
	sign := " {"
	for _, name := range names {
		length, n := binary.Uvarint(packed)
		if n <= 0 {
			break
		}
		packed = packed[n:]
		if length == 0 {
			continue
		}
		b.WriteString(sign + name + ": " + string(packed[:length-1]))
		packed, sign = packed[length-1:], ", "
	}
	if sign != " {" {
		b.WriteString("}")
	}
}
