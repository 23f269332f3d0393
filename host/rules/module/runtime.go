package module

import (
	"math"

	. "github.com/seed-6a2d649b/pharos/host/rules/asm" //nolint:revive // instructions read as such
)

// runtime is the module's own routines, each there only if it is used.
type runtime struct {
	module   *Module
	routines map[string]*Func
}

// routine is the function of that name, emitted when it is first asked for.
func (r *runtime) routine(name string, params, results []Type, emit func(f *Func)) *Func {
	f, ok := r.routines[name]
	if !ok {
		f = r.module.Func(name, params, results)
		r.routines[name] = f
		emit(f)
	}
	return f
}

var (
	p2 = []Type{I32, I32}
	p3 = []Type{I32, I32, I32}
	p4 = []Type{I32, I32, I32, I32}
	i1 = []Type{I32}
)

// increase adds a constant to a local.
func increase(f *Func, l Local, by int32) {
	f.Get(l)
	f.I32(by)
	f.Op(I32Add)
	f.Set(l)
}

// same says whether two texts of one length are the same: (a, b, n) -> i32.
func (r *runtime) same() *Func {
	return r.routine("same", p3, i1, func(f *Func) {
		a, b, n := f.Param(0), f.Param(1), f.Param(2)
		differ := func(load MemoryOp, ne Op) {
			f.Get(a)
			f.Memory(load, 0)
			f.Get(b)
			f.Memory(load, 0)
			f.Op(ne)
			f.If()
			f.I32(0)
			f.Return()
			f.End()
		}
		chunks := func(size int32, load MemoryOp, ne Op) {
			done := f.Block()
			again := f.Loop()
			f.Get(n)
			f.I32(size)
			f.Op(I32LtU)
			f.BrIf(done)
			differ(load, ne)
			increase(f, a, size)
			increase(f, b, size)
			increase(f, n, -size)
			f.Br(again)
			f.End()
			f.End()
		}
		chunks(8, I64LoadUnaligned, I64Ne)
		chunks(1, I32Load8U, I32Ne)
		f.I32(1)
	})
}

// equal says whether two texts are the same: (a, aLen, b, bLen) -> i32.
func (r *runtime) equal() *Func {
	same := r.same()
	return r.routine("equal", p4, i1, func(f *Func) {
		f.Get(f.Param(1))
		f.Get(f.Param(3))
		f.Op(I32Ne)
		f.If()
		f.I32(0)
		f.Return()
		f.End()
		f.Get(f.Param(0))
		f.Get(f.Param(2))
		f.Get(f.Param(1))
		f.Call(same)
	})
}

// compare orders two texts by bytes: (a, aLen, b, bLen) -> less than, equal to
// or more than 0.
func (r *runtime) compare() *Func {
	return r.routine("compare", p4, i1, func(f *Func) {
		a, an, b, bn := f.Param(0), f.Param(1), f.Param(2), f.Param(3)
		n, i, d := f.Local(I32), f.Local(I32), f.Local(I32)
		f.Get(an)
		f.Get(bn)
		f.Get(an)
		f.Get(bn)
		f.Op(I32LtU, Select)
		f.Set(n)
		done := f.Block()
		again := f.Loop()
		f.Get(i)
		f.Get(n)
		f.Op(I32GeU)
		f.BrIf(done)
		for _, p := range []Local{a, b} {
			f.Get(p)
			f.Get(i)
			f.Op(I32Add)
			f.Memory(I32Load8U, 0)
		}
		f.Op(I32Sub)
		f.Tee(d)
		f.If()
		f.Get(d)
		f.Return()
		f.End()
		increase(f, i, 1)
		f.Br(again)
		f.End()
		f.End()
		f.Get(an)
		f.Get(bn)
		f.Op(I32GtU)
		f.Get(an)
		f.Get(bn)
		f.Op(I32LtU, I32Sub)
	})
}

// prefix says whether a text starts with another: (a, aLen, b, bLen) -> i32.
func (r *runtime) prefix() *Func { return r.edge("prefix", false) }

// suffix says whether a text ends with another: (a, aLen, b, bLen) -> i32.
func (r *runtime) suffix() *Func { return r.edge("suffix", true) }

