package author

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// RunOptions say what a plugin runs over.
type RunOptions struct {
	Config json.RawMessage   // nil is {}
	Files  map[string]string // data files: name to path
	Inputs []Input
	Gap    time.Duration // a session ends where the next beacon is more than this later; 0: by its id alone
	// Decided is called for each beacon in the order of the files, then for each
	// session that ends. What it is given is its to keep.
	Decided func(Decision) error
}

// Decision is what a plugin says to one beacon, or to a session's end.
type Decision struct {
	Path    string
	Line    int64  // of the file; 0 of a session's end
	Session string // of a session's end
	Fields  []Shown
	// Answer is what a golden vector expects of it, as JSON: null, a reason, a route, a
	// list of measurements.
	Answer json.RawMessage
	Bad    int      // measurements whose value is no number
	Failed *Failure // the plugin failed at it; there is no answer
}

// Failure is why a plugin failed at a beacon.
type Failure struct {
	Cause string // one of few
	Stack string // what is known of it, several lines
}

// Shown is a field that a beacon has, as JSON; strings of sources without types are
// strings.
type Shown struct {
	Name  string
	Value json.RawMessage
}

// Ran is what a plugin ran over, added up.
type Ran struct {
	Name, Version string
	Kind          abi.Kind
	Beacons       int                  // that it was asked about
	Unasked       map[beacon.Cause]int // beacons about which a host would not ask it
	Answers       []Total              // kept, each reason or route, each point; in the plan's order
	Bad           int
	Failed        map[string]int // by cause
	Sessions      int            // that ended
	Counters      []Total
	Stats         plugin.Stats
}

// Total is a number by name.
type Total struct {
	Name  string
	Count uint64
	Sum   float64 // of a point's values
}

// runRows is how many beacons are asked about together.
const runRows = 4096

// Run loads the plugin of a module as a host does, golden vectors and all, and asks it
// about all beacons of the files: as they stand there, or, if it keeps cells or
// measures ended sessions, in event order. All sessions end behind the last beacon.
func Run(ctx context.Context, path string, o RunOptions) (_ *Ran, err error) {
	loader, err := plugin.NewLoader("")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, loader.Close(ctx)) }()
	name := strings.TrimSuffix(filepath.Base(path), ".wasm")
	p, err := loader.Load(ctx, plugin.Spec{Name: name, Module: path, Config: o.Config, Data: o.Files})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	r := newRunner(p, o)
	ask := r.asTheyStand
	if r.sessions != nil {
		ask = r.inEventOrder
	}
	if err := ask(ctx, o.Inputs); err != nil {
		return nil, err
	}
	return r.finish(), nil
}

// asTheyStand asks about the beacons of files as they stand there.
func (r *runner) asTheyStand(ctx context.Context, inputs []Input) error {
	for i := range inputs {
		in := &inputs[i]
		undecodable, err := in.read(ctx, r.fields, runRows, func(b *beacon.Batch, sel []int, line []int64) error {
			return r.batch(ctx, in.Path, b, sel, line)
		})
		if err != nil {
			return err
		}
		for cause, n := range undecodable {
			r.ran.Unasked[cause] += n
		}
	}
	return nil
}

// runner asks one plugin, and adds up what it says.
type runner struct {
	plugin   *plugin.Plugin
	plan     *abi.Plan
	fields   *beacon.Fields
	decided  func(Decision) error
	sessions *sessions // nil of a plugin that knows none
	index    map[string]int
	ran      *Ran
}

func newRunner(p *plugin.Plugin, o RunOptions) *runner {
	r := &runner{plugin: p, plan: p.Plan(), fields: fieldsOf(p.Plan()), decided: o.Decided, index: map[string]int{}}
	r.ran = &Ran{Name: p.Name(), Version: p.Version(), Kind: p.Kind(), Unasked: map[beacon.Cause]int{}, Failed: map[string]int{}}
	var names []string
	switch p.Kind() {
	case abi.Filter:
		names = append([]string{"kept"}, r.plan.Reasons...)
	case abi.Split:
		names = append([]string{"no opinion"}, r.plan.Routes...)
	case abi.Extract:
		for _, point := range r.plan.Points {
			names = append(names, point.Name)
		}
	}
	for i, name := range names {
		r.index[name] = i
		r.ran.Answers = append(r.ran.Answers, Total{Name: name})
	}
	if len(r.plan.Cells) > 0 || p.Closes() {
		r.sessions = newSessions(r.plan, o.Gap)
	}
	return r
}

