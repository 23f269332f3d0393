package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

func newPluginBench() *cobra.Command {
	o := author.BenchOptions{}
	var given given
	c := &cobra.Command{
		Use:   "bench FILE.wasm [--in FILE]",
		Short: "Say what a beacon costs in a plugin",
		Long: `Bench measures a module in the sandbox in which it runs, in calls of several sizes:
nanoseconds and fuel for each beacon. Beside it stands a guest of the same kind and
fields that answers at once: what that costs is the copy of the columns into the
sandbox and of the answers out of it, and nothing that the plugin could save, but by
asking for fewer fields. Both take turns; the figures are medians.

Fuel is about one for each instruction, and the same on every machine. The beacons are
those of the files, else those of the golden vectors, else random ones.`,
		Example: `  pharos plugin bench bots.wasm
  pharos plugin bench bots.wasm --in access.log.gz --format clf --sizes 100,4096`,
		Args: takes("the module"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			for _, size := range o.Sizes {
				if size < 1 || size > abi.MaxRows {
					return usagef("--sizes: a call has 1 to %d beacons", abi.MaxRows)
				}
			}
			if err := moduleArgument(args[0]); err != nil {
				return err
			}
			if o.Settings, err = given.settings(); err != nil {
				return err
			}
			if o.Inputs, err = given.inputs(c.InOrStdin()); err != nil {
				return err
			}
			say, end := slowly("measuring")
			o.Progress = say
			m, err := author.Bench(c.Context(), args[0], o)
			end()
			if err != nil {
				return blamed(err)
			}
			return writeMeasured(c.OutOrStdout(), m)
		},
	}
	given.flags(c)
	c.Flags().IntSliceVar(&o.Sizes, "sizes", []int{1, 16, 256, 4096}, "beacons of a call")
	c.Flags().DurationVar(&o.Time, "time", time.Second, "how long to measure each size")
	return c
}

func writeMeasured(w io.Writer, m *author.Measured) error {
	fmt.Fprintf(w, "beacons: %d, %s\n\n", m.Rows, m.Beacons)
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(tab, "beacons a call\tns each\tempty guest\tits own\tfuel each\tempty guest\tits own\t\n")
	var best *author.Size
	for i := range m.Sizes {
		s := &m.Sizes[i]
		if s.Failed != nil {
			fmt.Fprintf(tab, "%d\tfails\t\t\t\t\t\t\n", s.Rows)
			continue
		}
		p, e := s.Plugin, s.Empty
		fmt.Fprintf(tab, "%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t\n", s.Rows,
			p.Nanoseconds, e.Nanoseconds, p.Nanoseconds-e.Nanoseconds, p.Fuel, e.Fuel, p.Fuel-e.Fuel)
		if best == nil || p.Nanoseconds < best.Plugin.Nanoseconds {
			best = s
		}
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nan instance: %s of memory, made and configured in %v; the module is compiled in %v\n",
		bytesOf(m.Memory), m.Start.Round(10*time.Microsecond), m.Compile.Round(time.Millisecond))
	if best != nil {
		million := time.Duration(best.Plugin.Nanoseconds * 1e6)
		fmt.Fprintf(w, "a million beacons: %v of one core, in calls of %d\n", million.Round(100*time.Microsecond), best.Rows)
	}
	for _, s := range m.Sizes {
		if s.Failed != nil {
			fmt.Fprintf(w, "calls of %d fail: %v\n", s.Rows, s.Failed)
		}
	}
	if best == nil {
		return errors.New("the plugin fails at every call: 'pharos plugin test' finds the beacons at which it does")
	}
	return nil
}