func (r *runtime) edge(name string, end bool) *Func {
	same := r.same()
	return r.routine(name, p4, i1, func(f *Func) {
		a, an, b, bn := f.Param(0), f.Param(1), f.Param(2), f.Param(3)
		f.Get(an)
		f.Get(bn)
		f.Op(I32LtU)
		f.If()
		f.I32(0)
		f.Return()
		f.End()
		f.Get(a)
		if end {
			f.Get(an)
			f.Op(I32Add)
			f.Get(bn)
			f.Op(I32Sub)
		}
		f.Get(b)
		f.Get(bn)
		f.Call(same)
	})
}

// runes counts the code points of a text in UTF-8: (a, n) -> i32. They are the
// bytes that continue none.
func (r *runtime) runes() *Func {
	return r.routine("runes", p2, i1, func(f *Func) {
		a, n := f.Param(0), f.Param(1)
		count, x := f.Local(I32), f.Local(I64)
		f.Get(n)
		f.Set(count)
		done := f.Block()
		again := f.Loop()
		f.Get(n)
		f.I32(8)
		f.Op(I32LtU)
		f.BrIf(done)
		f.Get(count)
		f.Get(a)
		f.Memory(I64LoadUnaligned, 0)
		f.Tee(x)
		f.I64(7)
		f.Op(I64ShrU)
		f.Get(x)
		f.I64(6)
		f.Op(I64ShrU)
		f.I64(-1)
		f.Op(I64Xor, I64And)
		f.I64(0x0101010101010101)
		f.Op(I64And, I64Popcnt, I32WrapI64, I32Sub)
		f.Set(count)
		increase(f, a, 8)
		increase(f, n, -8)
		f.Br(again)
		f.End()
		f.End()
		done = f.Block()
		again = f.Loop()
		f.Get(n)
		f.Op(I32Eqz)
		f.BrIf(done)
		f.Get(count)
		f.Get(a)
		f.Memory(I32Load8U, 0)
		f.I32(0xC0)
		f.Op(I32And)
		f.I32(0x80)
		f.Op(I32Eq, I32Sub)
		f.Set(count)
		increase(f, a, 1)
		increase(f, n, -1)
		f.Br(again)
		f.End()
		f.End()
		f.Get(count)
	})
}

// lower writes a text with A to Z made a to z: (from, n, to).
func (r *runtime) lower() *Func {
	return r.routine("lower", p3, nil, func(f *Func) {
		from, n, to := f.Param(0), f.Param(1), f.Param(2)
		c := f.Local(I32)
		done := f.Block()
		again := f.Loop()
		f.Get(n)
		f.Op(I32Eqz)
		f.BrIf(done)
		f.Get(to)
		f.Get(from)
		f.Memory(I32Load8U, 0)
		f.Tee(c)
		f.Get(c)
		f.I32('A')
		f.Op(I32Sub)
		f.I32(26)
		f.Op(I32LtU)
		f.I32(5)
		f.Op(I32Shl, I32Add)
		f.Memory(I32Store8, 0)
		increase(f, from, 1)
		increase(f, to, 1)
		increase(f, n, -1)
		f.Br(again)
		f.End()
		f.End()
	})
}

