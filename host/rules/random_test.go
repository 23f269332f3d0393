package rules_test

import (
	"context"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/rules/rulestest"
)

// TestRandomRules: whatever rules are made of beacons, every expression comes to a
// kind that it is said to come to, and answers do not hang on how rows are batched.
func TestRandomRules(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	used := map[expr.Op]int{}
	for range 150 {
		kind, list := (&rulestest.Author{Rand: r}).Rules(1 + r.IntN(6))
		p, err := rules.Compile(kind, list)
		if err != nil {
			t.Fatalf("seed %d: %v\n%+v", seed, err, list)
		}
		var b abi.Batch
		rows := rulestest.Rows(r, p.Plan().Fields, 20)
		abi.Build(p.Plan().Fields, rows, &b)
		rulestest.Sessions(r, p.Plan(), &b)
		for _, rule := range p.Checked() {
			check := func(n *expr.Node) {
				n.Walk(func(n *expr.Node) { used[n.Op]++ })
				for i := range b.Rows {
					row := expr.Row{Columns: b.Columns, Index: i, Cells: b.Cells}
					if len(b.Slots) > 0 {
						row.Slot = b.Slots[i]
					}
					if v := n.Eval(row); !n.Kinds().Has(v.Kind) {
						t.Fatalf("seed %d: a rule of\n%+v\ncomes to %s", seed, list, rulestest.Show(v))
					}
				}
			}
			check(rule.When)
			if rule.Value != nil {
				check(rule.Value)
			}
			for _, set := range rule.Sets {
				check(set.Value)
			}
		}
		if kind == abi.Extract {
			closed := rulestest.Closed(r, p.Plan(), 5)
			for _, rule := range p.Closing() {
				rule.When.Walk(func(n *expr.Node) { used[n.Op]++ })
			}
			if err := p.Process(context.Background(), closed, &abi.Output{}); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		var whole abi.Output
		if err := p.Process(context.Background(), &b, &whole); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		alone(t, p, rows, &b, &whole)
	}
	for op := expr.OpConst; op <= expr.OpTimePart; op++ {
		if used[op] == 0 {
			t.Errorf("seed %d: operation %d is in no rule", seed, op)
		}
	}
}

// TestDefinitionIsItsExpression: a definition means what its expression means in
// brackets.
func TestDefinitionIsItsExpression(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		kind, list := (&rulestest.Author{Rand: r}).Rules(1 + r.IntN(4))
		with, err := rules.Compile(kind, list)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		inlined, err := rules.Compile(kind, inline(list))
		if err != nil {
			t.Fatalf("seed %d: %v\n%+v", seed, err, inline(list))
		}
		var outs [2]abi.Output
		rows := rulestest.Rows(r, with.Plan().Fields, 20)
		var b abi.Batch
		abi.Build(with.Plan().Fields, rows, &b)
		rulestest.Sessions(r, with.Plan(), &b)
		for i, p := range []*rules.Program{with, inlined} {
			if err := p.Process(context.Background(), &b, &outs[i]); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if diff := cmp.Diff(&outs[0], &outs[1], cmpopts.EquateNaNs(), cmpopts.IgnoreUnexported(abi.Output{})); diff != "" {
			t.Fatalf("seed %d: %s\n%+v", seed, diff, list)
		}
	}
}

var names = regexp.MustCompile(`\b(shared|total|name)\b`)

// inline puts definitions in the place of their names.
func inline(list rules.Rules) rules.Rules {
	var expand func(source string) string
	expand = func(source string) string {
		return names.ReplaceAllStringFunc(source, func(name string) string { return "(" + expand(list.Let[name]) + ")" })
	}
	out := rules.Rules{Cells: list.Cells, Lists: list.Lists, Close: list.Close}
	for _, d := range list.Drop {
		out.Drop = append(out.Drop, rules.Drop{Reason: d.Reason, When: expand(d.When)})
	}
	for _, s := range list.Split {
		out.Split = append(out.Split, rules.Split{Route: s.Route, When: expand(s.When)})
	}
	for _, e := range list.Extract {
		e.When, e.Value = expand(e.When), expand(e.Value)
		set := map[string]string{}
		for cell, source := range e.Set {
			set[cell] = expand(source)
		}
		e.Set = set
		out.Extract = append(out.Extract, e)
	}
	return out
}

// alone asks the program about each row of a batch alone, and compares.
func alone(t *testing.T, p *rules.Program, rows [][]abi.Value, b *abi.Batch, whole *abi.Output) {
	t.Helper()
	cells, measured := b.Cells, 0
	for i := range rows {
		var one abi.Batch
		var out abi.Output
		abi.Build(p.Plan().Fields, rows[i:i+1], &one)
		if len(cells) > 0 {
			one.Slots, one.Cells = b.Slots[i:i+1], cells
		}
		if err := p.Process(context.Background(), &one, &out); err != nil {
			t.Fatal(err)
		}
		cells = out.Cells
		switch p.Kind() {
		case abi.Filter:
			if abi.Bit(out.Keep, 0) != abi.Bit(whole.Keep, i) || out.Reasons[0] != whole.Reasons[i] {
				t.Fatalf("row %d is filtered otherwise", i)
			}
		case abi.Split:
			if out.Routes[0] != whole.Routes[i] {
				t.Fatalf("row %d is routed otherwise", i)
			}
		default:
			for _, m := range out.Measurements {
				if w := whole.Measurements[measured]; int(w.Row) != i || w.Point != m.Point {
					t.Fatalf("row %d is measured otherwise", i)
				}
				measured++
			}
		}
	}
	for i := range cells {
		for slot := range cells[i] {
			if cells[i][slot] != whole.Cells[i][slot] {
				t.Fatalf("cell %d of session %d: %x, and %x of rows alone", i, slot, whole.Cells[i][slot], cells[i][slot])
			}
		}
	}
}
