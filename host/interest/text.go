package interest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// How much of long lists people are shown; the JSON has more.
const (
	shownKinds  = 40
	shownSeries = 20
)

// WriteText writes the report for people.
func (r *Report) WriteText(out io.Writer) error {
	w := &writer{out: out}
	w.printf("%s, %s, under %s\n", counted(r.Beacons, "beacon"), counted(r.Sessions, "session"), r.InForce)
	if r.Aside > 0 {
		w.printf("left aside: %s more, of sessions that the sample's ends cut, or late\n", counted(r.Aside, "beacon"))
	}
	w.printf("kinds by %s: %s\n\n", or(strings.Join(r.By, ", "), "nothing"), r.Why)
	w.kinds(r)
	w.printf("\n%s of all beacons are dropped by filters already; %s touch nothing", share(r.Dropped, r.Beacons), share(r.Untouching, r.Beacons))
	if r.Together > 0 {
		w.printf(" of those that were taken out one by one")
	}
	w.printf(".\n")
	w.rule(Useless, r.Useless, r)
	w.rule(BoundsOnly, r.BoundsOnly, r)
	w.rule(VisitsOnly, r.VisitsOnly, r)
	if r.Rule == "" {
		w.printf("\nThere is nothing to drop: no kind has enough beacons of which none touches a figure of a measurement.\n")
	}
	if len(r.Warnings) > 0 {
		w.printf("\nNotes:\n")
		for _, note := range r.Warnings {
			w.printf("  %s\n", note)
		}
	}
	return w.err
}

// writer keeps the first error.
type writer struct {
	out io.Writer
	err error
}

func (w *writer) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.out, format, args...)
	}
}

func (w *writer) kinds(r *Report) {
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) {
		if w.err == nil {
			_, w.err = fmt.Fprintln(table, strings.Join(cells, "\t"))
		}
	}
	row("beacons", "share", "dropped", "refused", "figure", "assignment", "bounds", "nothing", "  kind")
	for i := range r.Kinds[:min(len(r.Kinds), shownKinds)] {
		k := &r.Kinds[i]
		row(number(k.Beacons), share(k.Beacons, r.Beacons), share(k.Dropped, k.Beacons), share(k.Refused+k.Late, k.Beacons),
			share(k.Figure, k.Looked), share(k.Assignment, k.Looked), share(k.Bounds, k.Looked), share(k.Nothing, k.Looked), "  "+k.name)
	}
	if w.err == nil {
		w.err = table.Flush()
	}
	if more := len(r.Kinds) - shownKinds; more > 0 {
		w.printf("and %d more kinds: --json has all\n", more)
	}
}

// touches says what some beacons of a class touch.
func (c Class) touches() string {
	return map[Class]string{Useless: "nothing", BoundsOnly: "bounds of sessions only", VisitsOnly: "bounds and assignments only"}[c]
}

// spares says what none of them does.
func (c Class) spares() string {
	return map[Class]string{Useless: "anything", BoundsOnly: "a figure or an assignment", VisitsOnly: "a figure of a measurement"}[c]
}

func (w *writer) rule(of Class, rule *RuleReport, r *Report) {
	if rule == nil {
		return
	}
	too := ""
	if of != Useless {
		too = ", too"
	}
	w.printf("\nWhat touches %s%s: %s, %s of all beacons. To drop that\n", of.touches(), too, counted(len(rule.Kinds), "kind"), share(rule.Beacons, r.Beacons))
	w.printf("  %s\n", rule.says())
	w.printf("  with 95 %% confidence at most %s of the beacons of each kind touch %s\n", percent(rule.UpToShare), of.spares())
	for i := range min(len(rule.Effect.Series), shownSeries) {
		w.printf("    %s\n", &rule.Effect.Series[i])
	}
	if more := len(rule.Effect.Series) + rule.Effect.More - shownSeries; more > 0 {
		w.printf("    and %d more series: --json has %d\n", more, len(rule.Effect.Series))
	}
	w.summaries(r.Summary, rule.Summary)
	w.printf("\n")
	for line := range strings.Lines(rule.YAML) {
		w.printf("    %s", line)
	}
}

// says says what a rule changes.
func (r *RuleReport) says() string {
	text := fmt.Sprintf("changes none of %s", counted(r.Effect.Figures, "figure"))
	switch {
	case r.Effect.Figures == 0:
		text = "changes no figure: there are none"
	case r.Effect.Changed > 0:
		text = fmt.Sprintf("changes %s of %s", number(r.Effect.Changed), counted(r.Effect.Figures, "figure"))
	}
	var sessions []string
	for _, c := range []struct {
		n    int
		what string
	}{{r.Later, "begin later"}, {r.Sooner, "end sooner"}, {r.Other, "gone or cut otherwise"}} {
		if c.n > 0 {
			sessions = append(sessions, fmt.Sprintf("%s %s", number(c.n), c.what))
		}
	}
	if len(sessions) > 0 {
		text += "; of the sessions " + strings.Join(sessions, ", ")
	}
	return text
}

// summaries says what becomes of beacons otherwise.
func (w *writer) summaries(before, after *metric.Summary) {
	for _, tenant := range slices.Sorted(maps.Keys(before.Tenants)) {
		b, a := before.Tenants[tenant], after.Tenants[tenant]
		var changes []string
		change := func(what string, from, to int64) {
			if from != to {
				changes = append(changes, fmt.Sprintf("%s %s → %s", what, number(int(from)), number(int(to))))
			}
		}
		change("counted", b.Counted, a.Counted)
		for _, reason := range slices.Sorted(maps.Keys(union(b.Filtered, a.Filtered))) {
			change("filtered as "+reason, b.Filtered[reason], a.Filtered[reason])
		}
		change("duplicate", b.Duplicate, a.Duplicate)
		change("late", b.Late, a.Late)
		for _, cause := range slices.Sorted(maps.Keys(union(b.DeadLettered, a.DeadLettered))) {
			change("dead letters "+cause, b.DeadLettered[cause], a.DeadLettered[cause])
		}
		if len(changes) > 0 {
			w.printf("  %s: %s\n", tenant, strings.Join(changes, ", "))
		}
	}
}

func union(a, b map[string]int64) map[string]int64 {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// String is a changed series for people.
func (c *Changed) String() string {
	parts := []string{c.Tenant, c.Experiment, c.Variant, c.Status, c.Point}
	for _, labels := range []map[string]string{c.Dims, c.Attributes} {
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			parts = append(parts, name+"="+labels[name])
		}
	}
	var stats []string
	for _, s := range []struct {
		name string
		by   float64
	}{{"hits", float64(c.Hits)}, {"sum", c.Sum}, {"sessions", float64(c.Sessions)}, {"sumsq", c.SumSq}} {
		if s.by != 0 {
			stats = append(stats, fmt.Sprintf("%s %+g", s.name, s.by))
		}
	}
	return fmt.Sprintf("%s: %s, at most %s", strings.Join(parts, " "), counted(c.Minutes, "minute"), strings.Join(stats, ", "))
}

// number writes a count with its thousands apart.
func number(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return percent(float64(n) / float64(of))
}

// percent writes a share so that what is not none and not all does not look so.
func percent(share float64) string {
	p := 100 * share
	switch {
	case p == 0 || p == 100:
		return fmt.Sprintf("%.0f %%", p)
	case p < 0.1:
		return fmt.Sprintf("%.2g %%", max(p, 1e-6))
	case p > 99.9:
		return "99.9 %"
	}
	return fmt.Sprintf("%.1f %%", p)
}