// contains says whether a text has another within it: (h, hLen, n, nLen) -> i32.
// It is the two-way search of Crochemore and Perrin: linear whatever the texts,
// without memory.
func (r *runtime) contains() *Func {
	same := r.same()
	factor := r.maximalSuffix()
	return r.routine("contains", p4, i1, func(f *Func) {
		h, hn, n, nn := f.Param(0), f.Param(1), f.Param(2), f.Param(3)
		end, ms, p, ms2, p2, mem, mem0, k := f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32)
		f.Get(nn)
		f.Op(I32Eqz)
		f.If()
		f.I32(1)
		f.Return()
		f.End()
		f.Get(h)
		f.Get(hn)
		f.Op(I32Add)
		f.Set(end)
		// The critical factorization: the later of the two maximal suffixes.
		for i, to := range [][2]Local{{ms, p}, {ms2, p2}} {
			f.Get(n)
			f.Get(nn)
			f.I32(int32(i))
			f.Call(factor)
			f.Set(to[1])
			f.Set(to[0])
		}
		f.Get(ms2)
		f.Get(ms)
		f.Op(I32GtS)
		f.If()
		f.Get(ms2)
		f.Set(ms)
		f.Get(p2)
		f.Set(p)
		f.End()
		// Is the needle periodic?
		f.Get(n)
		f.Get(n)
		f.Get(p)
		f.Op(I32Add)
		f.Get(ms)
		f.I32(1)
		f.Op(I32Add)
		f.Call(same)
		f.If()
		f.Get(nn)
		f.Get(p)
		f.Op(I32Sub)
		f.Set(mem0)
		f.Else()
		f.Get(ms)
		f.Get(nn)
		f.Get(ms)
		f.Op(I32Sub)
		f.I32(1)
		f.Op(I32Sub)
		f.Tee(k)
		f.Get(ms)
		f.Get(k)
		f.Op(I32GtS, Select)
		f.I32(1)
		f.Op(I32Add)
		f.Set(p)
		f.End()
		at := func(base, i Local, offset int32) {
			f.Get(base)
			f.Get(i)
			f.Op(I32Add)
			if offset != 0 {
				f.I32(offset)
				f.Op(I32Add)
			}
			f.Memory(I32Load8U, 0)
		}
		search := f.Loop()
		f.Get(end)
		f.Get(h)
		f.Op(I32Sub)
		f.Get(nn)
		f.Op(I32LtU)
		f.If()
		f.I32(0)
		f.Return()
		f.End()
		// The right half, from left to right.
		f.Get(ms)
		f.I32(1)
		f.Op(I32Add)
		f.Tee(k)
		f.Get(mem)
		f.Get(k)
		f.Get(mem)
		f.Op(I32GtS, Select)
		f.Set(k)
		done := f.Block()
		again := f.Loop()
		f.Get(k)
		f.Get(nn)
		f.Op(I32GeS)
		f.BrIf(done)
		at(n, k, 0)
		at(h, k, 0)
		f.Op(I32Ne)
		f.BrIf(done)
		increase(f, k, 1)
		f.Br(again)
		f.End()
		f.End()
		f.Get(k)
		f.Get(nn)
		f.Op(I32LtS)
		f.If()
		f.Get(h)
		f.Get(k)
		f.Get(ms)
		f.Op(I32Sub, I32Add)
		f.Set(h)
		f.I32(0)
		f.Set(mem)
		f.Br(search)
		f.End()
		// The left half, from right to left.
		f.Get(ms)
		f.I32(1)
		f.Op(I32Add)
		f.Set(k)
		done = f.Block()
		again = f.Loop()
		f.Get(k)
		f.Get(mem)
		f.Op(I32LeS)
		f.BrIf(done)
		at(n, k, -1)
		at(h, k, -1)
		f.Op(I32Ne)
		f.BrIf(done)
		increase(f, k, -1)
		f.Br(again)
		f.End()
		f.End()
		f.Get(k)
		f.Get(mem)
		f.Op(I32LeS)
		f.If()
		f.I32(1)
		f.Return()
		f.End()
		f.Get(h)
		f.Get(p)
		f.Op(I32Add)
		f.Set(h)
		f.Get(mem0)
		f.Set(mem)
		f.Br(search)
		f.End()
		f.Op(Unreachable)
	})
}

