package tck

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Answers writes what an output says of each row as text, so that two guests or
// two batches can be compared. An error is of an output that does not fit the
// plan, which a host would not have let through.
func Answers(kind abi.Kind, plan *abi.Plan, rows int, out *abi.Output) ([]string, error) {
	answers := make([]string, rows)
	switch kind {
	case abi.Filter:
		if len(out.Keep) < abi.BitmapBytes(rows) || len(out.Reasons) != rows {
			return nil, fmt.Errorf("answer of %d bytes and %d reasons to %d rows", len(out.Keep), len(out.Reasons), rows)
		}
		for i := range answers {
			answers[i] = "keep"
			if !abi.Bit(out.Keep, i) {
				answers[i] = "drop " + name(plan.Reasons, int(out.Reasons[i]))
			}
		}
	case abi.Split:
		if len(out.Routes) != rows {
			return nil, fmt.Errorf("%d routes for %d rows", len(out.Routes), rows)
		}
		for i, r := range out.Routes {
			answers[i] = "no opinion"
			if r != abi.NoRoute {
				answers[i] = "route " + name(plan.Routes, int(r))
			}
		}
	case abi.Extract:
		for _, m := range out.Measurements {
			if int(m.Row) >= rows || int(m.Point) >= len(plan.Points) || int(m.Attributes) > len(out.Attributes) {
				return nil, fmt.Errorf("measurement %+v of %d rows, %d points, %d tuples", m, rows, len(plan.Points), len(out.Attributes))
			}
			answers[m.Row] += measurement(plan, out, m)
		}
		for _, r := range out.BadValues {
			if int(r) >= rows {
				return nil, fmt.Errorf("bad value of row %d of %d", r, rows)
			}
			answers[r] += "[bad value]"
		}
	}
	return answers, nil
}

func name(names []string, i int) string {
	if i < len(names) {
		return strconv.Quote(names[i])
	}
	return "number " + strconv.Itoa(i)
}

func measurement(plan *abi.Plan, out *abi.Output, m abi.Measurement) string {
	p := plan.Points[m.Point]
	var s strings.Builder
	value := strconv.FormatUint(math.Float64bits(m.Value), 16)
	if math.IsNaN(m.Value) {
		value = "NaN" // whatever its bits
	}
	fmt.Fprintf(&s, "[%q %s %v", p.Name, value, m.Value)
	if m.Attributes > 0 {
		for i, text := range out.Attributes[m.Attributes-1] {
			if len(text) > 0 && i < len(p.Attributes) {
				fmt.Fprintf(&s, " %s=%q", p.Attributes[i], text)
			}
		}
	}
	s.WriteString("]")
	return s.String()
}