// answers are those to the rows of one call.
type answers struct {
	texts    map[int]json.RawMessage
	measured map[int][]measured
	bad      map[int]int
	failed   map[int]*Failure
}

func newAnswers() *answers {
	return &answers{map[int]json.RawMessage{}, map[int][]measured{}, map[int]int{}, map[int]*Failure{}}
}

// measured is a measurement as a golden vector has it.
type measured struct {
	Point      string            `json:"point"`
	Value      float64           `json:"value"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

func (a *answers) fail(row int, d beacon.Drop) {
	_, cause, _ := strings.Cut(string(d.Cause), ": ")
	a.failed[row] = &Failure{Cause: cause, Stack: d.Detail}
}

func (a *answers) measure(plan *abi.Plan, m metric.Measurement) {
	point := plan.Points[m.Point]
	one := measured{Point: point.Name, Value: m.Value}
	for i, text := range m.Attributes {
		if len(text) > 0 {
			if one.Attributes == nil {
				one.Attributes = map[string]string{}
			}
			one.Attributes[point.Attributes[i]] = string(text)
		}
	}
	a.measured[m.Row] = append(a.measured[m.Row], one)
}

func (r *runner) batch(ctx context.Context, path string, b *beacon.Batch, sel []int, line []int64) error {
	a := newAnswers()
	drop := func(row int, d beacon.Drop) {
		if d.Cause != "" {
			a.fail(row, d)
			return
		}
		a.texts[row] = json.RawMessage(quoted(d.Reason))
		r.ran.Answers[r.index[d.Reason]].Count++
	}
	var err error
	switch r.plugin.Kind() {
	case abi.Filter:
		err = r.plugin.Filter(ctx, b, sel, drop)
	case abi.Split:
		err = r.plugin.Split(ctx, b, sel, func(row int, route string) {
			a.texts[row] = json.RawMessage(quoted(route))
			r.ran.Answers[r.index[route]].Count++
		}, drop)
	default:
		err = r.plugin.Extract(ctx, b, sel, func(m metric.Measurement) { a.measure(r.plan, m) }, func(row int) { a.bad[row]++ }, a.fail)
	}
	if err != nil {
		return err
	}
	for _, row := range sel {
		d := Decision{Path: path, Line: line[row], Fields: r.shown(b.Row(row).Values)}
		if err := r.decide(d, row, a); err != nil {
			return err
		}
		r.ran.Beacons++
	}
	return nil
}

// decide adds up what was answered to a row, and tells it.
func (r *runner) decide(d Decision, row int, a *answers) error {
	d.Failed, d.Bad, d.Answer = a.failed[row], a.bad[row], a.texts[row]
	r.ran.Bad += d.Bad
	switch {
	case d.Failed != nil:
		r.ran.Failed[d.Failed.Cause]++
	case r.ran.Kind == abi.Extract:
		list := a.measured[row]
		for _, m := range list {
			t := &r.ran.Answers[r.index[m.Point]]
			t.Count++
			t.Sum += m.Value
		}
		if list == nil {
			list = []measured{}
		}
		text, err := json.Marshal(list)
		if err != nil {
			return fmt.Errorf("write an answer: %w", err)
		}
		d.Answer = text
	case d.Answer == nil:
		d.Answer = json.RawMessage("null")
		r.ran.Answers[0].Count++
	}
	if r.decided == nil {
		return nil
	}
	return r.decided(d)
}

// shown are the fields of the plan that a beacon has.
func (r *runner) shown(values []beacon.Value) []Shown {
	var all []Shown
	for i, name := range r.fields.Names() {
		if text, has := shownValue(values[i]); has {
			all = append(all, Shown{name, text})
		}
	}
	return all
}

// shownValue is a field's value as JSON, if there is one.
func shownValue(v beacon.Value) (text json.RawMessage, has bool) {
	switch v.Kind {
	case abi.Missing:
		return nil, false
	case abi.Null:
		return json.RawMessage("null"), true
	case abi.String, abi.Untyped:
		return json.RawMessage(quoted(string(v.Text))), true
	}
	return append(text, v.Text...), true
}

func (r *runner) finish() *Ran {
	r.ran.Stats = r.plugin.Stats()
	for _, c := range r.ran.Stats.Counters {
		r.ran.Counters = append(r.ran.Counters, Total{Name: c.Name, Count: c.Value})
	}
	return r.ran
}
