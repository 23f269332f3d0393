package main

import (
	"bufio"
	"fmt"
	"os"
	"time"

	"github.com/seed-6a2d649b/pharos/host/generate"
	"github.com/spf13/cobra"
)

func newGenerate() *cobra.Command {
	var beacons int64
	var seed uint64
	var start, format, tenant, out string
	var rate, delayed, doubled float64
	c := &cobra.Command{
		Use:   "generate [--beacons N] [--seed S]",
		Short: "Write synthetic beacons of a shop",
		Long: `Generate writes beacons of a shop's sessions, one a line: views, carts and
purchases, with two experiments whose true effects are known, some bots, and if
asked some beacons that come late or twice. The same flags give the same beacons.`,
		Example: `  pharos generate --beacons 100000 --seed 7 --out beacons.ndjson
  pharos generate --beacons 1000 --format clf`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			from, err := time.Parse(time.RFC3339, start)
			switch {
			case err != nil:
				return usagef("--start %q is no time of RFC 3339: write it like 2026-01-31T12:00:00Z", start)
			case beacons < 0:
				return usagef("--beacons %d: it must not be negative", beacons)
			case format != "json" && format != "query" && format != "clf":
				return usagef("--format %q: it is json, query or clf", format)
			case rate <= 0 || delayed < 0 || delayed > 1 || doubled < 0 || doubled > 1:
				return usagef("--rate must be above 0, --delayed and --doubled between 0 and 1")
			}
			to := c.OutOrStdout()
			if out != "" {
				f, err := os.Create(out)
				if err != nil {
					return fmt.Errorf("create the output: %w", err)
				}
				defer f.Close()
				to = f
			}
			w := bufio.NewWriterSize(to, 1<<20)
			g := generate.New(generate.Options{Seed: seed, Start: from, Rate: rate, Format: format, Tenant: tenant, Delayed: delayed, Doubled: doubled})
			show := progress(os.Stderr)
			next := time.Now().Add(2 * time.Second)
			for n := int64(0); n < beacons; n++ {
				if n%1024 == 0 && c.Context().Err() != nil {
					return c.Context().Err()
				}
				raw, _ := g.Next()
				if _, err := w.Write(append(raw, '\n')); err != nil {
					return fmt.Errorf("write beacons: %w", err)
				}
				if n%65536 == 0 && time.Now().After(next) {
					show("%d of %d beacons", n, beacons)
					next = time.Now().Add(2 * time.Second)
				}
			}
			if err := w.Flush(); err != nil {
				return fmt.Errorf("write beacons: %w", err)
			}
			return nil
		},
	}
	f := c.Flags()
	f.Int64Var(&beacons, "beacons", 1000, "how many")
	f.Uint64Var(&seed, "seed", 1, "another seed gives other beacons")
	f.StringVar(&start, "start", "2026-01-01T00:00:00Z", "event time of the first beacon, RFC 3339")
	f.Float64Var(&rate, "rate", 100, "beacons a second of event time")
	f.StringVar(&format, "format", "json", "json, query or clf")
	f.StringVar(&tenant, "tenant", "shop", "the beacons' tenant")
	f.Float64Var(&delayed, "delayed", 0, "share of beacons that come up to 20 s late")
	f.Float64Var(&doubled, "doubled", 0, "share of beacons that come twice")
	f.StringVar(&out, "out", "", "file to write (default: standard output)")
	return c
}
