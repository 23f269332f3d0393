package main

import (
	"os"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newSend() *cobra.Command {
	var file string
	var in []string
	var rate float64
	c := &cobra.Command{
		Use:   "send -c FILE --in F[,F...] [--rate N]",
		Short: "Produce a file's beacons to a source topic",
		Long: `Send produces the lines of files to the topics of their sources. Where the config
has no kafka, it sends to the broker of a 'pharos up' that runs on the same data
directory. Lines of one file keep their order where the topic has one partition;
otherwise they are spread over the partitions in turn.`,
		Example: `  pharos send -c pharos.yaml --in beacons.ndjson
  pharos send -c pharos.yaml --in site=beacons.ndjson.gz --rate 500`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if len(in) == 0 {
				return usagef("--in is missing: name the files of beacons")
			}
			if rate < 0 {
				return usagef("--rate %v: it must not be negative (0 sends as fast as it can)", rate)
			}
			cfg, err := load(c.Context(), file)
			if err != nil {
				return err
			}
			return pipeline.Send(c.Context(), cfg, pipeline.SendOptions{
				Inputs: pipeline.ParseInputs(in), Rate: rate, Stdin: c.InOrStdin(), Out: c.OutOrStdout(),
				Progress: progress(os.Stderr), Log: newLogger("warn"),
			})
		},
	}
	configFlag(c, &file)
	c.Flags().StringSliceVar(&in, "in", nil, "files of beacons; - is standard input")
	c.Flags().Float64Var(&rate, "rate", 0, "beacons a second (default: as fast as it can)")
	return c
}
