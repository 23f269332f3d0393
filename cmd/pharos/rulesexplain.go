package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

func newRulesExplain() *cobra.Command {
	o := author.ExplainOptions{Seed: 1}
	var given given
	var plugin string
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain FILE [--plugin NAME] [--in FILE]",
		Short: "Say what rules read and cost, and which of them can not be",
		Long: `Explain says of rules which fields they read, and in which form; what a beacon costs,
in fuel (about one for each instruction), in all of them and in each alone; and each
condition as it was understood, definitions put in their places. It finds

  never    a rule that can hold of no beacon
  hidden   a rule that never decides: where it holds, an earlier one does
  overlap  two rules that answer differently, and both hold of some beacon: of those
           the first decides; of an extractor, two of one point, which is measured twice

What is said is so; not everything that is so is found. The beacons that are counted,
measured with and shown are those of --in, else those of the tests, else random ones.`,
		Example: "  pharos rules explain noise.yaml\n  pharos rules explain pharos.yaml --plugin noise --in access.log.gz --format clf --json",
		Args:    takes("the rules"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.Inputs, err = given.inputs(c.InOrStdin()); err != nil {
				return err
			}
			all, err := loadRules(args[0], plugin)
			if err != nil {
				return err
			}
			for i, s := range all {
				e, err := author.ExplainRules(c.Context(), s, o)
				if err != nil {
					return blamed(err)
				}
				if asJSON {
					enc := json.NewEncoder(c.OutOrStdout())
					enc.SetEscapeHTML(false)
					err = enc.Encode(e)
				} else {
					if i > 0 {
						fmt.Fprintln(c.OutOrStdout())
					}
					err = writeExplained(c.OutOrStdout(), e)
				}
				if err != nil {
					return fmt.Errorf("write: %w", err)
				}
			}
			return nil
		},
	}
	given.beaconFlags(c)
	pluginFlag(c, &plugin)
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON, a line for each plugin")
	return c
}

// shownOverlaps is how many overlaps are shown; JSON has more.
const shownOverlaps = 20

func writeExplained(w io.Writer, e *author.Explained) error {
	fmt.Fprintf(w, "%s, %s of %s, %s, %s\n", e.Name, whatItIs[e.Kind], counted(len(e.Rules), "rule"), bytesOf(e.Size), e.Digest)
	fmt.Fprintf(w, "%.1f of fuel a beacon, of %d beacons, %s\n\n", e.Fuel, e.Rows, e.Beacons)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range e.Fields {
		fmt.Fprintf(tab, "field\t%s\t%s\n", f.Name, f.Form)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for i, r := range e.Rules {
		writeRule(w, e, fmt.Sprintf("rule %d", i), &r)
	}
	for i, r := range e.Close {
		writeRule(w, e, fmt.Sprintf("close %d", i), &r)
	}
	writeFound(w, e)
	return nil
}

func writeRule(w io.Writer, e *author.Explained, name string, r *author.ExplainedRule) {
	fmt.Fprintf(w, "\n%s  %s\n  when   %s\n", name, strings.TrimSpace(r.Answer+"  "+r.Place), r.When)
	if r.Value != "" {
		fmt.Fprintf(w, "  value  %s\n", r.Value)
	}
	if facts := factsOf(e, r); facts != "" {
		fmt.Fprintf(w, "  %s\n", facts)
	}
}

// factsOf are what was counted and measured of a rule.
func factsOf(e *author.Explained, r *author.ExplainedRule) string {
	var facts []string
	if r.Holds != nil {
		facts = append(facts, fmt.Sprintf("holds of %d", *r.Holds))
		if e.Kind != abi.Extract {
			facts = append(facts, fmt.Sprintf("decides %d", *r.Decides))
		}
	}
	if r.Alone != nil {
		facts = append(facts, fmt.Sprintf("alone %.1f of fuel", *r.Alone))
	}
	return strings.Join(facts, ", ")
}

func writeFound(w io.Writer, e *author.Explained) {
	if len(e.Never)+len(e.Hidden)+len(e.Overlaps)+len(e.Unknown) > 0 {
		fmt.Fprintln(w)
	}
	for _, i := range e.Never {
		fmt.Fprintf(w, "never    rule %d can hold of no beacon\n", i)
	}
	for _, h := range e.Hidden {
		which := "an earlier one does: rules " + numbers(h.By)
		if len(h.By) == 1 {
			which = fmt.Sprintf("rule %d does", h.By[0])
		}
		fmt.Fprintf(w, "hidden   rule %d never decides: where it holds, %s\n", h.Rule, which)
	}
	for _, o := range e.Overlaps[:min(len(e.Overlaps), shownOverlaps)] {
		fmt.Fprintf(w, "overlap  rules %d and %d both hold of %s\n", o.First, o.Second, o.Beacon)
	}
	if more := len(e.Overlaps) + e.More - shownOverlaps; more > 0 {
		fmt.Fprintf(w, "overlap  and %d more\n", more)
	}
	for _, i := range e.Unknown {
		fmt.Fprintf(w, "unknown  rule %d has too many alternatives to be looked at\n", i)
	}
}

func numbers(all []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(all)), ", "), "[]")
}
