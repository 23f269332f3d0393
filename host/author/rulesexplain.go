package author

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/module"
	"github.com/seed-6a2d649b/pharos/host/rules/reach"
)

// ExplainOptions say with which beacons rules are looked at.
type ExplainOptions struct {
	Inputs []Input
	Seed   uint64 // of random beacons, where there are no others
}

// Explained is what can be told of rules. Rules are named by their index.
type Explained struct {
	Name     string           `json:"name"`
	Kind     abi.Kind         `json:"kind"`
	Size     int              `json:"size"` // of the module, in bytes
	Digest   string           `json:"digest"`
	Fields   []ExplainedField `json:"fields"`
	Beacons  string           `json:"beacons"` // which ones follow
	Rows     int              `json:"rows"`
	Fuel     float64          `json:"fuel"` // of a beacon
	Rules    []ExplainedRule  `json:"rules"`
	Close    []ExplainedRule  `json:"close,omitempty"` // those of sessions that have ended
	Never    []int            `json:"never"`           // can hold of no beacon
	Hidden   []HiddenRule     `json:"hidden"`          // never come to their turn
	Overlaps []OverlapOfRules `json:"overlaps"`
	More     int              `json:"more_overlaps"`
	Unknown  []int            `json:"unknown"` // are too large to be looked at
}

// ExplainedField is a field that rules read, and the form in which the host gives it.
type ExplainedField struct {
	Name string `json:"name"`
	Form string `json:"form"`
}

// ExplainedRule is one rule.
type ExplainedRule struct {
	Answer  string   `json:"answer"` // the reason, route or point; empty of one that measures nothing
	Place   string   `json:"place"`
	When    string   `json:"when"`
	Value   string   `json:"value,omitempty"`
	Holds   *int     `json:"holds,omitempty"`   // of how many beacons; not known where rules keep cells
	Decides *int     `json:"decides,omitempty"` // of how many no earlier rule holds
	Alone   *float64 `json:"fuel_alone,omitempty"`
}

// HiddenRule is a rule that never decides: where it holds, one of the others does.
type HiddenRule struct {
	Rule int   `json:"rule"`
	By   []int `json:"by"`
}

// OverlapOfRules is two rules that hold of one beacon.
type OverlapOfRules struct {
	First  int    `json:"first"`
	Second int    `json:"second"`
	Beacon string `json:"beacon"`
	Made   bool   `json:"made"` // out of the conditions; else it is one that was given
}

// Bounds of what is explained.
const (
	maxAlone    = 100 // rules, each of which is built and measured alone
	shownValues = 8   // of a list in a condition
)

// ExplainRules tells what rules read, what they cost, and which of them can not be.
func ExplainRules(ctx context.Context, s *RuleSet, o ExplainOptions) (*Explained, error) {
	code, err := module.Build(s.Program, module.Options{Name: s.Name, Version: s.Version, Description: s.description})
	if err != nil {
		return nil, err
	}
	beacons, err := s.beacons(o)
	if err != nil {
		return nil, err
	}
	e := &Explained{
		Name: s.Name, Kind: s.Kind, Size: len(code), Digest: fetch.Digest(code), Beacons: beacons.what, Rows: beacons.rows,
		Never: []int{}, Hidden: []HiddenRule{}, Overlaps: []OverlapOfRules{}, Unknown: []int{},
	}
	plan, fuel, err := costOf(ctx, code, beacons)
	if err != nil {
		return nil, err
	}
	e.Fuel = fuel
	for _, f := range plan.Fields {
		form := f.Type.String()
		if f.Dict {
			form += ", dictionary"
		}
		e.Fields = append(e.Fields, ExplainedField{f.Name, form})
	}
	slices.SortFunc(e.Fields, func(a, b ExplainedField) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Form, b.Form))
	})
	if err := s.explainRules(ctx, e, beacons); err != nil {
		return nil, err
	}
	s.explainReach(e, beacons)
	return e, nil
}

// explainRules tells of each rule what it is, when it holds, and what it costs.
func (s *RuleSet) explainRules(ctx context.Context, e *Explained, beacons *givenBeacons) error {
	cells := len(s.Program.Plan().Cells) > 0
	holds, decides := reach.Held(s.Program, beacons.columns(s.Program.Plan().Fields, 0, beacons.rows))
	for i, r := range s.Program.Checked() {
		one := s.explainRule(&r, s.list, i)
		if !cells {
			one.Holds, one.Decides = &holds[i], &decides[i]
		}
		if len(s.Program.Checked()) <= maxAlone {
			fuel, err := s.costAlone(ctx, i, beacons)
			if err != nil {
				return err
			}
			one.Alone = &fuel
		}
		e.Rules = append(e.Rules, one)
	}
	for i, r := range s.Program.Closing() {
		e.Close = append(e.Close, s.explainRule(&r, "close", i))
	}
	return nil
}

// explainRule tells what stands in a rule of a list.
func (s *RuleSet) explainRule(r *rules.Checked, list string, i int) ExplainedRule {
	one := ExplainedRule{Answer: s.answer(r), Place: s.place(list, i), When: reach.Short(s.Program, r.When, shownValues)}
	if r.Value != nil {
		one.Value = reach.Short(s.Program, r.Value, shownValues)
	}
	return one
}

