package pipeline

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// shownSamples is how many beacons of a change are shown to people.
const shownSamples = 3

// WriteDiff writes for people how the versions of a plugin differ.
func WriteDiff(out io.Writer, r *rollout.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "plugin\t%s, %s\n", r.Plugin, r.Kind)
	fmt.Fprintf(w, "phase\t%s since %s, generation %d by %s\n", r.Phase, time.UnixMilli(r.Since).UTC().Format("2006-01-02 15:04:05"), r.Generation, r.By)
	if r.Reason != "" {
		fmt.Fprintf(w, "because\t%s\n", r.Reason)
	}
	writeVersion(w, "new", r.New)
	if r.Old != nil {
		writeVersion(w, "old", r.Old)
		if r.Old.Digest == r.New.Digest {
			fmt.Fprintln(w, "\tthe same module, with another config or other data")
		}
	}
	if r.FuelRatio != nil {
		fmt.Fprintf(w, "fuel\t%.2f times that of old a beacon\n", *r.FuelRatio)
	}
	fmt.Fprintf(w, "compared\t%d beacons, %d differ%s\n", r.Compared, r.Differing, ofAll(r.Differing, r.Compared))
	for _, c := range r.Changes {
		fmt.Fprintf(w, "\n%s\t%d%s\n", c.Change, c.Rows, ofAll(c.Rows, r.Compared))
		for _, s := range c.Samples[:min(len(c.Samples), shownSamples)] {
			fmt.Fprintf(w, "  %s\n    old: %s\n    new: %s\n", printable(s.Beacon), printable(s.Old), printable(s.New))
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func writeVersion(w io.Writer, which string, v *rollout.VersionReport) {
	fmt.Fprintf(w, "%s\tversion %s, %.19s: %d beacons, failed at %d%s\n", which, v.Version, v.Digest, v.Rows, v.Traps, ofAll(v.Traps, v.Rows))
}

// printable is a text without what would move a terminal's cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// ofAll is a part in percent, in brackets.
func ofAll(part, all int64) string {
	if part == 0 || all == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.3g %%)", 100*float64(part)/float64(all))
}
