package asm

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/tetratelabs/wazero"
)

// build is a module with a function of every form of control and of operand.
func build() []byte {
	m := &Module{}
	divide := m.Func("divide", []Type{I32, I32}, []Type{I32, I32})
	const count, step = Word(16), Word(24)

	f := m.Func("sum", []Type{I32}, []Type{I64})
	n, sum := f.Param(0), f.Local(I64)
	f.Loops()
	done := f.Block()
	again := f.Loop()
	f.Get(n)
	f.Op(I32Eqz)
	f.BrIf(done)
	f.Get(sum)
	f.Get(n)
	f.Op(I64ExtendI32U, I64Add)
	f.Steady(step)
	f.Op(I64ExtendI32U, I64Add)
	f.Set(sum)
	f.Get(n)
	f.I32(-1)
	f.Op(I32Add)
	f.Set(n)
	f.Br(again)
	f.End()
	f.End()
	f.Get(sum)
	m.Export("sum", f)

	divide.Get(divide.Param(0))
	divide.Get(divide.Param(1))
	divide.Op(I32DivU)
	divide.Get(divide.Param(0))
	divide.Get(divide.Param(1))
	divide.Op(I32RemU)
	m.Export("divide", divide)

	pick := m.Func("pick", []Type{I32}, []Type{F64})
	outer := pick.Block(F64)
	var labels []Label
	for range 3 {
		labels = append(labels, pick.Block())
	}
	pick.Get(pick.Param(0))
	pick.BrTable([]Label{labels[2], labels[1]}, labels[0])
	for i := range 3 {
		pick.End()
		pick.F64(float64(i) + 0.5)
		pick.Br(outer)
	}
	pick.End()
	m.Export("pick", pick)

	counter := m.Func("counter", nil, []Type{I32, I32})
	counter.GetWord(count)
	counter.I32(0)
	counter.Memory(I32Load, 8)
	counter.Op(I32Add)
	counter.SetWord(count)
	counter.I32(7)
	counter.I32(2)
	counter.Call(divide)
	counter.Op(Drop)
	counter.GetWord(count)
	m.Export("counter", counter)
	m.Data(8, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0xFB, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 9})
	m.Memory("memory", 1)
	m.Custom("producers", Producers("test", "1"))
	return m.Bytes()
}

func TestModulesDoWhatWasEmitted(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	code := build()
	if !bytes.Equal(code, build()) {
		t.Error("the same calls give other bytes")
	}
	m, err := r.Instantiate(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	sumOf := func(n uint64) uint64 { return n*(n+1)/2 + 9*n }
	for _, c := range []struct {
		name string
		args []uint64
		want []uint64
	}{
		{"sum", []uint64{0}, []uint64{0}},
		{"sum", []uint64{100}, []uint64{sumOf(100)}},
		{"sum", []uint64{3}, []uint64{sumOf(3)}},
		{"divide", []uint64{17, 5}, []uint64{3, 2}},
		{"pick", []uint64{0}, []uint64{math.Float64bits(0.5)}},
		{"pick", []uint64{1}, []uint64{math.Float64bits(1.5)}},
		{"pick", []uint64{9}, []uint64{math.Float64bits(2.5)}},
		{"counter", nil, []uint64{3, math.MaxUint32 - 3}},
		{"counter", nil, []uint64{3, math.MaxUint32 - 2}},
	} {
		got, err := m.ExportedFunction(c.name).Call(ctx, c.args...)
		if err != nil {
			t.Fatalf("%s%v: %v", c.name, c.args, err)
		}
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("%s%v is %v, want %v", c.name, c.args, got, c.want)
			}
		}
	}
	if name := m.ExportedFunction("sum").Definition().Name(); name != "sum" {
		t.Errorf("the function is called %q in the name section", name)
	}
}

// Locals that are let go are used again, and only by who asks for their type.
func TestLocalsAreUsedAgain(t *testing.T) {
	f := (&Module{}).Func("f", []Type{I32}, nil)
	a, b := f.Local(I32), f.Local(F64)
	f.Free(a, b)
	if got := f.Local(F64); got != b {
		t.Errorf("local %d, want %d", got, b)
	}
	if got := f.Local(I64); got == a || got == b {
		t.Errorf("local %d is of another type", got)
	}
	if got := f.Local(I32); got != a {
		t.Errorf("local %d, want %d", got, a)
	}
}