func (s *RuleSet) explainReach(e *Explained, beacons *givenBeacons) {
	fields := s.Program.Plan().Fields
	r := reach.Analyze(s.Program, beacons.columns(fields, 0, beacons.rows))
	e.Never, e.Unknown, e.More = append(e.Never, r.Never...), append(e.Unknown, r.Unknown...), r.More
	for _, h := range r.Hidden {
		e.Hidden = append(e.Hidden, HiddenRule(h))
	}
	for _, o := range r.Overlaps {
		out := OverlapOfRules{First: o.First, Second: o.Second, Made: o.Row < 0}
		if out.Made {
			out.Beacon = beaconText(fields, o.Values)
		} else {
			out.Beacon = beacons.text(o.Row)
		}
		e.Overlaps = append(e.Overlaps, out)
	}
}

// costAlone is the fuel of a beacon in a plugin that has one of the rules only.
func (s *RuleSet) costAlone(ctx context.Context, i int, beacons *givenBeacons) (float64, error) {
	one := s.lists
	switch s.Kind {
	case abi.Filter:
		one.Drop = one.Drop[i : i+1]
	case abi.Split:
		one.Split = one.Split[i : i+1]
	default:
		one.Extract, one.Close = slices.Clone(one.Extract[i:i+1]), nil
		if one.Extract[0].Point == "" { // it sets cells only, and an extractor has a point
			one.Extract = append(one.Extract, rules.Extract{Point: "none", When: "false"})
		}
	}
	p, err := rules.Compile(s.Kind, one)
	if err != nil {
		return 0, err
	}
	code, err := module.Build(p, module.Options{Name: s.Name, Version: s.Version})
	if err != nil {
		return 0, err
	}
	_, fuel, err := costOf(ctx, code, beacons)
	return fuel, err
}

// costOf is what a module plans, and the fuel of a beacon in calls of the usual size.
func costOf(ctx context.Context, code []byte, beacons *givenBeacons) (_ *abi.Plan, fuel float64, err error) {
	g, err := compileCode(ctx, "rules", code, rulesFuel)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	i, err := g.instance(ctx, Settings{})
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, i.Close(ctx)) }()
	var out abi.Output
	plan, used, rows := i.Plan(), uint64(0), 0
	for from, call := 0, runRows; from < beacons.rows; {
		to := min(from+call, beacons.rows)
		b := enough(beacons.columns(plan.Fields, from, to), min(call, usualRows))
		giveCells(plan, b)
		err := i.Process(ctx, b, &out) // makes room, outside of what is measured
		if call > 1 && tooLarge(err) {
			call /= 2
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		before := i.Fuel()
		if err := i.Process(ctx, b, &out); err != nil {
			return nil, 0, err
		}
		used += i.Fuel() - before
		rows += b.Rows
		from = to
	}
	return plan, float64(used) / float64(rows), nil
}

// usualRows are so many that what a call costs does not show.
const usualRows = 1000

// enough repeats the beacons of a batch with fewer rows.
func enough(b *abi.Batch, rows int) *abi.Batch {
	if b.Rows >= rows {
		return b
	}
	picked := make([]int, rows)
	for i := range picked {
		picked[i] = i % b.Rows
	}
	var many abi.Batch
	tck.Select(b, picked, &many)
	return &many
}

// givenBeacons are beacons to look at rules with.
type givenBeacons struct {
	what    string
	rows    int
	columns func(fields []abi.Field, from, to int) *abi.Batch
	text    func(row int) string
}

// beacons are those of the files, else those of the tests, else random.
func (s *RuleSet) beacons(o ExplainOptions) (*givenBeacons, error) {
	if len(o.Inputs) > 0 {
		return s.beaconsOf(o.Inputs)
	}
	plan, what := s.Program.Plan(), "of the tests"
	var values [][]abi.Value
	var texts []string
	for _, v := range s.vectors {
		more, err := v.Rows(plan.Fields)
		if err != nil {
			return nil, err
		}
		values = append(values, more...)
		for i := range more {
			texts = append(texts, v.beacons(i))
		}
	}
	if len(values) == 0 {
		what = "random ones"
		values = variations(rand.New(rand.NewPCG(o.Seed, 0)), plan, nil, 1000, nil)
		for _, row := range values {
			texts = append(texts, beaconText(plan.Fields, row))
		}
	}
	return &givenBeacons{what: what, rows: len(values), text: func(row int) string { return texts[row] },
		columns: func(fields []abi.Field, from, to int) *abi.Batch {
			var b abi.Batch
			abi.Build(fields, inOrderOf(fields, plan, values[from:to]), &b)
			return &b
		}}, nil
}

func (s *RuleSet) beaconsOf(inputs []Input) (*givenBeacons, error) {
	all := beacon.NewBatch(fieldsOf(s.Program.Plan()))
	rows, err := decodable(all, inputs)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("the files have no beacon that can be decoded: is --format right?")
	}
	return &givenBeacons{what: "of the files", rows: len(rows), text: func(row int) string { return string(all.Row(rows[row]).Raw) },
		columns: func(fields []abi.Field, from, to int) *abi.Batch {
			var b abi.Batch
			all.Columns(fields, rows[from:to], &b)
			return &b
		}}, nil
}
