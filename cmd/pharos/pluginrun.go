package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/spf13/cobra"
)

func newPluginRun() *cobra.Command {
	var given given
	var limit int
	var gap time.Duration
	var out string
	c := &cobra.Command{
		Use:   "run FILE.wasm --in FILE[,FILE...] [-o table|json]",
		Short: "Run files of beacons through one plugin, and show what it decides",
		Long: `Run loads a module as a host does, asks it about every beacon of the files, and shows
a table: the line, the fields that the plugin asked for, and its decision. A beacon at
which it traps, fails or runs out of fuel is shown with the cause and the stack. What
was decided is added up at the end.

An extractor that keeps cells or measures ended sessions sees the beacons of a session
in event order, as in a host, wherever they stand in the files; they need a time and a
session for that. A session ends at a gap, or behind the last beacon.

With -o json, each decision is a line of JSON; its answer is as in the expect of a
golden vector.`,
		Example: `  pharos plugin run bots.wasm --in access.log.gz --format clf
  pharos plugin run clicks.wasm --in beacons.ndjson --config @clicks.json --limit 10
  pharos plugin run bots.wasm --in beacons.ndjson --field agent=headers.ua -o json > decisions.ndjson`,
		Args: takes("the module"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := moduleArgument(args[0]); err != nil {
				return err
			}
			if len(given.in) == 0 {
				return usagef("--in is missing: name a file of beacons")
			}
			if out != "table" && out != "json" {
				return usagef("--output %q is neither table nor json", out)
			}
			if limit < 0 {
				return usagef("--limit %d: it is a number of rows, or 0 for all", limit)
			}
			if gap <= 0 {
				return usagef("--gap %v: it is a time, like 30m", gap)
			}
			settings, err := given.settings()
			if err != nil {
				return err
			}
			inputs, err := given.inputs(c.InOrStdin())
			if err != nil {
				return err
			}
			w := bufio.NewWriter(c.OutOrStdout())
			o := author.RunOptions{Config: settings.Config, Files: given.data, Inputs: inputs, Gap: gap}
			table := &decisions{limit: limit}
			if o.Decided = table.add; out == "json" {
				o.Decided = func(d author.Decision) error { return writeDecision(w, d) }
			}
			ran, err := author.Run(c.Context(), args[0], o)
			if err != nil {
				return errors.Join(blamed(err), w.Flush())
			}
			if out == "table" {
				err = table.write(w, len(inputs) > 1, ran)
			}
			return errors.Join(err, w.Flush())
		},
	}
	given.flags(c)
	c.Flags().StringVarP(&out, "output", "o", "table", "table or json")
	c.Flags().IntVar(&limit, "limit", 50, "rows of the table; 0 is all. Sums are of all beacons")
	c.Flags().DurationVar(&gap, "gap", 30*time.Minute, "what ends a session, as session.gap of a config")
	return c
}

// writeDecision writes a decision as a line of JSON.
func writeDecision(w *bufio.Writer, d author.Decision) error {
	line := struct {
		File    string          `json:"file,omitempty"`
		Line    int64           `json:"line,omitempty"`
		Session *string         `json:"session_end,omitempty"`
		Fields  json.RawMessage `json:"fields,omitempty"`
		Answer  json.RawMessage `json:"answer,omitempty"`
		Bad     int             `json:"bad_values,omitempty"`
		Failed  string          `json:"failed,omitempty"`
		Stack   string          `json:"stack,omitempty"`
	}{File: d.Path, Line: d.Line, Answer: d.Answer, Bad: d.Bad}
	if d.Line == 0 {
		line.Session = &d.Session
	} else {
		line.Fields = fieldsJSON(d.Fields)
	}
	if d.Failed != nil {
		line.Failed, line.Stack, line.Answer = d.Failed.Cause, d.Failed.Stack, nil
	}
	text, err := json.Marshal(line)
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write line %d: %w", d.Line, err)
	}
	return nil
}

// fieldsJSON writes fields as an object, in the plan's order.
func fieldsJSON(fields []author.Shown) json.RawMessage {
	parts := make([]string, len(fields))
	for i, f := range fields {
		name, err := json.Marshal(f.Name)
		if err != nil {
			panic(err) // a string can always be written
		}
		parts[i] = string(name) + ":" + string(f.Value)
	}
	return json.RawMessage("{" + strings.Join(parts, ",") + "}")
}
