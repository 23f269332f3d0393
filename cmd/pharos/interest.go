package main

import (
	"os"
	"time"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newInterest() *cobra.Command {
	var file, since, now string
	var in []string
	var live bool
	o := pipeline.InterestOptions{Live: &pipeline.LiveSample{}}
	c := &cobra.Command{
		Use:   "interest -c FILE (--in F[,F...] | --live [--since T] [--for D]) [--by FIELD[,FIELD...]] [-o FILE]",
		Short: "Find the kinds of beacon that no figure needs, and write the rule that drops them",
		Long: `Interest takes each beacon of a sample out of its session, alone, and looks what is
otherwise then: a figure, an assignment, the bounds of a session, or nothing. For
the kinds of beacon of which none touches anything it writes a rule that drops them,
replays the sample with it, and says which figures change, if any. What touches only
the bounds of sessions, or these and assignments, gets rules of its own, with what
they change.

The sample are files, as for pharos replay; or, with --live, what is in the topics of
the sources, read beside the hosts that run and judged by the newest generation of
their group: what came since a moment, or what comes from now on. It should span many
times session.gap and session.lateness, for sessions that its ends may have cut are
left aside. It is kept in memory: at most --max beacons and 512 MiB; what is known of
them takes more than that again.

Kinds are told apart by --by: paths or further names, as in rules, or
'extension(path)', the file extension of a web address. Without it, it is the one
field that tells most beacons that touch no figure from others.`,
		Example: `  pharos interest -c pharos.yaml --in beacons.ndjson -o no-use.yaml
  pharos interest -c pharos.yaml --in access.log.gz --by 'extension(path)'
  pharos interest -c pharos.yaml --live --since 6h --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case live && len(in) > 0:
				return usagef("--in and --live are two samples: give one of them")
			case !live && len(in) == 0:
				return usagef("--in is missing: name the files of beacons, or take a sample of what comes with --live")
			case !live && (since != "" || c.Flags().Changed("for")):
				return usagef("--for and --since are of a --live sample")
			case live && now != "":
				return usagef("--now is of files: a --live sample is of now")
			case o.Max < 1:
				return usagef("--max %d: a sample has at least one beacon", o.Max)
			case o.Least < 1:
				return usagef("--least %d: a kind has at least one beacon", o.Least)
			case o.Live.For < 0:
				return usagef("--for %s: it must not be negative", o.Live.For)
			}
			var err error
			if o.Live.Since, err = sinceFlag(since); err != nil {
				return err
			}
			if o.Now, err = timeFlag("now", now, time.Now()); err != nil {
				return err
			}
			f := c.Flags()
			if live && since == "" && !f.Changed("for") {
				o.Live.For = time.Minute
			}
			if !f.Changed("whole") {
				o.Whole = live
			}
			cfg, err := load(c.Context(), file)
			if err != nil {
				return err
			}
			o.Inputs = pipeline.ParseInputs(in)
			if !live {
				o.Live = nil
			}
			o.Stdin, o.Stdout, o.Progress, o.Log = c.InOrStdin(), c.OutOrStdout(), progress(os.Stderr), newLogger("warn")
			return pipeline.Interest(c.Context(), cfg, o)
		},
	}
	configFlag(c, &file)
	f := c.Flags()
	f.StringSliceVar(&in, "in", nil, "files of beacons, in the order in which they came; - is standard input")
	f.BoolVar(&live, "live", false, "take the sample from the topics of the sources")
	f.StringVar(&since, "since", "", "begin a live sample with what came this long ago (3h) or at this moment (RFC 3339), and end it with what is there (default: now)")
	f.DurationVar(&o.Live.For, "for", 0, "how long a live sample is read (default: 1m, with --since to what is there)")
	f.BoolVar(&o.Whole, "whole", false, "look only at sessions that the sample's ends can not have cut (default: of files no, --live yes)")
	f.IntVar(&o.Max, "max", 1_000_000, "beacons of the sample at most")
	f.StringSliceVar(&o.By, "by", nil, "fields that tell kinds of beacon apart (default: one is chosen)")
	f.IntVar(&o.Least, "least", 300, "beacons that a kind must have before it is dropped: of 300 that touch nothing follows that, with 95 % confidence, at most 1 % do")
	f.StringVarP(&o.Rule, "output", "o", "", "write the rules to this file, as part of a config")
	f.BoolVar(&o.JSON, "json", false, "print all that is known as JSON")
	f.StringVar(&now, "now", "", "moment against which beacons of the future are judged, RFC 3339 (default: now)")
	return c
}

// timeFlag reads a moment.
func timeFlag(name, text string, absent time.Time) (time.Time, error) {
	if text == "" {
		return absent, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usagef("--%s %q is no time of RFC 3339: write it like 2026-01-31T12:00:00Z", name, text)
	}
	return t, nil
}

// sinceFlag reads a moment, or how long ago it was.
func sinceFlag(text string) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return time.Now().Add(-d), nil
	}
	t, err := timeFlag("since", text, time.Time{})
	if err != nil {
		return t, usagef("--since %q is neither how long ago (3h) nor a time of RFC 3339 (2026-01-31T12:00:00Z)", text)
	}
	return t, nil
}
