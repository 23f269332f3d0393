package main

import (
	"os"
	"time"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newReplay() *cobra.Command {
	var file, out, summary, now string
	var in []string
	c := &cobra.Command{
		Use:   "replay -c FILE --in F[,F...] [--out F] [--summary F] [--now T]",
		Short: "Run files of beacons through the whole pipeline, in-process",
		Long: `Replay runs files of beacons, one a line, through dispatch and session to the
end of the input; then every figure is final and written. It needs no broker and
no store, and the config needs no kafka, stores or keyspaces.

Files end in .gz, .zst or are plain; "-" is standard input. Where the config has
several sources, say which a file is of: --in site=beacons.ndjson,log=access.log.gz`,
		Example: `  pharos replay -c pharos.yaml --in beacons.ndjson --out figures.ndjson --summary summary.json
  zcat old/*.gz | pharos replay -c pharos.yaml --in - --now 2026-01-31T00:00:00Z`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			at := time.Now()
			if now != "" {
				t, err := time.Parse(time.RFC3339, now)
				if err != nil {
					return usagef("--now %q is no time of RFC 3339: write it like 2026-01-31T12:00:00Z", now)
				}
				at = t
			}
			if len(in) == 0 {
				return usagef("--in is missing: name the files of beacons")
			}
			cfg, err := load(c.Context(), file)
			if err != nil {
				return err
			}
			return pipeline.Replay(c.Context(), cfg, pipeline.ReplayOptions{
				Inputs: pipeline.ParseInputs(in), Out: out, Summary: summary, Now: at,
				Stdin: c.InOrStdin(), Stdout: c.OutOrStdout(), Stderr: c.ErrOrStderr(), Progress: progress(os.Stderr), Log: newLogger("warn"),
			})
		},
	}
	configFlag(c, &file)
	c.Flags().StringSliceVar(&in, "in", nil, "files of beacons, in the order in which they came")
	c.Flags().StringVar(&out, "out", "", "write every final figure to this file, one JSON object a line (default: standard output)")
	c.Flags().StringVar(&summary, "summary", "", "write what became of the beacons to this file (default: standard error)")
	c.Flags().StringVar(&now, "now", "", "moment against which beacons of the future are judged, RFC 3339 (default: now)")
	return c
}
