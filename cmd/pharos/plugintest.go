package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

func newPluginTest() *cobra.Command {
	o := author.TestOptions{}
	var given given
	var natively bool
	c := &cobra.Command{
		Use:   "test [DIR|FILE.wasm] [--in FILE]",
		Short: "Try a plugin: golden vectors, and whether it is pure",
		Long: `Test builds the plugin of a folder (the working directory, if none is given), or takes
a module, and runs its golden vectors: NAME.golden.ndjson beside it, and its section
pharos.golden. Then it tries by the conformance kit whether the plugin is pure: rows
are shuffled, split, repeated, put together otherwise and given to other instances,
and every row must be answered the same. The beacons are those of the golden vectors,
beacons near them, random ones, and with --in real ones. A beacon at which the plugin
traps, fails or runs out of fuel is a fault too.

With --native the golden vectors of a project in C must also hold in a native program
of its sources, where a sanitizer ends what is undefined in C and what reads or writes
beyond what it was given.

What is wrong is shown with the beacon, what was expected and what came. The exit code
is 1 then.`,
		Example: `  pharos plugin test
  pharos plugin test bots.wasm --in beacons.ndjson.gz
  pharos plugin test bots.wasm --config '{"extra": ["acme"]}' --data agents=lists/agents.txt`,
		Args: mayTake,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.Random < 0 || o.Most < 1 {
				return usagef("--random and --most must not be less than 0 and 1")
			}
			if o.Settings, err = given.settings(); err != nil {
				return err
			}
			if o.Inputs, err = given.inputs(c.InOrStdin()); err != nil {
				return err
			}
			module := folder(args)
			if natively {
				if o.Native = module; strings.HasSuffix(module, ".wasm") {
					return usagef("--native wants the folder of a project, not a module: it builds the sources")
				}
			}
			if !strings.HasSuffix(module, ".wasm") {
				built, err := build(c.Context(), c.OutOrStdout(), module, "")
				if err != nil {
					return err
				}
				module = built.Path
			}
			say, end := slowly("trying")
			o.Progress = say
			result, err := author.Test(c.Context(), module, o)
			end()
			if err != nil {
				return blamed(err)
			}
			writeTested(c.OutOrStdout(), result, natively)
			if n := len(result.Findings); n > 0 {
				return fmt.Errorf("%s: %s", module, counted(n, "fault"))
			}
			return nil
		},
	}
	given.flags(c)
	c.Flags().BoolVar(&natively, "native", false, "run the golden vectors natively too (C)")
	c.Flags().IntVar(&o.Random, "random", 500, "random beacons to try, for each config")
	c.Flags().IntVar(&o.Most, "most", 10_000, "beacons of each file to try")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of the random beacons and shuffles")
	return c
}

// slowly tells what is done, once it has taken some seconds; end ends that.
func slowly(verb string) (say func(what string), end func()) {
	began, show, shown := time.Now(), progress(os.Stderr), false
	say = func(what string) {
		if time.Since(began) > 2*time.Second {
			show("%s %s", verb, what)
			shown = true
		}
	}
	end = func() {
		if shown {
			show("took %v\n", time.Since(began).Round(100*time.Millisecond))
		}
	}
	return say, end
}

// Bounds of what is written: findings, and bytes of a text of one.
const (
	maxFindings    = 20
	maxFindingText = 4 << 10
)

func writeTested(w io.Writer, t *author.Tested, natively bool) {
	if t.Vectors == 0 {
		fmt.Fprintln(w, "golden vectors: none; show what it does in NAME.golden.ndjson beside it: docs/plugins.md says how")
	} else {
		fmt.Fprintf(w, "golden vectors: %d of %d hold\n", t.Held, t.Vectors)
		if natively {
			fmt.Fprintf(w, "natively: %d of %d hold\n", t.Natively, t.Vectors)
		}
	}
	for i := 0; i < len(t.Trials); {
		config, n := string(t.Trials[i].Config), i
		for n < len(t.Trials) && string(t.Trials[n].Config) == config {
			n++
		}
		fmt.Fprintf(w, "purity, config %s: %s\n", config, triedWith(t.Trials[i:n]))
		i = n
	}
	writeFindings(w, t)
}

// triedWith adds up with how many beacons of which kinds something was tried.
func triedWith(trials []author.Trial) string {
	rows := map[string]int{}
	var kinds []string
	for _, t := range trials {
		if rows[t.Beacons] == 0 {
			kinds = append(kinds, t.Beacons)
		}
		rows[t.Beacons] += t.Rows
	}
	for k, kind := range kinds {
		kinds[k] = fmt.Sprintf("%d %s", rows[kind], kind)
	}
	return strings.Join(kinds, ", ")
}

func writeFindings(w io.Writer, t *author.Tested) {
	for i, f := range t.Findings {
		if i == maxFindings {
			fmt.Fprintf(w, "\nand %d more\n", len(t.Findings)-i)
			break
		}
		writeFinding(w, f)
	}
	if len(t.Findings) == 0 {
		fmt.Fprintln(w, "all is well")
	}
}

func writeFinding(w io.Writer, f author.Finding) {
	fmt.Fprintf(w, "\nFAULT %s\n", f.What)
	for _, line := range []struct{ what, text string }{
		{"why", f.Why}, {"config", configText(f.Config)}, {"beacon", f.Beacon}, {"expected", f.Expected}, {"got", f.Got}, {"stack", f.Stack},
	} {
		if text := line.text; text != "" {
			if len(text) > maxFindingText {
				text = strings.ToValidUTF8(text[:maxFindingText], "") + "…"
			}
			fmt.Fprintf(w, "  %-9s %s\n", line.what, strings.ReplaceAll(text, "\n", "\n            "))
		}
	}
}

// configText is a config, if there is something in it.
func configText(config json.RawMessage) string {
	if string(config) == "{}" {
		return ""
	}
	return string(config)
}

// counted is a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
