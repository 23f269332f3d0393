package compare

import (
	"fmt"
	"io"
	"strconv"
)

// Write writes the result for people.
func (r *Result) Write(w io.Writer) error {
	const layout = "2006-01-02T15:04Z"
	_, err := fmt.Fprintf(w, "%s and %s, %s to %s\n\n%12d values are equal\n", r.A, r.B, r.From.Format(layout), r.To.Format(layout), r.Equal)
	for _, line := range []struct {
		n    int64
		what string
	}{
		{r.Rounded, "differ by no more than these stores are known to round"}, {r.Different, "differ"},
		{r.MissingA, "are missing in " + r.A}, {r.MissingB, "are missing in " + r.B},
	} {
		if err == nil && line.n > 0 {
			_, err = fmt.Fprintf(w, "%12d %s\n", line.n, line.what)
		}
	}
	for i, e := range r.Examples {
		if err == nil && i == 0 {
			_, err = fmt.Fprintf(w, "\nexamples\n")
		}
		if err == nil {
			_, err = fmt.Fprintf(w, "  %s of %s at %s: %s %s, %s %s\n", e.Stat, e.Figure, e.Time.Format(layout), r.A, shown(e.A), r.B, shown(e.B))
		}
	}
	return err
}

func shown(v *float64) string {
	if v == nil {
		return "nothing"
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}
