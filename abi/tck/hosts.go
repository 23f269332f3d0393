package tck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Outcome is what a host must make of a guest.
type Outcome string

// The outcomes.
const (
	Refused  Outcome = "refused"  // it is not loaded, or its config is not taken
	Fails    Outcome = "fails"    // it is loaded; a batch of the beacons n=1 and n=2 fails, in the first three calls
	Well     Outcome = "well"     // its golden vectors hold, and it is found pure
	Survives Outcome = "survives" // it harms at most itself: it may answer anything, or fail
)

// HostCase is a guest that hosts are tried with.
type HostCase struct {
	Guest   string          `json:"guest"` // its path below the guests' folder, without .wasm
	Outcome Outcome         `json:"outcome"`
	Why     string          `json:"why"`              // what is special about it
	Vector  json.RawMessage `json:"vector,omitempty"` // of one that is not pure: instead of those beside the guest
}

// HostCases reads the cases in hosts.ndjson of the guests' folder: abi/testdata.
func HostCases(guests fs.FS) ([]HostCase, error) {
	text, err := fs.ReadFile(guests, "hosts.ndjson")
	if err != nil {
		return nil, err
	}
	var cases []HostCase
	n := 0
	for line := range bytes.Lines(text) {
		n++
		var c HostCase
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return nil, fmt.Errorf("hosts.ndjson, line %d: %w", n, err)
		}
		switch c.Outcome {
		case Refused, Fails, Well, Survives:
		default:
			return nil, fmt.Errorf("hosts.ndjson, line %d: outcome %q is not known", n, c.Outcome)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// Load is a host: it loads a module with a config and data files by name, with 16 MiB
// of memory and fuel that ends what does not end. done lets all of it go.
type Load func(ctx context.Context, module []byte, config json.RawMessage, data map[string][]byte) (s Subject, done func() error, err error)

// Try tries a host with the guest; the error says what it made of it instead.
func (c *HostCase) Try(ctx context.Context, guests fs.FS, host Load) error {
	module, err := fs.ReadFile(guests, c.Guest+".wasm")
	if err != nil {
		return err
	}
	switch c.Outcome {
	case Well:
		err = c.answers(ctx, guests, module, host)
	default:
		err = c.ends(ctx, module, host)
	}
	if err != nil {
		return fmt.Errorf("guest %s (%s): %w", c.Guest, c.Why, err)
	}
	return nil
}

// ends tries a guest that is to be refused, to fail or to be survived.
func (c *HostCase) ends(ctx context.Context, module []byte, host Load) (err error) {
	s, done, err := host(ctx, module, json.RawMessage("{}"), nil)
	if err != nil {
		if c.Outcome == Fails {
			return fmt.Errorf("it is refused, and must be loaded: %w", err)
		}
		return nil
	}
	defer func() { err = errors.Join(err, done()) }()
	if c.Outcome == Refused {
		return errors.New("it is loaded, and must be refused")
	}
	g, end, err := s.New(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	rows := make([][]abi.Value, 2)
	for i := range rows {
		rows[i] = make([]abi.Value, len(s.Plan.Fields))
		for j := range rows[i] {
			rows[i][j] = abi.Value{Kind: abi.Number, Text: fmt.Append(nil, i+1)}
		}
	}
	var b abi.Batch
	var out abi.Output
	abi.Build(s.Plan.Fields, rows, &b)
	asked := withSessions(s, &b, 1)
	for range 3 {
		if err := g.Process(ctx, asked, &out); err != nil {
			return ctx.Err()
		}
	}
	if c.Outcome == Fails {
		return errors.New("its answers are taken, and it must fail")
	}
	return nil
}

// answers tries a guest that means well.
func (c *HostCase) answers(ctx context.Context, guests fs.FS, module []byte, host Load) error {
	text := []byte(c.Vector)
	if text == nil {
		var err error
		if text, err = fs.ReadFile(guests, c.Guest+".golden.ndjson"); err != nil {
			return err
		}
	}
	tried := 0
	for line := range bytes.Lines(text) {
		if refusal := new(struct {
			Expect struct {
				Error *string `json:"error"`
			} `json:"expect"`
		}); len(bytes.TrimSpace(line)) == 0 || json.Unmarshal(line, refusal) == nil && refusal.Expect.Error != nil {
			continue // by a schema, maybe, which the host need not know here
		}
		tried++
		if err := c.vector(ctx, module, line, host); err != nil {
			return fmt.Errorf("golden vector %s: %w", bytes.TrimSpace(line), err)
		}
	}
	if tried == 0 {
		return errors.New("there is no golden vector with answers")
	}
	return nil
}

// randomRows is how many random beacons a guest that means well is tried with.
const randomRows = 200

func (c *HostCase) vector(ctx context.Context, module, line []byte, host Load) (err error) {
	var given struct {
		Config json.RawMessage   `json:"config"`
		Data   map[string]string `json:"data"`
	}
	if err := json.Unmarshal(line, &given); err != nil {
		return err
	}
	if given.Config == nil {
		given.Config = json.RawMessage("{}")
	}
	data := map[string][]byte{}
	for name, text := range given.Data {
		data[name] = []byte(text)
	}
	s, done, err := host(ctx, module, given.Config, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	vectors, err := abi.ParseVectors(s.Kind, line)
	if err != nil {
		return err
	}
	g, end, err := s.New(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	err = vectors[0].Run(s.Kind, s.Plan, func(b *abi.Batch, out *abi.Output) error { return g.Process(ctx, b, out) })
	if err != nil {
		return err
	}
	var b abi.Batch
	if c.Vector != nil {
		return nil
	}
	abi.Build(s.Plan.Fields, Beacons(rand.New(rand.NewPCG(1, 1)), s.Plan.Fields, randomRows), &b)
	failures, err := Purity(ctx, s, &b, 1)
	for _, f := range failures {
		err = errors.Join(err, errors.New(f.String()))
	}
	return err
}
