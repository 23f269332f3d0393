package main

import (
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

// errDiffer ends a comparison that found differences.
var errDiffer = errors.New("the stores differ")

func newCompare() *cobra.Command {
	var file, a, b, from, to string
	var last time.Duration
	var tenants []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare -c FILE --a STORE --b STORE [--range 24h | --from T --to T]",
		Short: "Compare two stores, value by value",
		Long: `Compare reads every series of two stores of a config in a range of time, and reports
how many values are equal, how many differ, and how many are in one of them only, with
examples. Values are equal if they are so to the last bit; what a store is known to
round (M3DB, VictoriaMetrics) is counted apart. It holds a bounded part of a store at
once. Where the stores differ it exits with 1.

Minutes that are not final yet are in no store: end the range some time ago, or
compare what both have (pharos status tells how far each is).`,
		Example: `  pharos compare -c shop.yaml --a m3 --b kairosdb --range 24h
  pharos compare -c shop.yaml --a m3 --b es --from 2026-01-01T00:00:00Z --to 2026-01-08T00:00:00Z --tenant shop --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if a == "" || b == "" {
				return usagef("--a and --b are missing: name two stores of the config")
			}
			start, end, err := rangeOf(from, to, last)
			if err != nil {
				return err
			}
			cfg, err := load(c.Context(), file)
			if err != nil {
				return err
			}
			r, err := pipeline.Compare(c.Context(), cfg, pipeline.CompareOptions{
				A: a, B: b, Tenants: tenants, From: start, To: end, Progress: progress(os.Stderr), Log: newLogger("warn"),
			})
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(c.OutOrStdout()).Encode(r)
			} else {
				err = r.Write(c.OutOrStdout())
			}
			if err == nil && !r.Agree() {
				err = errDiffer
			}
			return err
		},
	}
	configFlag(c, &file)
	c.Flags().StringVar(&a, "a", "", "one store")
	c.Flags().StringVar(&b, "b", "", "the other store")
	c.Flags().StringVar(&from, "from", "", "beginning of the range, RFC 3339")
	c.Flags().StringVar(&to, "to", "", "end of the range (default: an hour ago)")
	c.Flags().DurationVar(&last, "range", 24*time.Hour, "length of the range before its end, where there is no --from")
	c.Flags().StringSliceVar(&tenants, "tenant", nil, "only these tenants")
	c.Flags().BoolVar(&asJSON, "json", false, "a JSON object")
	return c
}

// rangeOf is the range of time that flags name.
func rangeOf(from, to string, last time.Duration) (start, end time.Time, err error) {
	end = time.Now().Add(-time.Hour).Truncate(time.Minute)
	if to != "" {
		if end, err = time.Parse(time.RFC3339, to); err != nil {
			return start, end, usagef("--to %s: %v", to, err)
		}
	}
	if from == "" {
		if last <= 0 {
			return start, end, usagef("--range %s: it must be positive", last)
		}
		return end.Add(-last), end, nil
	}
	if start, err = time.Parse(time.RFC3339, from); err != nil {
		return start, end, usagef("--from %s: %v", from, err)
	}
	return start, end, nil
}
