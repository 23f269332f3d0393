package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// TestOptions say how a module is tested.
type TestOptions struct {
	Settings        // one more config to try it with, beside those of its golden vectors
	Random   int    // random beacons, a config
	Seed     uint64 // of them and of the shuffles
	Inputs   []Input
	Most     int // beacons of each input
	// Native is the folder of a project in C whose golden vectors are to hold in a native
	// program too; "" for none.
	Native string
	// Progress is told what is done next.
	Progress func(what string)
}

// Tested is what came out.
type Tested struct {
	Vectors  int // golden vectors
	Held     int // those that hold
	Natively int // those that hold in the native program
	Trials   []Trial
	Findings []Finding
}

// Trial says what a module was tried with.
type Trial struct {
	Config  json.RawMessage
	Beacons string // what they are
	Rows    int
}

// Finding is one thing that is wrong.
type Finding struct {
	What     string          // golden vector, line 3: beacon 1
	Why      string          // what it breaks, in words; may be empty
	Config   json.RawMessage // under which
	Beacon   string          // may be empty
	Expected string          // empty where nothing is
	Got      string
	Stack    string // of a trap, and what the module printed
}

// Test runs a module's golden vectors, then tries by the conformance kit whether it
// is pure: with the beacons of the vectors, beacons near them, random ones, and those
// of files. An error is of a module that cannot be loaded or of a file.
func Test(ctx context.Context, path string, o TestOptions) (_ *Tested, err error) {
	g, err := compile(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	vectors, err := plugin.Vectors(g.module, path)
	if err != nil {
		return nil, err
	}
	t := &tester{guest: g, o: o, vectors: vectors, result: &Tested{Vectors: len(vectors)}}
	t.say("golden vectors")
	for _, v := range vectors {
		if err := t.vector(ctx, v); err != nil {
			return nil, err
		}
	}
	if o.Native != "" {
		if err := t.natively(ctx, o.Native); err != nil {
			return nil, err
		}
	}
	return t.result, t.tryAll(ctx)
}

type tester struct {
	guest   *guest
	o       TestOptions
	vectors []*abi.Vector
	result  *Tested
}

func (t *tester) say(format string, args ...any) {
	if t.o.Progress != nil {
		t.o.Progress(fmt.Sprintf(format, args...))
	}
}

// vector runs a golden vector.
func (t *tester) vector(ctx context.Context, v *abi.Vector) error {
	err := plugin.CheckVector(ctx, t.guest.module, v)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		t.result.Held++
		return nil
	}
	t.mismatch(v, "", err)
	return nil
}

// mismatch finds what is wrong with the answers to a golden vector; where begins each.
func (t *tester) mismatch(v *abi.Vector, where string, err error) {
	for _, one := range split(err) {
		f := Finding{What: fmt.Sprintf("%sgolden vector, line %d", where, v.Line), Config: v.Config}
		var mismatch *abi.Mismatch
		if errors.As(one, &mismatch) {
			f.Expected, f.Got = mismatch.Want, mismatch.Got
			if mismatch.Beacon >= 0 {
				f.What += fmt.Sprintf(", beacon %d", mismatch.Beacon)
				f.Beacon = vectorBeacon(v, mismatch.Beacon)
			} else if mismatch.Counter != "" {
				f.What += ", counter " + mismatch.Counter
			} else {
				f.What += fmt.Sprintf(", end of session %q", mismatch.Session)
			}
		} else {
			f.failed(one)
		}
		t.result.Findings = append(t.result.Findings, f)
	}
}

// split takes apart what errors.Join has joined.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func vectorBeacon(v *abi.Vector, i int) string {
	text, err := json.Marshal(v.Beacons[i])
	if err != nil {
		return ""
	}
	if v.Untyped {
		return string(text) + " (untyped)"
	}
	return string(text)
}

// failed says what the guest failed with.
func (f *Finding) failed(err error) {
	var trap *wasm.TrapError
	if !errors.As(err, &trap) {
		f.Why = err.Error()
		return
	}
	f.Why = fmt.Sprintf("%s: %s: %s", trap.Function, trap.Cause, trap.Detail)
	f.Stack = strings.TrimSpace(trap.Stack)
	if trap.Output != "" {
		f.Stack += "\noutput: " + strings.TrimSpace(trap.Output)
	}
}

// maxSettings is how many configs of golden vectors are tried.
const maxSettings = 8