// maximalSuffix gives where the maximal suffix of a text begins, less 1, and its
// period: (n, nLen, reversed) -> (i32, i32), by the order of bytes or the
// reversed one.
func (r *runtime) maximalSuffix() *Func {
	return r.routine("maximal_suffix", p3, []Type{I32, I32}, func(f *Func) {
		n, nn, reversed := f.Param(0), f.Param(1), f.Param(2)
		ip, jp, k, p, a, b := f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32), f.Local(I32)
		set := func(l Local, v int32) {
			f.I32(v)
			f.Set(l)
		}
		set(ip, -1)
		set(k, 1)
		set(p, 1)
		done := f.Block()
		again := f.Loop()
		f.Get(jp)
		f.Get(k)
		f.Op(I32Add)
		f.Get(nn)
		f.Op(I32GeS)
		f.BrIf(done)
		for _, x := range []struct{ to, i Local }{{a, ip}, {b, jp}} {
			f.Get(n)
			f.Get(x.i)
			f.Op(I32Add)
			f.Get(k)
			f.Op(I32Add)
			f.Memory(I32Load8U, 0)
			f.Set(x.to)
		}
		f.Get(a)
		f.Get(b)
		f.Op(I32Eq)
		f.If()
		f.Get(k)
		f.Get(p)
		f.Op(I32Eq)
		f.If()
		f.Get(jp)
		f.Get(p)
		f.Op(I32Add)
		f.Set(jp)
		set(k, 1)
		f.Else()
		increase(f, k, 1)
		f.End()
		f.Br(again)
		f.End()
		f.Get(a)
		f.Get(b)
		f.Op(I32GtU)
		f.Get(reversed)
		f.Op(I32Xor)
		f.If()
		f.Get(jp)
		f.Get(k)
		f.Op(I32Add)
		f.Set(jp)
		set(k, 1)
		f.Get(jp)
		f.Get(ip)
		f.Op(I32Sub)
		f.Set(p)
		f.Else()
		f.Get(jp)
		f.Set(ip)
		increase(f, jp, 1)
		set(k, 1)
		set(p, 1)
		f.End()
		f.Br(again)
		f.End()
		f.End()
		f.Get(ip)
		f.Get(p)
	})
}

// mod is the exact remainder with the sign of x, as C's fmod: (x, y) -> f64.
func (r *runtime) mod() *Func {
	return r.routine("mod", []Type{F64, F64}, []Type{F64}, func(f *Func) {
		x, y := f.Param(0), f.Param(1)
		ux, uy, ex, ey, sign := f.Local(I64), f.Local(I64), f.Local(I64), f.Local(I64), f.Local(I64)
		shift := f.Local(I64)
		answer := func(emit func()) {
			f.If()
			emit()
			f.Return()
			f.End()
		}
		const magnitude = math.MaxInt64
		bits := func(from Local, to Local) {
			f.Get(from)
			f.Op(I64ReinterpretF64)
			f.I64(magnitude)
			f.Op(I64And)
			f.Set(to)
		}
		bits(x, ux)
		bits(y, uy)
		f.Get(x)
		f.Op(I64ReinterpretF64)
		f.I64(math.MinInt64)
		f.Op(I64And)
		f.Set(sign)
		infinite := int64(math.Float64bits(math.Inf(1)))
		f.Get(uy)
		f.Op(I64Eqz)
		f.Get(uy)
		f.I64(infinite)
		f.Op(I64GtU, I32Or)
		f.Get(ux)
		f.I64(infinite)
		f.Op(I64GeU, I32Or)
		answer(func() { f.F64(math.NaN()) })
		f.Get(ux)
		f.Get(uy)
		f.Op(I64LtU)
		answer(func() { f.Get(x) })
		// As m * 2^e, with the leading bit of m at 52.
		normalize := func(u, e Local) {
			f.Get(u)
			f.I64(52)
			f.Op(I64ShrU)
			f.Tee(e)
			f.Op(I64Eqz)
			f.If()
			f.Get(u)
			f.Op(I64Clz)
			f.I64(11)
			f.Op(I64Sub)
			f.Set(shift)
			f.Get(u)
			f.Get(shift)
			f.Op(I64Shl)
			f.Set(u)
			f.I64(1)
			f.Get(shift)
			f.Op(I64Sub)
			f.Set(e)
			f.Else()
			f.Get(u)
			f.I64(1<<52 - 1)
			f.Op(I64And)
			f.I64(1 << 52)
			f.Op(I64Or)
			f.Set(u)
			f.End()
		}
		normalize(ux, ex)
		normalize(uy, ey)
		// Eleven bits of the quotient at a time.
		f.Get(ux)
		f.Get(uy)
		f.Op(I64RemU)
		f.Set(ux)
		done := f.Block()
		again := f.Loop()
		f.Get(ex)
		f.Get(ey)
		f.Op(I64LeS)
		f.BrIf(done)
		f.Get(ex)
		f.Get(ey)
		f.Op(I64Sub)
		f.Tee(shift)
		f.I64(11)
		f.Get(shift)
		f.I64(11)
		f.Op(I64LtS, Select)
		f.Set(shift)
		f.Get(ux)
		f.Get(shift)
		f.Op(I64Shl)
		f.Get(uy)
		f.Op(I64RemU)
		f.Set(ux)
		f.Get(ex)
		f.Get(shift)
		f.Op(I64Sub)
		f.Set(ex)
		f.Br(again)
		f.End()
		f.End()
		f.Get(ux)
		f.Op(I64Eqz)
		answer(func() {
			f.Get(sign)
			f.Op(F64ReinterpretI64)
		})
		// Back to a double.
		f.Get(ux)
		f.Op(I64Clz)
		f.I64(11)
		f.Op(I64Sub)
		f.Set(shift)
		f.Get(ux)
		f.Get(shift)
		f.Op(I64Shl)
		f.Set(ux)
		f.Get(ey)
		f.Get(shift)
		f.Op(I64Sub)
		f.Tee(ex)
		f.I64(0)
		f.Op(I64GtS)
		f.If(I64)
		f.Get(ux)
		f.I64(1 << 52)
		f.Op(I64Sub)
		f.Get(ex)
		f.I64(52)
		f.Op(I64Shl, I64Or)
		f.Else()
		f.Get(ux)
		f.I64(1)
		f.Get(ex)
		f.Op(I64Sub, I64ShrU)
		f.End()
		f.Get(sign)
		f.Op(I64Or, F64ReinterpretI64)
	})
}

