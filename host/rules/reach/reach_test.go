package reach_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/rules/reach"
	"github.com/seed-6a2d649b/pharos/host/rules/rulestest"
)

// ruled compiles conditions to a splitter, each rule with a route of its own.
func ruled(t *testing.T, conditions ...string) *rules.Program {
	t.Helper()
	var list rules.Rules
	for i, when := range conditions {
		list.Split = append(list.Split, rules.Split{Route: fmt.Sprint("r", i), When: when})
	}
	p, err := rules.Compile(abi.Split, list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is said of the last of some conditions.
func TestReach(t *testing.T) {
	for _, c := range []struct {
		conditions []string
		want       string
	}{
		{[]string{`a == 1 && a == 2`}, "never"},
		{[]string{`a == "x" && a == 1`}, "never"}, // no text is both
		{[]string{`a == "1" && a == 1`}, "may"},   // an untyped text is
		{[]string{`a == "x" && a != "x"`}, "never"},
		{[]string{`a > 3 && a < 3`}, "never"},
		{[]string{`a > 3 && a < 4`}, "may"},
		{[]string{`a >= 3 && a <= 3 && a != 3`}, "never"},
		{[]string{`a > "b" && a < "a"`}, "never"},
		{[]string{`a.startsWith("x") && a.startsWith("y")`}, "never"},
		{[]string{`a.startsWith("x") && a == "y"`}, "never"},
		{[]string{`a.endsWith(".css") && a == "y"`}, "never"},
		{[]string{`a.endsWith(".min.css") && !a.endsWith(".css")`}, "never"},
		{[]string{`a.startsWith("xy") && !a.contains("y")`}, "never"},
		{[]string{`!has(a) && a == 1`}, "never"},
		{[]string{`a == null && has(a)`}, "never"},
		{[]string{`a && a == "true"`}, "never"},
		{[]string{`false`}, "never"},
		{[]string{`a < b && !(a < b)`}, "never"},
		{[]string{`a + 1 == 3 && a == 1`}, "may"}, // as an untyped 1 is not looked at closely
		{[]string{`a in ["x", "y"] && a in ["z"]`}, "never"},
		{[]string{`a == 0 && 1 / a > 0 && 1 / a < 0`}, "may"}, // 0 and -0 are one number here
		{[]string{`true`, `a == 1`}, "hidden by 0"},
		{[]string{`a == "x"`, `a == "x"`}, "hidden by 0"},
		{[]string{`a == "x"`, `b == 1 && a == "x"`}, "hidden by 0"},
		{[]string{`a == "x" || b == 1`, `a == "x"`}, "hidden by 0"},
		{[]string{`a in ["x", "y", 3]`, `a in ["y", 3]`}, "hidden by 0"},
		{[]string{`a in ["x", "y"]`, `a in ["y", "z"]`}, "may"},
		{[]string{`a > 1`, `a > 2`}, "hidden by 0"},
		{[]string{`a > 2`, `a > 1`}, "may"},
		{[]string{`a.startsWith("x")`, `a.startsWith("xy")`}, "hidden by 0"},
		{[]string{`a.endsWith(".css")`, `a.endsWith(".min.css")`}, "hidden by 0"},
		{[]string{`a.contains("b")`, `a == "abc"`}, "hidden by 0"},
		{[]string{`a.matches("^[a-z]+$")`, `a == "abc"`}, "hidden by 0"},
		{[]string{`a.matches("^[a-z]+$")`, `a.startsWith("abc")`}, "may"},
		{[]string{`a == "x"`, `a == "y"`, `a in ["x", "y"]`}, "hidden by 0, 1"},
		{[]string{`a <= 3`, `a > 3`, `has(a) && a >= 0`}, "hidden by 0, 1"},
		{[]string{`b == 1`, `a == "x"`, `!(a == "x")`, `c == 1`}, "hidden by 0, 1, 2"},
		{[]string{`!has(a)`, `a == 1`}, "may"},
	} {
		p := ruled(t, c.conditions...)
		r, last := reach.Analyze(p, nil), len(c.conditions)-1
		got := "may"
		if slices.Contains(r.Never, last) {
			got = "never"
		}
		for _, h := range r.Hidden {
			if h.Rule == last {
				got = "hidden by " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(h.By)), ", "), "[]")
			}
		}
		if got != c.want {
			t.Errorf("%q: %s, not %s", c.conditions, got, c.want)
		}
	}
}

// Two conditions, and a beacon of which both hold.
func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		conditions [2]string
		want       string // what the beacon has; empty: there is none
	}{
		{[2]string{`a == "x"`, `b == 3`}, `a="x" b=3`},
		{[2]string{`a == "x"`, `a == "y"`}, ""},
		{[2]string{`path.endsWith(".css")`, `path.startsWith("/x")`}, ""}, // there is one, which is not found
		{[2]string{`path.endsWith(".css")`, `agent in ["uptime"]`}, `path=".css" agent="uptime"`},
		{[2]string{`a > 2 && a < 5`, `a > 4`}, `a=4.5`},
		{[2]string{`!has(a)`, `b == true`}, `b=true`},
		{[2]string{`a == 1`, `a.b == 1`}, ""}, // no beacon has both
	} {
		p := ruled(t, c.conditions[:]...)
		got := ""
		for _, o := range reach.Analyze(p, nil).Overlaps {
			got = shown(p, o.Values)
		}
		if got != c.want {
			t.Errorf("%q: %s, not %s", c.conditions, got, c.want)
		}
	}
}

