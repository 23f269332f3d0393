package fuel

import "slices"

// Stack is how many bytes of stack calls may take together. Frames are counted by what
// an engine may take for them at most, or half of that: compilers' code takes a fifth.
// So an engine that doubles its stack takes some 40 MB, whatever a module is made of,
// and 4 MB for real code.
const Stack = 8 << 20

// freeStack is how many bytes all functions that do not count their frames may take
// together, however they call each other.
const freeStack = 256 << 10

// What a frame takes, in bytes. An engine has a slot for each value that must outlive a
// call, or for which it has no register, and no two values share one. Values are those
// of instructions, and of variables where ways of control meet.
const (
	frameCost    = 192 // return address, registers that are saved
	localCost    = 8
	valueCost    = 2 // of an instruction: a value that is kept takes two to make and use
	variableCost = 4 // where ways meet
	widest       = 2 // times as much in a module with vectors
)

// stack is what a function takes of it, and whom it calls.
type stack struct {
	frame int
	pays  bool     // it counts its frame
	calls []uint32 // functions of the module: places among them
	types []uint32 // of functions that it calls by tables
}

// survey finds out what the function's frame takes, and whom it calls.
func (b *body) survey() {
	f := b.function
	f.frame = frameCost + localCost*int(b.locals) + valueCost*b.size.instructions + variableCost*b.meetings()
	for k := range b.code {
		switch i := &b.code[k]; i.op {
		case opCall, opReturnCall:
			if number := int(i.index); number >= b.module.imported {
				f.calls = append(f.calls, uint32(number-b.module.imported))
			}
		case opCallIndirect, opReturnCallIndirect:
			f.types = append(f.types, i.index)
		}
	}
	f.calls, f.types = distinct(f.calls), distinct(f.types)
}

func distinct(all []uint32) []uint32 {
	slices.Sort(all)
	return slices.Clip(slices.Compact(all))
}

// meetings is how many variables have a value of their own where ways of control meet:
// at a block, those that change within it. The fuel is one.
func (b *body) meetings() (n int) {
	type frame struct{ sets, values, globals int }
	frames := []frame{{}}
	for k := range b.code {
		i := &b.code[k]
		top := &frames[len(frames)-1]
		switch i.op {
		case opBlock, opLoop, opIf:
			frames = append(frames, frame{values: 1 + b.module.arity(i)})
		case opLocalSet, opLocalTee:
			top.sets++
		case opGlobalSet, opCall, opCallIndirect, opMemoryGrow, opBulk:
			top.globals = b.module.mutable
		case opEnd:
			n += min(top.sets, int(b.locals)) + top.values + top.globals
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				outer := &frames[len(frames)-1]
				outer.sets += top.sets
				outer.globals = max(outer.globals, top.globals)
			}
		}
	}
	return n
}

// planStack decides which functions count their frames: all that can call themselves,
// by whatever way, and of the others those with which a way would become too long.
func (m *module) planStack() {
	if m.wide {
		for i := range m.functions {
			m.functions[i].frame *= widest
		}
	}
	g := m.graph()
	free := make([]int, len(g.next)) // what functions that do not count take at most from here
	g.circles(func(nodes []int, circle bool) {
		below := 0
		for _, v := range nodes {
			for _, w := range g.next[v] {
				below = max(below, free[w]) // 0 of those in the same circle
			}
		}
		for _, v := range nodes {
			free[v] = below
			if v >= len(m.functions) {
				continue
			}
			f := &m.functions[v]
			f.pays = circle || below+f.frame > freeStack
			if !f.pays {
				free[v] += f.frame
			}
		}
	})
	for i := range m.functions {
		if f := &m.functions[i]; f.pays {
			m.resultType(m.types[m.typeOf[f.number]])
		}
	}
}

// graph tells who calls whom: functions, and behind them the types by which they are
// called where it is a table that says whom.
type graph struct{ next [][]uint32 }

