package metric

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrFrame is in the chain of every error of ParseFrame.
var ErrFrame = errors.New("no frame of the metrics topic")

// ParseFrame decodes what Append wrote. It keeps no reference to b. Memory is
// bounded by a small multiple of the length of b, which MaxFrame bounds.
func ParseFrame(b []byte) (*Frame, error) {
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrFrame, len(b), MaxFrame)
	}
	var d decoder
	if err := d.frame(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	return &d.f, nil
}

type decoder struct {
	f       Frame
	texts   []string
	series  []*Series
	version uint64
}

// field is one field of a message: a number, or bytes.
type field struct {
	num   protowire.Number
	bytes bool
	n     uint64
	b     []byte
}

// fields calls each for every field of a message, in order.
func fields(b []byte, each func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := field{num: num}
		switch typ {
		case protowire.VarintType:
			f.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.n, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes = true
			f.b, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
			f.num = 0 // a later version's
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if f.num != 0 {
			if err := each(f); err != nil {
				return err
			}
		}
	}
	return nil
}

var errKind = errors.New("field of another type")

func (f field) number() (uint64, error) {
	if f.bytes {
		return 0, errKind
	}
	return f.n, nil
}

func (f field) uint(dst *uint64) (err error) {
	*dst, err = f.number()
	return err
}

func (f field) sint(dst *int64) error {
	n, err := f.number()
	*dst = protowire.DecodeZigZag(n)
	return err
}

func (f field) int31(dst *int32) error {
	n, err := f.number()
	if err == nil && n > math.MaxInt32 {
		return fmt.Errorf("number %d out of range", n)
	}
	*dst = int32(n)
	return err
}

func (f field) message() ([]byte, error) {
	if !f.bytes {
		return nil, errKind
	}
	return f.b, nil
}

// frame reads the tables first: protobuf promises no order of fields.
func (d *decoder) frame(b []byte) error {
	var series [][]byte
	err := fields(b, func(f field) (err error) {
		switch f.num {
		case frameVersionField:
			err = f.uint(&d.version)
		case frameHostField:
			d.f.Host = string(f.b)
		case frameGenerationField:
			err = f.uint(&d.f.Generation)
		case frameStringField:
			d.texts = append(d.texts, string(f.b))
		case frameSeriesField:
			series = append(series, f.b)
		}
		return err
	})
	if err != nil {
		return err
	}
	if d.version != frameVersion {
		return fmt.Errorf("version %d, this binary reads version %d: upgrade it", d.version, frameVersion)
	}
	for _, s := range series {
		if err := d.seriesOf(s); err != nil {
			return err
		}
	}
	return fields(b, func(f field) error {
		switch f.num {
		case frameDeltaField:
			return d.delta(f)
		case frameCountField:
			return d.count(f)
		case frameProgressField:
			return d.progress(f)
		}
		return nil
	})
}

func (d *decoder) text(i uint64) (string, error) {
	if i >= uint64(len(d.texts)) {
		return "", fmt.Errorf("string %d of %d", i, len(d.texts))
	}
	return d.texts[i], nil
}

// packed reads a packed list of indexes of strings.
func (d *decoder) packed(f field) ([]string, error) {
	b, err := f.message()
	if err != nil {
		return nil, err
	}
	var out []string
	for len(b) > 0 {
		i, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		s, err := d.text(i)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (d *decoder) seriesOf(b []byte) error {
	s := new(Series)
	named := false
	err := fields(b, func(f field) error {
		if f.num > 3 {
			return nil
		}
		list, err := d.packed(f)
		if err != nil {
			return err
		}
		if f.num == 1 {
			if len(list) != 5 {
				return fmt.Errorf("series of %d names, want 5", len(list))
			}
			s.Tenant, s.Experiment, s.Variant, s.Status, s.Point = list[0], list[1], list[2], list[3], list[4]
			named = true
			return nil
		}
		if len(list)%2 != 0 {
			return errors.New("label without a value")
		}
		labels := make([]Label, 0, len(list)/2)
		for i := 0; i < len(list); i += 2 {
			labels = append(labels, Label{list[i], list[i+1]})
		}
		if f.num == 2 {
			s.Attributes = labels
		} else {
			s.Dims = labels
		}
		return nil
	})
	if err == nil && !named {
		err = errors.New("series without names")
	}
	d.series = append(d.series, s)
	return err
}

func (d *decoder) delta(f field) error {
	b, err := f.message()
	if err != nil {
		return err
	}
	var out Delta
	var series uint64
	err = fields(b, func(f field) error {
		switch f.num {
		case 1:
			return f.uint(&series)
		case 2:
			return f.sint(&out.Minute)
		case 3:
			return f.sint(&out.Figure.Hits)
		case 4:
			return f.sint(&out.Figure.Sessions)
		case 5, 6:
			return f.integer(&out.Figure.Sum)
		case 7, 8:
			return f.integer(&out.Figure.SumSq)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if series >= uint64(len(d.series)) {
		return fmt.Errorf("series %d of %d", series, len(d.series))
	}
	out.Series = d.series[series]
	d.f.Deltas = append(d.f.Deltas, out)
	return nil
}

// integer reads an Int: an sint64, or two's complement bytes.
func (f field) integer(dst *Int) error {
	var err error
	if f.bytes {
		*dst, err = intOfTwosComplement(f.b)
		return err
	}
	*dst = NewInt(protowire.DecodeZigZag(f.n))
	return nil
}

func (d *decoder) count(f field) error {
	b, err := f.message()
	if err != nil {
		return err
	}
	var out Count
	var tenant, outcome, reason uint64
	err = fields(b, func(f field) error {
		switch f.num {
		case 1:
			return f.uint(&tenant)
		case 2:
			return f.uint(&outcome)
		case 3:
			return f.uint(&reason)
		case 4:
			return f.sint(&out.N)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if outcome > math.MaxUint8 {
		return fmt.Errorf("outcome %d", outcome)
	}
	out.Outcome = Outcome(outcome)
	if out.Tenant, err = d.text(tenant); err != nil {
		return err
	}
	if out.Reason, err = d.text(reason); err != nil {
		return err
	}
	d.f.Counts = append(d.f.Counts, out)
	return nil
}

func (d *decoder) progress(f field) error {
	b, err := f.message()
	if err != nil {
		return err
	}
	out := Progress{Watermark: NoWatermark}
	var route uint64
	err = fields(b, func(f field) error {
		switch f.num {
		case 1:
			return f.uint(&route)
		case 2:
			if len(f.b) != len(out.TopicID) {
				return fmt.Errorf("topic id of %d bytes", len(f.b))
			}
			copy(out.TopicID[:], f.b)
		case 3:
			return f.int31(&out.Partition)
		case 4:
			return f.int31(&out.Partitions)
		case 5:
			n, err := f.number()
			out.Offset = int64(n)
			return err
		case 6:
			return f.sint(&out.Watermark)
		case 7:
			return f.uint(&out.Generation)
		case 8:
			n, err := f.number()
			out.Closed = protowire.DecodeBool(n)
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	if out.Partition >= out.Partitions || out.Partitions > MaxPartitions {
		return fmt.Errorf("partition %d of %d, at most %d are allowed", out.Partition, out.Partitions, MaxPartitions)
	}
	if out.Route, err = d.text(route); err != nil {
		return err
	}
	d.f.Progress = append(d.f.Progress, out)
	return nil
}
