package metric

import (
	"fmt"
	"slices"
	"strings"
)

// Names in stores: one stored series a stat, its name MetricPrefix and the
// stat's; a dimension's label has DimPrefix before its name, an attribute's
// AttrPrefix.
const (
	MetricPrefix = "pharos_"
	DimPrefix    = "dim_"
	AttrPrefix   = "attr_"
)

// The labels of every stored series.
const (
	LabelTenant     = "tenant"
	LabelExperiment = "experiment"
	LabelVariant    = "variant"
	LabelStatus     = "status"
	LabelPoint      = "point"
)

// StoreLabels returns the labels of the series in stores, sorted by name.
// Those with an empty value are left out. Names are of letters, digits and
// underscores whatever the dimension or attribute is called: see LabelName.
func (s *Series) StoreLabels() []Label {
	out := make([]Label, 0, 5+len(s.Dims)+len(s.Attributes))
	add := func(name, value string) {
		if value != "" {
			out = append(out, Label{name, value})
		}
	}
	add(LabelTenant, s.Tenant)
	add(LabelExperiment, s.Experiment)
	add(LabelVariant, s.Variant)
	add(LabelStatus, s.Status)
	add(LabelPoint, s.Point)
	for _, l := range s.Dims {
		add(DimPrefix+LabelName(l.Name), l.Value)
	}
	for _, l := range s.Attributes {
		add(AttrPrefix+LabelName(l.Name), l.Value)
	}
	slices.SortFunc(out, compareLabel)
	return out
}

// SetStoreLabel puts one label of a stored series back into s. Labels that
// StoreLabels does not make are an error.
func (s *Series) SetStoreLabel(name, value string) error {
	switch name {
	case LabelTenant:
		s.Tenant = value
	case LabelExperiment:
		s.Experiment = value
	case LabelVariant:
		s.Variant = value
	case LabelStatus:
		s.Status = value
	case LabelPoint:
		s.Point = value
	default:
		if n, ok := strings.CutPrefix(name, DimPrefix); ok {
			s.Dims = append(s.Dims, Label{ParseLabelName(n), value})
		} else if n, ok := strings.CutPrefix(name, AttrPrefix); ok {
			s.Attributes = append(s.Attributes, Label{ParseLabelName(n), value})
		} else {
			return fmt.Errorf("stored series with the label %q, which is not one of a figure", name)
		}
	}
	return nil
}

// LabelName returns name with every byte that is no ASCII letter, digit or
// underscore replaced by "__" and two hex digits; so is an underscore that does
// not stand before a letter or digit or at the end. So ordinary names stay as
// they are, no two names become one, and ParseLabelName gives them back.
func LabelName(name string) string {
	const hex = "0123456789abcdef"
	plain := func(i int) bool {
		if name[i] == '_' {
			return i+1 == len(name) || isAlnum(name[i+1])
		}
		return isAlnum(name[i])
	}
	var b strings.Builder
	for i := range len(name) {
		if plain(i) {
			b.WriteByte(name[i])
		} else {
			b.WriteString("__")
			b.WriteByte(hex[name[i]>>4])
			b.WriteByte(hex[name[i]&15])
		}
	}
	return b.String()
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// ParseLabelName is the inverse of LabelName; what LabelName does not give
// comes back as it is.
func ParseLabelName(label string) string {
	var b strings.Builder
	for i := 0; i < len(label); i++ {
		if strings.HasPrefix(label[i:], "__") && i+4 <= len(label) {
			hi, ok1 := unhex(label[i+2])
			lo, ok2 := unhex(label[i+3])
			if ok1 && ok2 {
				b.WriteByte(hi<<4 | lo)
				i += 3
				continue
			}
		}
		b.WriteByte(label[i])
	}
	return b.String()
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
