package beacon

import "github.com/seed-6a2d649b/pharos/abi"

// entryTrie finds the parts of an entry {id, variant}, memberNode a single value.
var entryTrie, memberNode = func() (*node, *node) {
	t := newTrie()
	t.at("id").slot = 0
	t.at("variant").slot = 1
	t.root.compile()
	return t.root, &node{slot: 1}
}()

// fewAssignments is up to where a repeated experiment is looked for one by one.
const fewAssignments = 16

// assigned reads the assignments out of their value: [{id, variant}] or
// {experiment: variant}. Of any other form there are none, and entries of
// another form are skipped.
func (b *Batch) assigned(p *Projection, v Value) []Assignment {
	s, from := &b.inner, len(b.assignments)
	s.start(v.Text, b.parts[:], 0)
	i := 0
	switch {
	case v.Kind == abi.Array || v.Kind == abi.Object: // checked already
	case v.Kind == abi.Untyped && p.src.Format == Query:
		i = space(v.Text, 0)
		if end := s.value(i, nil, 0); end < 0 || space(v.Text, end) != len(v.Text) {
			return nil
		}
	default:
		return nil
	}
	switch v.Text[i] {
	case '[':
		b.entries(i)
	case '{':
		b.members(i, from)
	}
	if len(b.assignments) == from {
		return nil
	}
	return b.assignments[from:len(b.assignments):len(b.assignments)]
}

// entries reads a checked array from "[".
func (b *Batch) entries(i int) {
	s := &b.inner
	for i = space(s.data, i+1); s.data[i] != ']'; {
		if s.data[i] != '{' {
			i = s.value(i, nil, 1)
		} else {
			b.parts = [2]Value{}
			i = s.object(i, entryTrie, 1)
			if id, variant := b.parts[0].text(), b.parts[1].text(); len(id) > 0 && len(variant) > 0 {
				b.assignments = append(b.assignments, Assignment{id, variant})
			}
		}
		if i = space(s.data, i); s.data[i] == ',' {
			i = space(s.data, i+1)
		}
	}
}

// members reads a checked object from "{". Of a repeated experiment the last
// variant holds.
func (b *Batch) members(i, from int) {
	s := &b.inner
	for i = space(s.data, i+1); s.data[i] != '}'; {
		end, escaped := s.text(i + 1)
		experiment := s.data[i+1 : end : end]
		if escaped {
			experiment = b.unescape(experiment)
		}
		i = space(s.data, end+1) // the colon
		i = s.value(i+1, memberNode, 1)
		variant := b.parts[1].text()
		if at := b.repeated(from, experiment); at >= 0 {
			b.assignments[at].Variant = variant
		} else {
			b.assignments = append(b.assignments, Assignment{experiment, variant})
		}
		if i = space(s.data, i); s.data[i] == ',' {
			i = space(s.data, i+1)
		}
	}
	kept := b.assignments[:from]
	for _, a := range b.assignments[from:] {
		if len(a.Experiment) > 0 && len(a.Variant) > 0 {
			kept = append(kept, a)
		}
	}
	clear(b.assignments[len(kept):])
	b.assignments = kept
	clear(b.repeats)
}

// repeated gives the place of experiment among the assignments behind from, -1
// if it is new. It keeps a map where there are many, so that no beacon is slow.
func (b *Batch) repeated(from int, experiment []byte) int {
	all := b.assignments[from:]
	if len(all) < fewAssignments {
		for i := range all {
			if string(all[i].Experiment) == string(experiment) {
				return from + i
			}
		}
		return -1
	}
	if b.repeats == nil {
		b.repeats = map[string]int{}
	}
	if len(b.repeats) == 0 {
		for i := range all {
			b.repeats[string(all[i].Experiment)] = from + i
		}
	}
	if at, ok := b.repeats[string(experiment)]; ok {
		return at
	}
	b.repeats[string(experiment)] = from + len(all)
	return -1
}
