package plugin

import (
	"cmp"
	"fmt"
	"slices"
)

// Function is one function of a module.
type Function struct {
	Name string
	Size int // bytes of its code
}

// bySize are the functions with their names, the largest first.
func (m *moduleTypes) bySize() []Function {
	all := make([]Function, len(m.sizes))
	for i, size := range m.sizes {
		index := uint32(m.imported + i)
		name, ok := m.names[index]
		if !ok {
			name, ok = m.exported[index]
		}
		if !ok {
			name = fmt.Sprintf("function %d", index)
		}
		all[i] = Function{name, size}
	}
	slices.SortStableFunc(all, func(a, b Function) int { return cmp.Compare(b.Size, a.Size) })
	return all
}

// functionNames reads the names of functions in a section "name". One that is broken
// gives fewer names: engines do not look at it either.
func functionNames(section *reader) map[uint32]string {
	const functions = 1
	names := map[uint32]string{}
	r := &reader{rest: section.rest}
	for len(r.rest) > 0 && r.err == nil {
		id := r.byte()
		part := &reader{rest: r.bytes(r.u32())}
		if id == functions && r.err == nil {
			part.list(func() {
				index, name := part.u32(), part.text()
				if part.err == nil {
					names[index] = name
				}
			})
		}
	}
	return names
}
