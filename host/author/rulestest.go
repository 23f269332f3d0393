package author

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// TestRules runs the tests and golden vectors of rules through the definition of what
// rules mean, and through the module that they are built to; the two must answer the
// same to random beacons too, and the module is tried as Test tries one. An error is
// of rules that can not be built or of a file.
func TestRules(ctx context.Context, s *RuleSet, o TestOptions) (_ *Tested, err error) {
	code, err := s.Module()
	if err != nil {
		return nil, err
	}
	g, err := compileCode(ctx, s.Name, code, rulesFuel)
	if err != nil {
		return nil, fmt.Errorf("the module that the rules are built to: %w", err)
	}
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	t := &rulesTester{tester{guest: g, o: o, result: &Tested{Vectors: len(s.vectors)}}, s}
	for _, v := range s.vectors {
		t.vectors = append(t.vectors, v.Vector)
		if err := t.byReference(ctx, v); err != nil {
			return nil, err
		}
	}
	if len(t.result.Findings) > 0 {
		return t.result, nil // the module would answer the same
	}
	t.result.Held = 0
	t.say("the module")
	for _, v := range s.vectors {
		if err := t.vector(ctx, v.Vector); err != nil {
			return nil, err
		}
	}
	if err := t.alike(ctx); err != nil {
		return nil, err
	}
	return t.result, t.tryAll(ctx)
}

type rulesTester struct {
	tester
	set *RuleSet
}

// byReference runs a vector through the definition.
func (t *rulesTester) byReference(ctx context.Context, v *ruleVector) error {
	p := t.set.Program
	err := v.Run(p.Kind(), p.Plan(), func(b *abi.Batch, out *abi.Output) error { return p.Process(ctx, b, out) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		t.result.Held++
		return nil
	}
	for _, one := range split(err) {
		f := Finding{What: "golden vector", Why: one.Error()}
		var m *abi.Mismatch
		if errors.As(one, &m) {
			f = Finding{Expected: m.Want, Got: m.Got}
			switch {
			case m.Beacon >= 0:
				f.What, f.Beacon, f.Why = v.what(m.Beacon), v.beacons(m.Beacon), t.set.decided(v.Vector, m.Beacon)
			case m.Counter != "":
				f.What = v.what(0) + ", counter " + m.Counter
			default:
				f.What = v.what(0) + ", the end of the session"
			}
		}
		t.result.Findings = append(t.result.Findings, f)
	}
	return nil
}

// decided says which rules hold of a beacon, of a filter and a splitter the first.
func (s *RuleSet) decided(v *abi.Vector, beacon int) string {
	plan := s.Program.Plan()
	var b abi.Batch
	if len(plan.Cells) > 0 || v.Batch(plan.Fields, &b) != nil {
		return "" // what holds hangs on the beacons before
	}
	var holding []string
	for i, r := range s.Program.Checked() {
		if !r.When.Eval(expr.Row{Columns: b.Columns, Index: beacon}).Holds() {
			continue
		}
		holding = append(holding, s.rule(i))
		if s.Kind != abi.Extract {
			return "decided by " + holding[0]
		}
	}
	if holding == nil {
		return "no rule holds"
	}
	return "these rules hold: " + strings.Join(holding, "; ")
}

// alike compares what the module answers to random beacons with the definition.
func (t *rulesTester) alike(ctx context.Context) error {
	p := t.set.Program
	if len(p.Plan().Cells) > 0 || t.o.Random == 0 {
		return nil // of cells, the tests alone
	}
	instance, err := t.guest.instance(ctx, Settings{})
	if err != nil {
		return err
	}
	defer func() { _ = instance.Close(ctx) }()
	var rows [][]abi.Value
	for _, v := range t.vectors {
		more, err := v.Rows(p.Plan().Fields)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	random := variations(rand.New(rand.NewPCG(t.o.Seed, 1)), p.Plan(), rows, t.o.Random, words(t.vectors))
	t.result.Trials = append(t.result.Trials, Trial{Config: []byte("{}"), Beacons: "random beacons beside the definition", Rows: len(random)})
	return t.compare(ctx, instance.Plan(), random, instance.Process)
}

// compare asks the definition and the module about rows of values of the program's
// fields.
func (t *rulesTester) compare(ctx context.Context, planned *abi.Plan, rows [][]abi.Value, process func(context.Context, *abi.Batch, *abi.Output) error) error {
	p := t.set.Program
	want, err := answersTo(ctx, p.Plan(), p.Plan(), rows, p.Kind(), p.Process)
	if err != nil {
		return err
	}
	got, err := answersTo(ctx, p.Plan(), planned, rows, p.Kind(), process)
	if err != nil {
		f := Finding{What: "it fails (random beacons)"}
		f.failed(err)
		t.result.Findings = append(t.result.Findings, f)
		return ctx.Err()
	}
	for i := range rows {
		if got[i] != want[i] {
			t.result.Findings = append(t.result.Findings, Finding{
				What: "the module answers otherwise than the rules mean, which is a fault of Pharos", Beacon: beaconText(p.Plan().Fields, rows[i]), Expected: want[i], Got: got[i],
			})
		}
	}
	return nil
}

// answersTo are what is answered to rows of values of the fields of one plan, by what
// has the same fields in others' forms.
func answersTo(ctx context.Context, of, plan *abi.Plan, rows [][]abi.Value, kind abi.Kind, process func(context.Context, *abi.Batch, *abi.Output) error) ([]string, error) {
	var b abi.Batch
	var out abi.Output
	abi.Build(plan.Fields, inOrderOf(plan.Fields, of, rows), &b)
	err := process(ctx, &b, &out)
	if half := len(rows) / 2; half > 0 && tooLarge(err) {
		first, err := answersTo(ctx, of, plan, rows[:half], kind, process)
		if err != nil {
			return nil, err
		}
		second, err := answersTo(ctx, of, plan, rows[half:], kind, process)
		return append(first, second...), err
	}
	if err != nil {
		return nil, err
	}
	out.Measurements = slices.DeleteFunc(out.Measurements, func(m abi.Measurement) bool {
		bad := abi.IsBadValue(m.Value)
		if bad { // some say it of themselves
			out.BadValues = append(out.BadValues, m.Row)
		}
		return bad
	})
	return tck.Answers(kind, plan, len(rows), &out)
}

// inOrderOf are rows of values of a plan's fields as those of other fields.
func inOrderOf(fields []abi.Field, of *abi.Plan, rows [][]abi.Value) [][]abi.Value {
	own := make([][]abi.Value, len(rows))
	for i := range own {
		own[i] = make([]abi.Value, len(fields))
	}
	for j, f := range fields {
		if at := slices.IndexFunc(of.Fields, func(o abi.Field) bool { return o.Name == f.Name }); at >= 0 {
			for i, row := range rows {
				own[i][j] = row[at]
			}
		}
	}
	return own
}
