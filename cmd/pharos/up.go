package main

import (
	"context"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newUp() *cobra.Command {
	var file, level, listen string
	var demo, watch bool
	var losses []string
	c := &cobra.Command{
		Use:   "up [-c FILE] [--demo]",
		Short: "Run everything in one process, on an embedded broker and store",
		Long: `Up runs all stages in this process, with a Kafka broker and a time-series store
of its own below the data directory. Nothing else has to be installed. The page
is at the address that it prints; send it beacons with 'pharos send', or with
any Kafka client at the broker's address.

With --demo it makes a shop's traffic, with experiments whose true effects are
known. The demo lives in data/demo, its config in data/demo/pharos.yaml.`,
		Example: `  pharos up --demo
  pharos up -c pharos.yaml --watch`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if demo && file != "" {
				return usagef("--demo brings its own config: leave out -c")
			}
			read := func(ctx context.Context) (*config.Config, error) {
				if !demo {
					return loadFor(ctx, file, listen)
				}
				cfg, err := pipeline.DemoConfig("data/demo")
				return listenAt(cfg, err, listen)
			}
			cfg, err := read(c.Context())
			if err != nil {
				return err
			}
			o, stop := hostOptions(read, watch, losses)
			defer stop()
			return pipeline.Up(c.Context(), cfg, pipeline.UpOptions{HostOptions: o, Demo: demo, Log: newLogger(level), Out: c.OutOrStdout()})
		},
	}
	configFlag(c, &file)
	logFlag(c, &level)
	lossFlag(c, &losses)
	watchFlag(c, &watch)
	c.Flags().BoolVar(&demo, "demo", false, "generate a shop's traffic")
	c.Flags().StringVar(&listen, "listen", "", "address of the page and the API, instead of the config's http.listen")
	return c
}
