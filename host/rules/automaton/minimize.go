package automaton

// partition is states in blocks. A block's states lie together, the marked
// ones first.
type partition struct {
	states []uint32 // block by block
	place  []uint32 // by state: where it is in states
	block  []uint32 // by state
	first  []uint32 // by block: where it begins in states
	end    []uint32
	marked []uint32 // by block: how many
}

// mark marks a state, and says whether it is the first of its block.
func (p *partition) mark(s uint32) bool {
	b := p.block[s]
	to := p.first[b] + p.marked[b]
	from := p.place[s]
	if from < to {
		return false
	}
	other := p.states[to]
	p.states[to], p.states[from] = s, other
	p.place[s], p.place[other] = to, from
	p.marked[b]++
	return p.marked[b] == 1
}

// split makes the marked states of a block one of their own, and gives its
// number. There is none if all were marked.
func (p *partition) split(b uint32) (uint32, bool) {
	n := p.marked[b]
	p.marked[b] = 0
	if n == p.end[b]-p.first[b] {
		return 0, false
	}
	created := uint32(len(p.first))
	begins := p.first[b]
	p.first = append(p.first, begins)
	p.end = append(p.end, begins+n)
	p.marked = append(p.marked, 0)
	p.first[b] += n
	for _, s := range p.states[begins : begins+n] {
		p.block[s] = created
	}
	return created, true
}

func (p *partition) size(b uint32) uint32 { return p.end[b] - p.first[b] }

// inverse is the transitions of a graph backwards: the states that lead to s by
// class c are from[begin[c*(n+1)+s]:begin[c*(n+1)+s+1]], of n states.
type inverse struct {
	begin, from []uint32
	row         int
}

func (g *graph) inverse() inverse {
	n := g.states()
	v := inverse{make([]uint32, g.classes*(n+1)), make([]uint32, len(g.next)), n + 1}
	for i, t := range g.next {
		v.begin[i%g.classes*v.row+int(t)]++
	}
	sum := uint32(0)
	for i, count := range v.begin {
		sum += count
		v.begin[i] = sum
	}
	for i := len(g.next) - 1; i >= 0; i-- {
		at := &v.begin[i%g.classes*v.row+int(g.next[i])]
		*at--
		v.from[*at] = uint32(i / g.classes)
	}
	return v
}

func (v inverse) of(s uint32, class int) []uint32 {
	i := class*v.row + int(s)
	return v.from[v.begin[i]:v.begin[i+1]]
}

// minimize merges the states that accept the same rests of texts (Hopcroft).
func (g *graph) minimize() *graph {
	p, v := g.byFinal(), g.inverse()
	// Pairs of a block and a class, by which others are still to be split.
	var todo []uint32
	pending := make([]bool, g.states()*g.classes)
	push := func(b uint32, class int) {
		i := int(b)*g.classes + class
		if !pending[i] {
			pending[i] = true
			todo = append(todo, uint32(i))
		}
	}
	for b := range p.first {
		for class := range g.classes {
			push(uint32(b), class)
		}
	}
	var sources, touched []uint32
	for len(todo) > 0 {
		i := int(todo[len(todo)-1])
		todo = todo[:len(todo)-1]
		pending[i] = false
		splitter, class := i/g.classes, i%g.classes
		sources, touched = sources[:0], touched[:0]
		for _, s := range p.states[p.first[splitter]:p.end[splitter]] {
			sources = append(sources, v.of(s, class)...)
		}
		for _, s := range sources {
			if p.mark(s) {
				touched = append(touched, p.block[s])
			}
		}
		for _, b := range touched {
			created, ok := p.split(b)
			if !ok {
				continue
			}
			smaller := created
			if p.size(b) < p.size(created) {
				smaller = b
			}
			for class := range g.classes {
				if pending[int(b)*g.classes+class] {
					push(created, class)
				} else {
					push(smaller, class)
				}
			}
		}
	}
	return g.merge(p)
}

// byFinal has one block for each kind of state at the end of a text.
func (g *graph) byFinal() *partition {
	n := g.states()
	p := &partition{
		states: make([]uint32, n), place: make([]uint32, n), block: make([]uint32, n),
		first: []uint32{0}, end: []uint32{uint32(n)}, marked: []uint32{0},
	}
	for s := range p.states {
		p.states[s], p.place[s] = uint32(s), uint32(s)
	}
	for s, final := range g.final {
		if final {
			p.mark(uint32(s))
		}
	}
	if p.marked[0] > 0 {
		p.split(0)
	}
	return p
}

// merge makes each block one state.
func (g *graph) merge(p *partition) *graph {
	m := &graph{class: g.class, classes: g.classes, start: p.block[g.start]}
	for _, first := range p.first {
		s := p.states[first]
		for _, t := range g.row(s) {
			m.next = append(m.next, p.block[t])
		}
		m.final = append(m.final, g.final[s])
	}
	return m
}