func shown(p *rules.Program, values []abi.Value) string {
	var all []string
	for i, v := range values {
		switch v.Kind {
		case abi.Missing:
		case abi.String:
			all = append(all, fmt.Sprintf("%s=%q", p.Plan().Fields[i].Name, v.Text))
		default:
			all = append(all, fmt.Sprintf("%s=%s", p.Plan().Fields[i].Name, v.Text))
		}
	}
	return strings.Join(all, " ")
}

// A beacon of the sample is taken before one is made.
// The work is bounded, of the longest list too: what is found by then is told.
func TestLongList(t *testing.T) {
	var list rules.Rules
	for i := range rules.MaxRules {
		list.Drop = append(list.Drop, rules.Drop{
			Reason: fmt.Sprint("r", i%200),
			When:   fmt.Sprintf(`a%d.contains("i%d") && b > %d || c.matches("x%d+") && !has(d%d)`, i%40, i, i, i, i%40),
		})
	}
	p, err := rules.Compile(abi.Filter, list)
	if err != nil {
		t.Fatal(err)
	}
	r := reach.Analyze(p, nil)
	if len(r.Never)+len(r.Hidden)+len(r.Unknown) > 0 || len(r.Overlaps) == 0 || r.More == 0 {
		t.Errorf("%d never, %d hidden, %d unknown, %d and %d overlaps", len(r.Never), len(r.Hidden), len(r.Unknown), len(r.Overlaps), r.More)
	}
}

func TestOverlapInTheSample(t *testing.T) {
	p := ruled(t, `path.endsWith(".css")`, `path.startsWith("/x")`)
	sample := rulestest.Batch(t, p.Plan().Fields, `{"path": "/y.css"}`, `{"path": "/x.css"}`, `{"path": "/x"}`)
	if o := reach.Analyze(p, sample).Overlaps; len(o) != 1 || o[0].Row != 1 {
		t.Errorf("%+v", o)
	}
	if holds, answers := reach.Held(p, sample); !slices.Equal(holds, []int{2, 2}) || !slices.Equal(answers, []int{2, 1}) {
		t.Errorf("%v %v", holds, answers)
	}
}

// Nothing that is said is wrong, of random rules and random beacons.
func TestReachIsSound(t *testing.T) {
	never, hidden, overlaps := 0, 0, 0
	for seed := range uint64(400) {
		author := &rulestest.Author{Rand: rand.New(rand.NewPCG(seed, 1))}
		kind, list := author.Rules(6)
		p, err := rules.Compile(kind, list)
		if err != nil || len(p.Plan().Cells) > 0 {
			continue
		}
		var b abi.Batch
		abi.Build(p.Plan().Fields, rulestest.Rows(rand.New(rand.NewPCG(seed, 2)), p.Plan().Fields, 300), &b)
		holds := func(rule, row int) bool {
			return p.Checked()[rule].When.Eval(expr.Row{Columns: b.Columns, Index: row}).Holds()
		}
		r := reach.Analyze(p, nil)
		never, hidden, overlaps = never+len(r.Never), hidden+len(r.Hidden), overlaps+len(r.Overlaps)
		for row := range b.Rows {
			for _, i := range r.Never {
				if holds(i, row) {
					t.Fatalf("seed %d: rule %d holds: %s", seed, i, reach.Text(p, p.Checked()[i].When))
				}
			}
			for _, h := range r.Hidden {
				if holds(h.Rule, row) && !slices.ContainsFunc(h.By, func(i int) bool { return holds(i, row) }) {
					t.Fatalf("seed %d: rule %d holds, and none of %v: %s", seed, h.Rule, h.By, reach.Text(p, p.Checked()[h.Rule].When))
				}
			}
		}
		for _, o := range r.Overlaps {
			var made abi.Batch
			abi.Build(p.Plan().Fields, [][]abi.Value{o.Values}, &made)
			for _, i := range []int{o.First, o.Second} {
				if !p.Checked()[i].When.Eval(expr.Row{Columns: made.Columns}).Holds() {
					t.Fatalf("seed %d: rule %d does not hold of its beacon", seed, i)
				}
			}
		}
	}
	if never == 0 || hidden == 0 || overlaps == 0 {
		t.Errorf("%d rules that never hold, %d hidden, %d overlaps: too few to show anything", never, hidden, overlaps)
	}
}

// A condition's text is a rule's, and means the same.
func TestText(t *testing.T) {
	for seed := range uint64(400) {
		author := &rulestest.Author{Rand: rand.New(rand.NewPCG(seed, 3))}
		kind, list := author.Rules(3)
		p, err := rules.Compile(kind, list)
		if err != nil || len(p.Plan().Cells) > 0 {
			continue
		}
		again := rules.Rules{Lists: list.Lists}
		for i, r := range p.Checked() {
			when := reach.Text(p, r.When)
			if strings.Contains(when, "cidr([") {
				when = "true" // a list of networks, which stands for its name
			}
			again.Split = append(again.Split, rules.Split{Route: fmt.Sprint(i), When: when})
		}
		q, err := rules.Compile(abi.Split, again)
		if err != nil {
			t.Fatalf("seed %d: %v\n%+v", seed, err, again.Split)
		}
		for i, r := range q.Checked() {
			if got, want := reach.Text(q, r.When), again.Split[i].When; got != want {
				t.Fatalf("seed %d: %s became %s", seed, want, got)
			}
		}
	}
}
