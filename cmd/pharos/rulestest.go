package main

import (
	"fmt"
	"io"

	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

func newRulesTest() *cobra.Command {
	o := author.TestOptions{}
	var given given
	var plugin string
	c := &cobra.Command{
		Use:   "test FILE [--plugin NAME] [--in FILE]",
		Short: "Try rules: their tests, and whether they are pure",
		Long: `Test runs the tests that stand beside rules, and the golden vectors of
NAME.golden.ndjson beside the file: once through the definition of what rules mean, once
through the module that they are compiled to. Then it asks both about random beacons
like those of the tests, which they must answer the same, and tries as 'pharos plugin
test' does whether the module is pure, with --in also with real beacons.

A test that fails is shown with the beacon, what was expected, what came, and the rule
that decided. The exit code is 1 then.

A test is a beacon, as it comes, and what the rules are to say of it: the reason, the
route, or the measurements; null where they say nothing.

  - {beacon: {path: /a.css}, expect: asset}
  - {beacon: "path=%2Fa.css", expect: asset}         a query string: values have no type
  - {beacon: {type: purchase, price: 3}, expect: [order, {revenue: 3}]}
  - {beacon: {type: click, img: {id: a}}, expect: {point: click, attributes: {image: a}}}
  - beacons:                                         one session, in this order
      - {beacon: {type: view, ts: 1000}, expect: null}
      - {beacon: {type: view, ts: 8000}, expect: second_view}
    close: {seconds: 7}                              what it measures when it has ended`,
		Example: "  pharos rules test noise.yaml\n  pharos rules test pharos.yaml --plugin noise --in beacons.ndjson.gz",
		Args:    takes("the rules"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.Random < 0 || o.Most < 1 {
				return usagef("--random and --most must not be less than 0 and 1")
			}
			if o.Inputs, err = given.inputs(c.InOrStdin()); err != nil {
				return err
			}
			all, err := loadRules(args[0], plugin)
			if err != nil {
				return err
			}
			faults := 0
			for _, s := range all {
				say, end := slowly("trying")
				o.Progress = say
				result, err := author.TestRules(c.Context(), s, o)
				end()
				if err != nil {
					return blamed(err)
				}
				if len(all) > 1 {
					fmt.Fprintf(c.OutOrStdout(), "%s, %s:\n", s.Name, whatItIs[s.Kind])
				}
				writeRulesTested(c.OutOrStdout(), result)
				faults += len(result.Findings)
			}
			if faults > 0 {
				return fmt.Errorf("%s: %s", args[0], counted(faults, "fault"))
			}
			return nil
		},
	}
	given.beaconFlags(c)
	pluginFlag(c, &plugin)
	c.Flags().IntVar(&o.Random, "random", 500, "random beacons to try")
	c.Flags().IntVar(&o.Most, "most", 10_000, "beacons of each file to try")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of the random beacons and shuffles")
	return c
}

func writeRulesTested(w io.Writer, t *author.Tested) {
	if t.Vectors == 0 {
		fmt.Fprintln(w, "tests: none; write beacons and what you expect under 'tests:' beside the rules, as --help shows")
	} else {
		fmt.Fprintf(w, "tests: %d of %d hold\n", t.Held, t.Vectors)
	}
	if len(t.Trials) > 0 {
		fmt.Fprintf(w, "purity: %s\n", triedWith(t.Trials))
	}
	writeFindings(w, t)
}
