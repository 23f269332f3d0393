package main

import (
	"context"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newRun() *cobra.Command {
	var file, level, listen string
	var roles, losses []string
	var watch bool
	c := &cobra.Command{
		Use:   "run -c FILE [--roles dispatch,session,ship,query]",
		Short: "Run some or all stages as a daemon, against Kafka",
		Long: `Run is the daemon: it runs the roles that it is given, and shares their work
with every other host of the same group. Start as many hosts as there is work.

Where the config has no kafka, it joins the broker of a 'pharos up' that runs on
the same data directory.

With --watch the host publishes its config file as the next generation whenever it,
or a file that it names, changes: give it to the one host of the group whose file
it is.`,
		Example: `  pharos run -c pharos.yaml
  pharos run -c pharos.yaml --roles session --listen 127.0.0.1:7071
  pharos run -c pharos.yaml --watch`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			set, err := pipeline.ParseRoles(roles)
			if err != nil {
				return usageError{err}
			}
			read := func(ctx context.Context) (*config.Config, error) { return loadFor(ctx, file, listen) }
			cfg, err := read(c.Context())
			if err != nil {
				return err
			}
			o, stop := hostOptions(read, watch, losses)
			defer stop()
			return pipeline.Run(c.Context(), cfg, pipeline.RunOptions{HostOptions: o, Roles: set, Log: newLogger(level), Out: c.OutOrStdout()})
		},
	}
	configFlag(c, &file)
	logFlag(c, &level)
	lossFlag(c, &losses)
	watchFlag(c, &watch)
	c.Flags().StringSliceVar(&roles, "roles", nil, "dispatch, session, ship, query (default: all)")
	c.Flags().StringVar(&listen, "listen", "", "address of the page and the API, instead of the config's http.listen")
	return c
}
