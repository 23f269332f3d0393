package pipeline

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-6a2d649b/pharos/host/query"
)

// Status is how a host and what it can see of the stream are doing.
type Status = query.Status

// WriteStatus writes a status for people.
func WriteStatus(out io.Writer, s *Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	generation := fmt.Sprint(s.Generation)
	if s.GenerationWanted > s.Generation {
		generation += fmt.Sprintf(" (%d is wanted)", s.GenerationWanted)
	}
	fmt.Fprintf(w, "host\t%s, version %s, generation %s, since %s\n", s.Host, s.Version, generation, moment(s.Started))
	fmt.Fprintf(w, "complete through\t%s\n", moment(s.CompleteThrough))
	for _, fault := range s.Faults {
		fmt.Fprintf(w, "FAULT\t%s\n", fault)
	}
	if len(s.Roles) > 0 {
		fmt.Fprintln(w, "\nROLE\tSTATE\tTOPIC\tPARTITION\tOFFSET\tLAG\tWATERMARK\tGENERATION")
	}
	for _, r := range s.Roles {
		state := r.State
		if r.Detail != "" {
			state += " (" + r.Detail + ")"
		}
		if len(r.Partitions) == 0 {
			fmt.Fprintf(w, "%s\t%s\t\t\t\t\t\t\n", r.Name, state)
		}
		for _, p := range r.Partitions {
			lag := "?"
			if p.Lag != nil {
				lag = fmt.Sprint(*p.Lag)
			}
			under := ""
			if p.Generation > 0 {
				under = fmt.Sprint(p.Generation)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", r.Name, state, p.Topic, p.Partition, p.Offset, lag, moment(p.Watermark), under)
		}
	}
	if len(s.Plugins) > 0 {
		fmt.Fprintln(w, "\nPLUGIN\tKIND\tVERSION\tSTATE\tROWS\tTRAPS\tLAST ERROR")
	}
	for _, p := range s.Plugins {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%.100s\n", p.Name, p.Kind, p.Version, p.State, p.Rows, p.Traps, p.Error)
	}
	if len(s.Stores) > 0 {
		fmt.Fprintln(w, "\nSTORE\tTYPE\tSHIPPED THROUGH\tERROR")
	}
	for _, st := range s.Stores {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", st.Name, st.Type, moment(st.ShippedThrough), st.Error)
	}
	if len(s.Beacons) > 0 {
		fmt.Fprintln(w, "\nTENANT\tIN\tCOUNTED\tFILTERED\tDUPLICATE\tLATE\tDEAD LETTERS")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Beacons)) {
		b := s.Beacons[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d\t%d\t%s\n", name, b.In, b.Counted, reasons(b.Filtered), b.Duplicate, b.Late, reasons(b.DeadLettered))
	}
	if len(s.Beacons) > 0 && s.BeaconsSince != nil {
		fmt.Fprintf(w, "counted since %s\n", moment(s.BeaconsSince))
	}
	for _, beside := range []struct {
		what string
		n    map[string]int64
	}{
		{"bad values", s.BadValue}, {"unknown variants", s.UnknownVariant},
		{"values beyond their limit", s.OtherValues}, {"extractor failures", s.ExtractorFailures},
	} {
		if len(beside.n) > 0 {
			fmt.Fprintf(w, "%s\t%s\n", beside.what, reasons(beside.n))
		}
	}
	if len(s.Undecodable) > 0 {
		fmt.Fprintf(w, "\nundecodable\t%s\n", reasons(s.Undecodable))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}

func moment(ms *int64) string {
	if ms == nil {
		return "-"
	}
	return time.UnixMilli(*ms).UTC().Format("2006-01-02 15:04:05")
}

// reasons writes counts by reason on one line.
func reasons(counts map[string]int64) string {
	if len(counts) == 0 {
		return "0"
	}
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", reason, counts[reason]))
	}
	return strings.Join(parts, ", ")
}
