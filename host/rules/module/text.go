package module

import (
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	. "github.com/seed-6a2d649b/pharos/host/rules/asm" // so that instructions read as such
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// text is where a text is wanted: where it is, and whether there is one. Where
// there is none, it is some text that can be read.
type text struct {
	ptr, length Local
	constant    string
	at          uint32 // of a constant
	isConst     bool
	ours        bool // the locals are to be let go
	ok          Local
	sure        bool
	none        bool
}

func (t text) push(f *Func) {
	if t.isConst {
		f.I32(int32(t.at))
		f.I32(int32(len(t.constant)))
		return
	}
	f.Get(t.ptr)
	f.Get(t.length)
}

func (t text) pushOK(f *Func) {
	switch {
	case t.none:
		f.I32(0)
	case t.sure:
		f.I32(1)
	default:
		f.Get(t.ok)
	}
}

func (t text) free(f *Func) {
	if t.ours {
		f.Free(t.ptr, t.length)
	}
	if !t.sure && !t.none {
		f.Free(t.ok)
	}
}

// text computes an expression where a text is wanted.
func (s *scope) text(n *expr.Node) text {
	f := s.f
	of := s.of(n)
	if of.fixed {
		v := n.Eval(expr.Row{})
		t := text{isConst: true, at: dataStart, sure: v.IsText(), none: !v.IsText()}
		if t.sure {
			t.constant, t.at = string(v.Text), s.data.text(string(v.Text))
		}
		return t
	}
	if s.kindsOf(n)&expr.Text == 0 {
		return text{isConst: true, at: dataStart, none: true}
	}
	if s.outlined(n, asText) {
		t := text{ptr: f.Local(I32), length: f.Local(I32), ours: true, ok: f.Local(I32)}
		f.Set(t.ok)
		f.Set(t.length)
		f.Set(t.ptr)
		return t
	}
	return s.plainText(n)
}

func (s *scope) plainText(n *expr.Node) text {
	f := s.f
	switch n.Op {
	case expr.OpField:
		if s.entry != nil {
			return text{ptr: s.ptr, length: s.length, sure: true}
		}
		t := text{ptr: f.Local(I32), length: f.Local(I32), ours: true, ok: f.Local(I32)}
		s.fieldText(n.Path, t.ptr, t.length)
		s.kind(n)
		emitIsText(f)
		f.Set(t.ok)
		return t
	case expr.OpCond:
		t := text{ptr: f.Local(I32), length: f.Local(I32), ours: true, ok: f.Local(I32)}
		either := func(arg *expr.Node) {
			x := s.text(arg)
			x.push(f)
			f.Set(t.length)
			f.Set(t.ptr)
			x.pushOK(f)
			f.Set(t.ok)
			x.free(f)
		}
		s.condition(n.Args[0])
		f.If()
		either(n.Args[1])
		f.Else()
		either(n.Args[2])
		f.End()
		return t
	case expr.OpLowerASCII:
		t := s.text(n.Args[0])
		low := t
		low.ptr, low.length, low.isConst, low.ours = f.Local(I32), f.Local(I32), false, true
		t.push(f)
		f.Tee(low.length)
		s.buffer(s.of(n).id)
		f.Tee(low.ptr)
		f.Call(s.lower())
		if t.ours {
			f.Free(t.ptr, t.length)
		}
		return low
	}
	return text{isConst: true, at: dataStart, none: true}
}

// fieldText finds the text of a field in a row, by the column that there is for
// other reasons.
func (s *scope) fieldText(path string, ptr, length Local) {
	f := s.f
	if field := s.fields[path]; field == nil || !field.texts {
		s.emitText(f, s.column(path, abi.Str, false), s.row, ptr, length)
		return
	}
	c := s.column(path, abi.Str, true)
	code := f.Local(I32)
	f.Steady(s.word(c, abi.CDataAt))
	f.Get(s.row)
	f.I32(2)
	f.Op(I32Shl, I32Add)
	f.Memory(I32Load, 0)
	f.Set(code)
	s.emitText(f, c, code, ptr, length)
	f.Free(code)
}

// buffer pushes the address of the memory for what is made of a text: as much
// as a batch has, or the longest text in a rule.
func (s *scope) buffer(id int) {
	i, ok := s.buffers[id]
	if !ok {
		i = len(s.buffers)
		s.buffers[id] = i
	}
	s.f.Steady(s.buffersAt)
	s.f.Steady(s.bufferSize)
	s.f.I32(int32(i))
	s.f.Op(I32Mul, I32Add)
}

// test pushes what a method says of a text.
func (s *scope) test(n *expr.Node) {
	f := s.f
	a := s.text(n.Args[0])
	defer a.free(f)
	if a.none {
		f.I32(0)
		return
	}
	switch n.Op {
	case expr.OpMatches:
		a.push(f)
		f.Call(s.regexp(n.Regexp.String()))
	case expr.OpContainsAny:
		a.push(f)
		f.Call(s.substrings(n.Set))
	case expr.OpContainsIP:
		a.push(f)
		f.Call(s.networks(n.Networks))
	default:
		b := s.text(n.Args[1])
		defer b.free(f)
		if b.none {
			f.I32(0)
			return
		}
		needle, is := needleOf(n)
		switch {
		case is && s.entry != nil && s.entry.needles[needle]:
			f.GetWord(s.entry.found)
			f.If(I32)
		case is: // most texts lack it
			a.push(f)
			f.U64(0x0101010101010101 * uint64(rarest(needle)))
			f.Call(s.hasByte())
			f.If(I32)
		}
		a.push(f)
		b.push(f)
		switch n.Op {
		case expr.OpStartsWith:
			f.Call(s.prefix())
		case expr.OpEndsWith:
			f.Call(s.suffix())
		default:
			f.Call(s.contains())
		}
		if is {
			f.Else()
			f.I32(0)
			f.End()
		}
		if !b.sure {
			b.pushOK(f)
			f.Op(I32And)
		}
	}
	if !a.sure {
		a.pushOK(f)
		f.Op(I32And)
	}
}

// common are bytes of texts such as names, paths and sentences, by how often they
// are there, roughly; all others are rarer.
const common = "etaoinsr lhdcumfp/g.w-yb_v0123456789=k,xjqz"

// rarest is the byte of a text that is in other texts the least, probably.
func rarest(text string) byte {
	best, place := text[0], -1
	for i := range len(text) {
		at := strings.IndexByte(common, text[i])
		if at < 0 {
			return text[i]
		}
		if at > place {
			best, place = text[i], at
		}
	}
	return best
}