// tryAll tries the guest with all settings.
func (t *tester) tryAll(ctx context.Context) error {
	for _, s := range t.settings() {
		if err := t.try(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// settings are those to try: the given ones, and those of the golden vectors.
func (t *tester) settings() []Settings {
	var all []Settings
	add := func(s Settings) {
		var key bytes.Buffer
		if json.Compact(&key, s.Config) == nil {
			s.Config = key.Bytes()
		}
		same := func(o Settings) bool {
			return bytes.Equal(o.Config, s.Config) && fmt.Sprint(o.Data) == fmt.Sprint(s.Data)
		}
		if len(all) < maxSettings && !slices.ContainsFunc(all, same) {
			all = append(all, s)
		}
	}
	if len(t.o.Config) > 0 {
		add(t.o.Settings)
	}
	for _, v := range t.vectors {
		if !v.Refused {
			add(Settings{Config: v.Config, Data: v.DataFiles()})
		}
	}
	if len(all) == 0 {
		add(Settings{Config: json.RawMessage("{}"), Data: t.o.Data})
	}
	return all
}

// try tries the guest with a config.
func (t *tester) try(ctx context.Context, s Settings) error {
	plan, err := t.guest.plan(ctx, s)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		f := Finding{What: "it refuses a config", Config: s.Config}
		f.failed(err)
		if len(t.vectors) == 0 {
			f.Why += ": give it golden vectors, or a config"
		}
		t.result.Findings = append(t.result.Findings, f)
		return nil
	}
	var rows [][]abi.Value
	for _, v := range t.vectors {
		more, err := v.Rows(plan.Fields)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	rng := rand.New(rand.NewPCG(t.o.Seed, uint64(len(t.result.Trials))))
	random := variations(rng, plan, rows, t.o.Random, words(t.vectors))
	for _, sample := range []sample{ofRows("beacons of the golden vectors", plan, rows), ofRows("random beacons", plan, random)} {
		if sample.batch.Rows > 0 {
			if err := t.sample(ctx, s, plan, sample); err != nil {
				return err
			}
		}
	}
	for i := range t.o.Inputs {
		if err := t.input(ctx, s, plan, &t.o.Inputs[i]); err != nil {
			return err
		}
	}
	return nil
}

// inputRows is how many beacons of a file are tried together.
const inputRows = 500

var errEnough = errors.New("enough")

// input tries the guest with the beacons of a file.
func (t *tester) input(ctx context.Context, s Settings, plan *abi.Plan, in *Input) error {
	left := t.o.Most
	_, err := in.read(ctx, fieldsOf(plan), min(inputRows, t.o.Most), func(b *beacon.Batch, sel []int, line []int64) error {
		sel = sel[:min(len(sel), left)]
		if left -= len(sel); len(sel) > 0 {
			sample := sample{what: "beacons of " + in.Path, batch: new(abi.Batch), text: func(row int) string {
				return fmt.Sprintf("%s, line %d: %s", in.Path, line[sel[row]], b.Row(sel[row]).Raw)
			}}
			b.Columns(plan.Fields, sel, sample.batch)
			if err := t.sample(ctx, s, plan, sample); err != nil {
				return err
			}
		}
		if left == 0 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// checks say what a check of the kit means.
var checks = map[string]string{
	"repeated": "the same batch once more, in the same instance, is answered otherwise",
	"fresh":    "another instance answers otherwise",
	"tight":    "it answers otherwise where outputs have no room at first",
	"reversed": "it answers otherwise where the rows stand in the reverse order",
	"shuffled": "it answers otherwise where the rows stand in another order",
	"doubled":  "it answers otherwise where every row stands in the batch twice",
	"halves":   "it answers otherwise where the batch is two halves",
	"pieces":   "it answers otherwise where the batch is small pieces, in another order",
	"alone":    "it answers otherwise where the row is alone, in an instance of its own",
	"counters": "the counters of parts do not add up to those of the whole batch",
	"cells":    "the session is left with other cells than after the whole batch",
}

// shown is an answer as the kit writes it, for people.
func shown(answer string) string {
	if answer == "" {
		return "no measurement"
	}
	return answer
}

func (t *tester) sample(ctx context.Context, s Settings, plan *abi.Plan, sample sample) error {
	t.say("config %s: %d %s", s.Config, sample.batch.Rows, sample.what)
	t.result.Trials = append(t.result.Trials, Trial{Config: s.Config, Beacons: sample.what, Rows: sample.batch.Rows})
	return t.sampleOf(ctx, s, plan, sample)
}

// sampleOf tries a sample, in halves where it is too large for the guest.
func (t *tester) sampleOf(ctx context.Context, s Settings, plan *abi.Plan, sample sample) error {
	report, err := tck.Try(ctx, t.guest.subject(plan, s), sample.batch, t.o.Seed)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if half := sample.batch.Rows / 2; half > 0 && tooLarge(err) {
		if err := t.sampleOf(ctx, s, plan, sample.part(0, half)); err != nil {
			return err
		}
		return t.sampleOf(ctx, s, plan, sample.part(half, sample.batch.Rows))
	}
	find := func(f Finding) {
		f.Config = s.Config
		t.result.Findings = append(t.result.Findings, f)
	}
	if report != nil {
		for _, g := range report.Guilty {
			f := Finding{What: "it fails (" + sample.what + ")", Beacon: sample.text(g.Row)}
			f.failed(g.Err)
			find(f)
		}
		for _, b := range report.Failures {
			what := b.Check
			if b.Closed {
				what = "close, " + b.Check
			}
			f := Finding{What: "it is not pure: " + what + " (" + sample.what + ")", Why: checks[b.Check], Expected: shown(b.Want), Got: shown(b.Got)}
			if b.Row >= 0 {
				f.Beacon = sample.text(b.Row)
			} else {
				f.Why += ": " + b.Detail
			}
			find(f)
		}
	}
	if err != nil {
		f := Finding{What: "it cannot be tried (" + sample.what + ")"}
		f.failed(err)
		find(f)
	}
	return nil
}
