package query

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// link finds, for each formula, the metrics that it needs and the order in
// which formulas are computed. Formulas that need themselves are faults, each
// cycle once, with its path.
func (s *space) link() (faults []error) {
	const (
		fresh = iota
		open  // on the path
		done
	)
	state := make([]int, len(s.formulas))
	var path []int
	var visit func(i int)
	visit = func(i int) {
		switch state[i] {
		case done:
			return
		case open:
			faults = append(faults, s.cycle(path[slices.Index(path, i):]))
			return
		}
		state[i] = open
		path = append(path, i)
		f := s.formulas[i]
		metrics := map[int]bool{}
		for _, slot := range f.uses {
			switch {
			case slot < len(s.Metrics):
				metrics[slot] = true
			case slot < len(s.Metrics)+len(s.formulas):
				j := slot - len(s.Metrics)
				visit(j)
				for _, m := range s.formulas[j].metrics {
					metrics[m] = true
				}
				f.order = appendNew(f.order, s.formulas[j].order...)
			}
		}
		f.metrics = slices.Sorted(maps.Keys(metrics))
		f.order = appendNew(f.order, i)
		path = path[:len(path)-1]
		state[i] = done
	}
	for i := range s.formulas {
		visit(i)
	}
	return faults
}

// cycle describes a cycle, from the formula that comes first in the config.
func (s *space) cycle(path []int) error {
	at := slices.Index(path, slices.Min(path))
	var names []string
	for i := range path {
		names = append(names, s.formulas[path[(at+i)%len(path)]].Name)
	}
	names = append(names, names[0])
	e := &FormulaError{Keyspace: s.Name, Formula: names[0], Line: 1, Column: 1}
	e.Message = fmt.Sprintf("formulas need each other in a cycle: %s", strings.Join(names, " → "))
	next := names[1]
	if at := findName(s.formula(names[0]).Expr, next); at >= 0 {
		e.Line, e.Column = position(s.formula(names[0]).Expr, at)
	}
	return e
}

func appendNew(list []int, more ...int) []int {
	for _, v := range more {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
