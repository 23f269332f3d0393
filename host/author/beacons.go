package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/lines"
)

// Input is a file of beacons, one a line.
type Input struct {
	Path   string            // .gz, .zst or plain; "-" is Stdin
	Format string            // json, query or clf; "" is json
	Names  map[string]string // further names and their paths, as a source's fields in a config
	Stdin  io.Reader
}

// sample is beacons that a plugin is tried with.
type sample struct {
	what  string // for people
	batch *abi.Batch
	text  func(row int) string // the beacon
}

// part is some of the beacons.
func (s sample) part(from, to int) sample {
	rows := make([]int, to-from)
	for i := range rows {
		rows[i] = from + i
	}
	p := sample{what: s.what, batch: new(abi.Batch), text: func(row int) string { return s.text(from + row) }}
	tck.Select(s.batch, rows, p.batch)
	return p
}

// source says how the beacons of a file are read. Where a config says nothing else,
// logical fields are found there too.
func (in *Input) source() *beacon.Source {
	format := beacon.Format(in.Format)
	if in.Format == "" {
		format = beacon.JSON
	}
	at := func(paths ...string) beacon.Locator { return beacon.Locator{Paths: paths} }
	s := &beacon.Source{
		Name: "source", Format: format, Time: at("ts"), Tenant: at("tenant"), Session: at("sid"), ID: at("id"), Assignments: at("exp"),
		Names: map[string]beacon.Locator{},
	}
	if format == beacon.CLF {
		s.Time, s.Session, s.ID = at("time"), at("remote", "agent"), at()
		s.Tenant, s.Assignments = beacon.Locator{Const: "tenant", IsConst: true}, at()
	}
	for name, path := range in.Names {
		switch name {
		case "time":
			s.Time = at(path)
		case "tenant":
			s.Tenant = at(path)
		case "session":
			s.Session = at(strings.Split(path, "|")...)
		default:
			s.Names[name] = at(path)
		}
	}
	return s
}

// read calls each with batches of at most size beacons of the file: the rows that
// could be decoded, and the line of each row. What could not is counted by cause.
func (in *Input) read(ctx context.Context, fields *beacon.Fields, size int, each func(b *beacon.Batch, sel []int, line []int64) error) (undecodable map[beacon.Cause]int, err error) {
	b, sel, at := beacon.NewBatch(fields), []int(nil), []int64(nil)
	undecodable = map[beacon.Cause]int{}
	give := func() error {
		err := errors.Join(ctx.Err(), each(b, sel, at))
		b.Reset()
		sel, at = sel[:0], at[:0]
		return err
	}
	err = in.rows(b, func(row int, line int64, cause beacon.Cause) error {
		if at = append(at, line); cause != "" {
			undecodable[cause]++
		} else {
			sel = append(sel, row)
		}
		if b.Len() == size {
			return give()
		}
		return nil
	})
	if err == nil && b.Len() > 0 {
		err = give()
	}
	return undecodable, err
}

// rows adds the beacons of the file to a batch, which each may reset.
func (in *Input) rows(b *beacon.Batch, each func(row int, line int64, cause beacon.Cause) error) (err error) {
	projection, err := beacon.NewProjection(in.source(), b.Fields())
	if err != nil {
		return err
	}
	r, err := lines.Open(in.Path, in.Stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		row, cause := b.Add(projection, bytes.Clone(line))
		if err := each(row, r.Number, cause); err != nil {
			return err
		}
	}
}

// fieldsOf are the fields of a plan.
func fieldsOf(plan *abi.Plan) *beacon.Fields {
	names := make([]string, len(plan.Fields))
	for i, f := range plan.Fields {
		names[i] = f.Name
	}
	return beacon.NewFields(names...)
}

// ofRows is a sample of rows of values.
func ofRows(what string, plan *abi.Plan, rows [][]abi.Value) sample {
	s := sample{what: what, batch: new(abi.Batch), text: func(row int) string { return beaconText(plan.Fields, rows[row]) }}
	abi.Build(plan.Fields, rows, s.batch)
	return s
}

// beaconText writes a row as a golden vector has it.
func beaconText(fields []abi.Field, row []abi.Value) string {
	var s strings.Builder
	untyped := false
	seen := map[string]bool{}
	for i, f := range fields {
		v := row[i]
		if v.Kind == abi.Missing || seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		if s.Len() > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%s: ", quoted(f.Name))
		switch v.Kind {
		case abi.Null:
			s.WriteString("null")
		case abi.String, abi.Untyped:
			s.WriteString(quoted(string(v.Text)))
			untyped = untyped || v.Kind == abi.Untyped
		default:
			s.Write(v.Text)
		}
	}
	text := "{" + s.String() + "}"
	if untyped {
		text += " (untyped)"
	}
	return text
}

func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string can always be quoted
	}
	return strings.TrimSpace(b.String())
}

// variations are so many beacons near those of the rows: one with one field that is
// random, another wholly random, in turns. words are what the plugin may look for.
func variations(rng *rand.Rand, plan *abi.Plan, rows [][]abi.Value, n int, words []string) [][]abi.Value {
	all := tck.Beacons(rng, plan.Fields, n, words...)
	if len(rows) == 0 || len(plan.Fields) == 0 {
		return all
	}
	for i := 0; i < n; i += 2 {
		changed := append([]abi.Value(nil), rows[rng.IntN(len(rows))]...)
		name := plan.Fields[rng.IntN(len(changed))].Name
		for at, f := range plan.Fields {
			if f.Name == name { // in whatever form
				changed[at] = all[i][at]
			}
		}
		all[i] = changed
	}
	return all
}

// maxWords bounds what is kept of the words of golden vectors.
const maxWords = 500

// words are the texts and numbers of golden vectors: what the plugin looks for is
// among them, and random beacons should have it too.
func words(vectors []*abi.Vector) []string {
	seen := map[string]bool{}
	var all []string
	add := func(word string) {
		if !seen[word] && len(all) < maxWords {
			seen[word] = true
			all = append(all, word)
		}
	}
	for _, v := range vectors {
		for _, b := range v.Beacons {
			for _, raw := range b {
				wordsOf(raw, add)
			}
		}
		wordsOf(v.Config, add)
	}
	return all
}

// wordsOf finds the texts and numbers in a JSON value.
func wordsOf(raw json.RawMessage, add func(string)) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return
		}
		switch t := token.(type) {
		case string:
			add(t)
		case json.Number:
			add(t.String())
		}
	}
}
