package pipeline

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-6a2d649b/pharos/host/query"
)

// WritePlugins writes the versions of plugins in a host's status for people: those
// of the generation in force, and with all also those that drain, were closed or
// refused.
func WritePlugins(out io.Writer, s *Status, all bool) error {
	list := s.Plugins
	if all {
		list = append(list, s.PastPlugins...)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tKIND\tVERSION\tDIGEST\tSTATE\tSINCE\tROWS\tFUEL/ROW\tTRAPS")
	for _, p := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\n", p.Name, orDash(p.Kind), orDash(p.Version), shortDigest(p.Digest), p.State, moment(p.Since), p.Rows, fuelPerRow(p), p.Traps)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the plugins: %w", err)
	}
	return nil
}

// WriteLives writes what the versions of one plugin have gone through on a host.
func WriteLives(out io.Writer, s *Status, name string, all bool) error {
	list := s.Plugins
	if all {
		list = append(list, s.PastPlugins...)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var names []string
	found := false
	for _, p := range list {
		if names = append(names, p.Name); p.Name != name {
			continue
		}
		if found {
			fmt.Fprintln(w)
		}
		found = true
		fmt.Fprintf(w, "%s %s, a %s, %s: %s\n", p.Name, orDash(p.Version), cmp.Or(p.Kind, "plugin"), orDash(p.Digest), p.State)
		if p.Error != "" {
			fmt.Fprintf(w, "last error: %s\n", p.Error)
		}
		fmt.Fprintln(w, "STEP\tAT\tTOOK\tDETAIL")
		for _, e := range p.Life {
			at := "-"
			if e.At != nil {
				at = time.UnixMilli(*e.At).UTC().Format("2006-01-02 15:04:05.000")
			}
			detail, _, _ := strings.Cut(e.Detail, "\n")
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Step, at, took(e.TookMS), detail)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the plugin: %w", err)
	}
	if !found {
		return usagef("the host has no plugin %q: it has %s", name, cmp.Or(strings.Join(names, ", "), "none"))
	}
	return nil
}

func orDash(text string) string { return cmp.Or(text, "-") }

// shortDigest is enough of a digest to tell versions apart.
func shortDigest(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return orDash(hex[:min(len(hex), 12)])
}

func fuelPerRow(p query.PluginStatus) string {
	if p.Rows == 0 || p.Fuel == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(p.Fuel)/float64(p.Rows))
}

func took(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", ms)
}
