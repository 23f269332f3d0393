package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/author"
)

// Bounds of the table.
const (
	maxColumns = 6  // of fields
	maxCell    = 40 // runes
	maxFailed  = 20 // beacons of which it is said how the plugin failed
)

// decisions are the rows of the table.
type decisions struct {
	limit int // 0 is all
	rows  []author.Decision
	all   int
	// failed are those at which the plugin failed, in the table or not.
	failed []author.Decision
}

func (t *decisions) add(d author.Decision) error {
	if t.all++; t.limit <= 0 || len(t.rows) < t.limit {
		t.rows = append(t.rows, d)
	}
	if d.Failed != nil && len(t.failed) < maxFailed {
		t.failed = append(t.failed, d)
	}
	return nil
}

// write writes the table, then where the plugin failed, then the sums.
func (t *decisions) write(w *bufio.Writer, files bool, ran *author.Ran) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns := t.columns()
	fmt.Fprintf(tab, "line\t%s\n", strings.Join(append(columns, "decision"), "\t"))
	for _, d := range t.rows {
		cells := []string{place(d, files)}
		for _, name := range columns {
			cells = append(cells, cell(d.Fields, name))
		}
		fmt.Fprintln(tab, strings.Join(append(cells, decisionText(ran.Kind, d)), "\t"))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	if more := t.all - len(t.rows); more > 0 {
		fmt.Fprintf(w, "and %d more: see --limit\n", more)
	}
	for _, d := range t.failed {
		fmt.Fprintf(w, "\n%s FAILED: %s\n  %s\n", place(d, true), d.Failed.Cause, strings.ReplaceAll(d.Failed.Stack, "\n", "\n  "))
	}
	writeSums(w, ran)
	return nil
}

// columns are the fields that a beacon of the table has.
func (t *decisions) columns() []string {
	var names []string
	for _, d := range t.rows {
		for _, f := range d.Fields {
			if len(names) < maxColumns && !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

func place(d author.Decision, file bool) string {
	switch {
	case d.Line == 0:
		return "end of " + short(d.Session)
	case file:
		return fmt.Sprintf("%s:%d", d.Path, d.Line)
	}
	return strconv.FormatInt(d.Line, 10)
}

func cell(fields []author.Shown, name string) string {
	for _, f := range fields {
		if f.Name == name {
			var text string
			if json.Unmarshal(f.Value, &text) != nil {
				text = string(f.Value)
			}
			return short(text)
		}
	}
	return "-"
}

// short is a text that fits into a cell and breaks no table.
func short(text string) string {
	text = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > maxCell {
		return string(runes[:maxCell-1]) + "…"
	}
	return text
}

// decisionText is what was decided, in few words.
func decisionText(kind abi.Kind, d author.Decision) string {
	if d.Failed != nil {
		return "FAILED: " + d.Failed.Cause
	}
	if kind != abi.Extract {
		var name *string
		if err := json.Unmarshal(d.Answer, &name); err != nil || name == nil {
			return map[abi.Kind]string{abi.Filter: "keep", abi.Split: "no opinion"}[kind]
		}
		return map[abi.Kind]string{abi.Filter: "drop: ", abi.Split: "route: "}[kind] + *name
	}
	var list []struct {
		Point      string
		Value      float64
		Attributes map[string]string
	}
	if err := json.Unmarshal(d.Answer, &list); err != nil {
		return string(d.Answer)
	}
	var parts []string
	for _, m := range list {
		text := fmt.Sprintf("%s %v", m.Point, m.Value)
		for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
			text += fmt.Sprintf(" %s=%s", name, short(m.Attributes[name]))
		}
		parts = append(parts, text)
	}
	if d.Bad > 0 {
		parts = append(parts, counted(d.Bad, "bad value"))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// writeSums adds up what was decided.
func writeSums(w *bufio.Writer, ran *author.Ran) {
	fmt.Fprintf(w, "\n%s %s: %s", ran.Name, ran.Version, counted(ran.Beacons, "beacon"))
	if ran.Sessions > 0 {
		fmt.Fprintf(w, ", %s ended", counted(ran.Sessions, "session"))
	}
	if ran.Beacons > 0 {
		fmt.Fprintf(w, "; %.0f ns and %.0f fuel each", float64(ran.Stats.Busy.Nanoseconds())/float64(ran.Beacons), float64(ran.Stats.Fuel)/float64(ran.Beacons))
	}
	fmt.Fprintln(w)
	for _, a := range ran.Answers {
		if a.Count == 0 {
			continue
		}
		fmt.Fprintf(w, "  %s: %d", a.Name, a.Count)
		if ran.Kind == abi.Extract {
			fmt.Fprintf(w, ", sum %v", a.Sum)
		}
		fmt.Fprintln(w)
	}
	if ran.Bad > 0 {
		fmt.Fprintf(w, "  bad values: %d\n", ran.Bad)
	}
	for _, c := range ran.Counters {
		fmt.Fprintf(w, "  counter %s: %d\n", c.Name, c.Count)
	}
	for _, cause := range slices.Sorted(maps.Keys(ran.Failed)) {
		fmt.Fprintf(w, "  FAILED, %s: %d\n", cause, ran.Failed[cause])
	}
	for _, cause := range slices.Sorted(maps.Keys(ran.Unasked)) {
		fmt.Fprintf(w, "  not asked, %s: %d", cause, ran.Unasked[cause])
		if field, missing := strings.CutPrefix(string(cause), "no "); missing {
			fmt.Fprintf(w, " (say where it is with --field %s=PATH)", field)
		}
		fmt.Fprintln(w)
	}
}
