package reach

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// Bounds of the search for a beacon: values of each field, and beacons.
const (
	maxCandidates = 16
	maxWitnesses  = 256
	allWitnesses  = 50_000 // of all rules: what is not found by then is not said
)

// witness makes a beacon of which expressions hold, out of values that fulfil the
// literals; false where it finds none.
func (a *analysis) witness(c conjunction, hold ...*expr.Node) ([]abi.Value, bool) {
	left, some := c.left()
	if !some {
		return nil, false
	}
	var fields []int
	candidates := map[int][]abi.Value{}
	for field, classes := range left {
		fields = append(fields, field)
		candidates[field] = a.candidates(field, classes)
		if len(candidates[field]) == 0 {
			return nil, false
		}
	}
	slices.Sort(fields)
	row := make([]abi.Value, len(a.program.Plan().Fields))
	budget := min(maxWitnesses, a.witnesses)
	had := budget
	defer func() { a.witnesses -= 1 + had - budget }() // looking for none is work too
	var try func(at int) bool
	try = func(at int) bool {
		if at == len(fields) {
			budget--
			return a.isBeacon(row) && a.holdOf(row, hold)
		}
		for _, v := range candidates[fields[at]] {
			if row[fields[at]] = v; try(at + 1) {
				return true
			}
			if budget <= 0 {
				return false
			}
		}
		return false
	}
	return row, try(0)
}

// candidates are the values of some classes, those first that are likely to be what
// is looked for.
func (a *analysis) candidates(field int, classes bits) (all []abi.Value) {
	var found []class
	for i, c := range a.classes[field] {
		if classes.has(i) && utf8.Valid(c.value.Text) && c.value.Kind != abi.Untyped {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(x, y class) int { return cmp.Compare(rank(x), rank(y)) })
	for _, c := range found[:min(len(found), maxCandidates)] {
		all = append(all, c.value)
	}
	return all
}

func rank(c class) int {
	switch {
	case c.single && c.value.Kind == abi.String && len(c.value.Text) > 0:
		return 0
	case c.value.Kind == abi.Number:
		return 1
	case c.value.Kind == abi.String && len(c.value.Text) > 0:
		return 2
	case c.value.Kind == abi.True:
		return 3
	case c.value.Kind == abi.Missing:
		return 4
	}
	return 5
}

// isBeacon refuses values that no beacon has: where something is below a path, that
// has no value of its own.
func (a *analysis) isBeacon(row []abi.Value) bool {
	fields := a.program.Plan().Fields
	for i, f := range fields {
		for j, below := range fields {
			if row[i].Kind != abi.Missing && row[j].Kind != abi.Missing && strings.HasPrefix(below.Name, f.Name+".") {
				return false
			}
		}
	}
	return true
}

func (a *analysis) holdOf(row []abi.Value, hold []*expr.Node) bool {
	var b abi.Batch
	abi.Build(a.program.Plan().Fields, [][]abi.Value{row}, &b)
	for _, n := range hold {
		if !n.Eval(expr.Row{Columns: b.Columns}).Holds() {
			return false
		}
	}
	return true
}
