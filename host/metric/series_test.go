package metric

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// anySeries draws series that often have parts in common.
func anySeries() *rapid.Generator[*Series] {
	text := rapid.SampledFrom([]string{"", "a", "b", "ab", "a\x00b", "é", "\xff", "|", `"\`})
	labels := rapid.Custom(func(t *rapid.T) []Label {
		var out []Label
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p", "q", "pq", ""}), 0, 3, rapid.ID[string]).Draw(t, "names") {
			out = append(out, Label{name, rapid.SampledFrom([]string{"a", "b", "qa", "\x01"}).Draw(t, "value")})
		}
		return out
	})
	return rapid.Custom(func(t *rapid.T) *Series {
		s := &Series{
			Tenant: text.Draw(t, "tenant"), Experiment: text.Draw(t, "experiment"), Variant: text.Draw(t, "variant"),
			Status: text.Draw(t, "status"), Point: text.Draw(t, "point"),
			Attributes: labels.Draw(t, "attributes"), Dims: labels.Draw(t, "dims"),
		}
		slices.SortFunc(s.Dims, compareLabel)
		return s
	})
}

func key(s *Series) string { return string(s.AppendKey(nil)) }

func TestSeriesKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anySeries().Draw(t, "a"), anySeries().Draw(t, "b")
		same := key(a) == key(b)
		if same != (a.Compare(b) == 0) || same != (!a.Less(b) && !b.Less(a)) {
			t.Fatalf("keys equal: %v, compare %d", same, a.Compare(b))
		}
		if a.Compare(b) != -b.Compare(a) {
			t.Fatal("the order is not antisymmetric")
		}
		if got := AppendFigureJSON(nil, a, 0, Figure{}); same && !bytes.Equal(got, AppendFigureJSON(nil, b, 0, Figure{})) {
			t.Fatal("one series, two lines")
		}
		c := a.Clone()
		slices.Reverse(c.Attributes)
		slices.Reverse(c.Dims)
		c.Dims = append(c.Dims, Label{"none", ""})
		if key(c) != key(a) || c.Hash() != a.Hash() || c.Compare(a) != 0 {
			t.Fatal("the order of labels or an empty one makes another key")
		}
		if p := PartitionOf(a, 4); p < 0 || p > 3 {
			t.Fatalf("partition %d of 4", p)
		}
	})
}

// A key read back gives every part: so no two series share one.
func TestSeriesKeyIsInjective(t *testing.T) {
	seen := map[string]Series{}
	for _, s := range []Series{
		{Tenant: "a", Experiment: "b"}, {Tenant: "ab"}, {Experiment: "ab"}, {Tenant: "a", Point: "b"},
		{Dims: []Label{{"a", "b"}}}, {Attributes: []Label{{"a", "b"}}}, {Dims: []Label{{"ab", "c"}}}, {Dims: []Label{{"a", "bc"}}},
		{Dims: []Label{{"a", "b"}, {"c", "d"}}}, {Dims: []Label{{"a", "b"}}, Attributes: []Label{{"c", "d"}}},
		{Tenant: "\x01b", Experiment: ""}, {Tenant: "", Experiment: "\x01b"},
	} {
		if other, ok := seen[key(&s)]; ok {
			t.Errorf("%+v has the key of %+v", s, other)
		}
		seen[key(&s)] = s
	}
}

func TestSeriesOrder(t *testing.T) {
	want := []Series{
		{Tenant: "a", Point: "z", Dims: []Label{{"p", "x"}}},
		{Tenant: "b", Point: "order"},
		{Tenant: "b", Point: "order", Attributes: []Label{{"img", "1"}}},
		{Tenant: "b", Point: "order", Dims: []Label{{"p", "x"}}},
		{Tenant: "b", Point: "order", Dims: []Label{{"p", "x"}}, Attributes: []Label{{"img", "1"}}},
		{Tenant: "b", Point: "order", Dims: []Label{{"p", "x"}, {"q", "x"}}},
		{Tenant: "b", Point: "order", Dims: []Label{{"p", "y"}}},
		{Tenant: "b", Point: "visit"},
		{Tenant: "b", Status: "x"},
		{Tenant: "b", Experiment: "e"},
	}
	for i := range want {
		for j := range want {
			if want[i].Less(&want[j]) != (i < j) {
				t.Errorf("%+v before %+v: %v", want[i], want[j], want[i].Less(&want[j]))
			}
		}
	}
}

func TestSelector(t *testing.T) {
	s := &Series{Tenant: "shop", Experiment: "e", Status: Assigned, Point: "order"}
	for _, c := range []struct {
		sel  Selector
		want bool
	}{
		{Selector{Tenant: "shop"}, true},
		{Selector{Tenant: "other"}, false},
		{Selector{Tenant: "shop", Status: Qualified}, false},
		{Selector{Tenant: "shop", Status: Assigned, Experiments: []string{"d", "e"}, Points: []string{"order"}}, true},
		{Selector{Tenant: "shop", Experiments: []string{"d"}}, false},
		{Selector{Tenant: "shop", Points: []string{"visit"}}, false},
	} {
		if got := c.sel.Matches(s); got != c.want {
			t.Errorf("%+v: %v", c.sel, got)
		}
	}
	sel := Selector{From: 3, To: 5, Stats: []string{StatSum}}
	if sel.Holds(2) || !sel.Holds(3) || !sel.Holds(4) || sel.Holds(5) || sel.WantsStat(StatHits) || !sel.WantsStat(StatSum) {
		t.Error("bounds or stats")
	}
}
