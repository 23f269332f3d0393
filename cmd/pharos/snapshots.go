package main

import (
	"fmt"
	"os"
	"time"

	_ "github.com/seed-6a2d649b/pharos/host/blob/cloud" // so that snapshots.url may name a cloud
	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newSnapshots() *cobra.Command {
	c := &cobra.Command{
		Use:   "snapshots",
		Short: "Look into the bucket of snapshots",
		Args:  cobra.ArbitraryArgs,
		RunE:  helpOrUnknown,
	}
	c.AddCommand(
		snapshotsCommand("ls", "List the snapshots, hand-overs and modules that are kept", `Ls lists what the group of a config has in its bucket of snapshots: of each
partition of a route the snapshots that recovery would try, the newest first, the
hand-overs of repartitions, and the modules of plugins, which all groups share.`, nil),
		snapshotsCommand("verify", "Read all that is kept, and say what is broken", `Verify reads every snapshot, hand-over and module whole and compares its checksums.
It fails where something is broken, or was written by a version that this build
does not read. A host whose newest snapshot is broken starts from the one before.`, verifySnapshots),
	)
	return c
}

func snapshotsCommand(use, short, long string, each func(*cobra.Command, *pipeline.Snapshots, []pipeline.Kept) error) *cobra.Command {
	var file, topic string
	var asJSON bool
	c := &cobra.Command{
		Use: use + " -c FILE", Short: short, Long: long,
		Example: "  pharos snapshots " + use + " -c shop.yaml --topic pharos.web",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(c.Context(), file)
			if err != nil {
				return err
			}
			s, err := pipeline.OpenSnapshots(c.Context(), cfg)
			if err != nil {
				return err
			}
			defer s.Close()
			list, err := s.List(c.Context(), topic)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				fmt.Fprintf(os.Stderr, "nothing is kept in %s\n", s)
			}
			var found error
			if each != nil {
				found = each(c, s, list)
			}
			if err := pipeline.WriteKept(c.OutOrStdout(), list, asJSON, time.Now()); err != nil {
				return err
			}
			return found
		},
	}
	configFlag(c, &file)
	c.Flags().StringVar(&topic, "topic", "", "only the snapshots and hand-overs of this topic")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return c
}

// verifySnapshots says how far it is; the error is what it found.
func verifySnapshots(c *cobra.Command, s *pipeline.Snapshots, list []pipeline.Kept) error {
	say := progress(os.Stderr)
	broken, last := 0, time.Now()
	for i := range list {
		if err := s.Verify(c.Context(), &list[i]); err != nil {
			return err
		}
		if list[i].Broken() {
			broken++
		}
		if time.Since(last) > time.Second {
			say("verified %d of %d", i+1, len(list))
			last = time.Now()
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d are broken: see VERIFIED above; docs/snapshots.md says what to do", broken, len(list))
	}
	return nil
}