func (m *module) graph() graph {
	byText := map[string]uint32{} // equal types are one
	nodes := make([]uint32, len(m.types))
	g := graph{next: make([][]uint32, len(m.functions), len(m.functions)+len(m.types))}
	for t, of := range m.types {
		node, known := byText[of.text]
		if !known {
			node = uint32(len(g.next))
			byText[of.text] = node
			g.next = append(g.next, nil)
		}
		nodes[t] = node
	}
	for i := range m.functions {
		f := &m.functions[i]
		for _, t := range f.types {
			if int(t) < len(nodes) {
				f.calls = append(f.calls, nodes[t])
			}
		}
		g.next[i] = f.calls
		if m.referred[uint32(f.number)] {
			node := nodes[m.typeOf[f.number]]
			g.next[node] = append(g.next[node], uint32(i))
		}
	}
	return g
}

// circles tells of all nodes in groups, those that reach each other together, and a
// group after all that it reaches. A circle can reach itself. (Tarjan's algorithm.)
func (g graph) circles(found func(nodes []int, circle bool)) {
	type visit struct{ node, edge int }
	var (
		order = make([]int, len(g.next)) // when it was seen first; 0: not yet
		low   = make([]int, len(g.next)) // the first that it reaches of those that are open
		open  []int
		way   []visit
		seen  int
	)
	const done = int(^uint(0) >> 1)
	enter := func(v int) {
		seen++
		order[v], low[v] = seen, seen
		open, way = append(open, v), append(way, visit{node: v})
	}
	for root := range g.next {
		if order[root] == 0 {
			enter(root)
		}
		for len(way) > 0 {
			at := &way[len(way)-1]
			v := at.node
			if at.edge < len(g.next[v]) {
				w := int(g.next[v][at.edge])
				at.edge++
				if order[w] == 0 {
					enter(w)
				} else {
					low[v] = min(low[v], order[w])
				}
				continue
			}
			way = way[:len(way)-1]
			if len(way) > 0 {
				before := way[len(way)-1].node
				low[before] = min(low[before], low[v])
			}
			if low[v] != order[v] {
				continue
			}
			first := len(open) - 1
			for open[first] != v {
				first--
			}
			group := open[first:]
			found(group, len(group) > 1 || slices.Contains(g.next[v], uint32(v)))
			for _, w := range group {
				order[w], low[w] = done, done
			}
			open = open[:first]
		}
	}
}

// resultType is how a block is written that gives what functions of a type give.
func (m *module) resultType(t functype) []byte {
	switch t.results {
	case 0:
		return []byte{emptyBlock}
	case 1:
		return t.given
	}
	at, known := m.moreAt[string(t.given)]
	if !known {
		at = len(m.more)
		m.moreAt[string(t.given)] = at
		m.more = append(m.more, append(appendU32([]byte{0x60, 0}, uint32(t.results)), t.given...))
	}
	return appendS64(nil, int64(len(m.types)+at))
}

// enter counts the function's frame. What follows is a block, so that all branches out
// of the function come to where the frame is given back.
func (w *writer) enter() {
	if !w.function.pays {
		return
	}
	w.frame(opI32Sub)
	w.op(opGlobalGet, w.module.globals+1)
	w.dst = append(w.dst, opI32Const, 0, opI32LtS, opIf, emptyBlock, opUnreachable, opEnd, opBlock)
	w.dst = append(w.dst, w.module.resultType(w.module.types[w.module.typeOf[w.function.number]])...)
}

// leave gives the function's frame back.
func (w *writer) leave(last bool) {
	if !w.function.pays {
		return
	}
	if last {
		w.dst = append(w.dst, opEnd)
	}
	w.frame(opI32Add)
}

func (w *writer) frame(op byte) {
	w.op(opGlobalGet, w.module.globals+1)
	w.dst = appendS64(append(w.dst, opI32Const), int64(w.function.frame))
	w.dst = append(w.dst, op)
	w.op(opGlobalSet, w.module.globals+1)
}
