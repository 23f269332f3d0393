package beacon

import (
	"errors"
	"fmt"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Projection is what is read of a source's beacons: its logical fields and a set
// of fields. It does not change and goroutines may share it.
type Projection struct {
	src    *Source
	name   []byte // of the source
	fields *Fields

	root  *node
	nodes int
	slots int // the fields, then what only locators need

	copies  []copied
	derived []derived
	clf     [clfNames]int // slot of each name, -1 if nobody asked for it

	time, tenant, session, id locator
	assignments               int // slot, -1 if the source has none
}

// copied is a field that is the same path as another.
type copied struct{ to, from int }

// derived is a field that is put together once the beacon is read.
type derived struct {
	field int
	name  string  // $time, $tenant, …; or empty and
	from  locator // a further name that joins paths or is constant
}

// locator is a compiled Locator.
type locator struct {
	slots    []int
	constant []byte
}

// NewProjection compiles what is to be read of src for fields. It fails where
// the format is unknown or a locator is of no use in its place.
func NewProjection(src *Source, f *Fields) (*Projection, error) {
	switch src.Format {
	case JSON, Query, CLF:
	default:
		return nil, fmt.Errorf("source %q: format %q is none of json, query, clf", src.Name, src.Format)
	}
	p := &Projection{src: src, name: []byte(src.Name), fields: f, slots: len(f.names), assignments: -1}
	t := newTrie()
	for i, name := range f.names {
		p.field(t, i, name)
	}
	p.time = p.locator(t, src.Time)
	p.tenant = p.locator(t, src.Tenant)
	p.session = p.locator(t, src.Session)
	p.id = p.locator(t, src.ID)
	switch paths := src.Assignments.Paths; {
	case src.Assignments.IsConst && len(paths) == 0 || len(paths) > 1:
		return nil, fmt.Errorf("source %q: %w", src.Name, errAssignments)
	case len(paths) == 1:
		p.assignments = p.slot(t, paths[0])
	}
	for i, name := range clfFields {
		p.clf[i] = -1
		if n := t.root.children[name]; n != nil {
			p.clf[i] = n.slot
		}
	}
	t.root.compile()
	p.root, p.nodes = t.root, t.nodes
	return p, nil
}

var errAssignments = errors.New("assignments cannot be joined or constant: give a single path")

// Source is the source that p reads.
func (p *Projection) Source() *Source { return p.src }

// field finds out where field i comes from.
func (p *Projection) field(t *trie, i int, name string) {
	switch name {
	case FieldTime, FieldTenant, FieldSession, FieldSource:
		p.derived = append(p.derived, derived{field: i, name: name})
		return
	}
	path := name
	if len(name) > 0 && name[:1] == pathMark {
		path = name[1:]
	} else if l, ok := p.src.Names[name]; ok {
		if len(l.Paths) != 1 {
			p.derived = append(p.derived, derived{field: i, from: p.locator(t, l)})
			return
		}
		path = l.Paths[0]
	}
	if n := t.at(path); n.slot < 0 {
		n.slot = i
	} else {
		p.copies = append(p.copies, copied{to: i, from: n.slot})
	}
}

// slot gives the slot of a path, a new one if no field has it.
func (p *Projection) slot(t *trie, path string) int {
	n := t.at(path)
	if n.slot < 0 {
		n.slot = p.slots
		p.slots++
	}
	return n.slot
}

func (p *Projection) locator(t *trie, l Locator) locator {
	if len(l.Paths) == 0 {
		return locator{constant: []byte(l.Const)}
	}
	c := locator{slots: make([]int, len(l.Paths))}
	for i, path := range l.Paths {
		c.slots[i] = p.slot(t, path)
	}
	return c
}

// text is the text of a value as far as it names something: nil where there is none.
func (v *Value) text() []byte {
	switch v.Kind {
	case abi.String, abi.Untyped, abi.Number, abi.True, abi.False:
		return v.Text
	}
	return nil
}