// hash mixes a text: (a, n) -> i64. It is hashText, which builds the tables.
func (r *runtime) hash() *Func {
	return r.routine("hash", p2, []Type{I64}, func(f *Func) {
		a, n := f.Param(0), f.Param(1)
		h := f.Local(I64)
		mix := func() { // of h and what is on the stack
			f.Get(h)
			f.Op(I64Xor)
			f.I64(hashFactor)
			f.Op(I64Mul)
			f.Tee(h)
			f.Get(h)
			f.I64(32)
			f.Op(I64ShrU, I64Xor)
			f.Set(h)
		}
		f.Get(n)
		f.Op(I64ExtendI32U)
		mix()
		done := f.Block()
		again := f.Loop()
		f.Get(n)
		f.I32(8)
		f.Op(I32LtU)
		f.BrIf(done)
		f.Get(a)
		f.Memory(I64LoadUnaligned, 0)
		mix()
		increase(f, a, 8)
		increase(f, n, -8)
		f.Br(again)
		f.End()
		f.End()
		f.Get(n)
		f.I32(4)
		f.Op(I32GeU)
		f.If()
		f.Get(a)
		f.Memory(I32LoadUnaligned, 0)
		f.Op(I64ExtendI32U)
		f.Get(a)
		f.Get(n)
		f.Op(I32Add)
		f.I32(4)
		f.Op(I32Sub)
		f.Memory(I32LoadUnaligned, 0)
		f.Op(I64ExtendI32U)
		f.I64(32)
		f.Op(I64Shl, I64Or)
		mix()
		f.Else()
		done = f.Block()
		again = f.Loop()
		f.Get(n)
		f.Op(I32Eqz)
		f.BrIf(done)
		f.Get(a)
		f.Memory(I32Load8U, 0)
		f.Op(I64ExtendI32U)
		mix()
		increase(f, a, 1)
		increase(f, n, -1)
		f.Br(again)
		f.End()
		f.End()
		f.End()
		f.Get(h)
	})
}

const hashFactor = -0x61c8864680b583eb // 2^64 divided by the golden ratio, odd

// hashText is what the module's hash gives of a text.
func hashText(text string) uint64 {
	factor := int64(hashFactor)
	var h uint64
	mix := func(x uint64) {
		h = (h ^ x) * uint64(factor)
		h ^= h >> 32
	}
	little := func(s string) (x uint64) {
		for i := len(s) - 1; i >= 0; i-- {
			x = x<<8 | uint64(s[i])
		}
		return x
	}
	mix(uint64(len(text)))
	for ; len(text) >= 8; text = text[8:] {
		mix(little(text[:8]))
	}
	if len(text) >= 4 {
		mix(little(text[:4]) | little(text[len(text)-4:])<<32)
		return h
	}
	for i := range len(text) {
		mix(uint64(text[i]))
	}
	return h
}
