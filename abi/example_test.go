package abi

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the example of SPEC.md anew")

const exampleMark = "<!-- example -->\n"

// TestSpecExample generates the worked example of SPEC.md and compares.
func TestSpecExample(t *testing.T) {
	spec, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	head, have, ok := strings.Cut(string(spec), exampleMark)
	if !ok {
		t.Fatalf("SPEC.md has no %q", exampleMark)
	}
	want := example(t)
	if *update {
		if err := os.WriteFile("SPEC.md", []byte(head+exampleMark+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != want {
		t.Errorf("the example of SPEC.md is not what the package writes: go test ./abi -run TestSpecExample -update")
	}
}

func example(t *testing.T) string {
	const planText = `{"fields": [{"name": "type", "type": "str", "dict": true}, {"name": "price", "type": "f64"},
            {"name": "qty", "type": "i64"}, {"name": "member", "type": "bool"}, {"name": "img", "type": "str"},
            {"name": "q", "type": "any"}],
 "points": [{"name": "order"}, {"name": "click", "attributes": ["image", "slot"]}],
 "counters": ["clicks"]}`
	beacons := []string{
		`{"type": "buy", "price": 1.5, "qty": 2, "member": true}`,
		`{"type": "click", "img": "a.png", "q": [1]}`,
		`{"type": "buy", "price": "free", "qty": 1e3, "member": false, "q": null}`,
	}
	plan, err := ParsePlan(Extract, []byte(planText))
	if err != nil {
		t.Fatal(err)
	}
	v := &Vector{}
	for _, b := range beacons {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(b), &m); err != nil {
			t.Fatal(err)
		}
		v.Beacons = append(v.Beacons, m)
	}
	var b Batch
	if err := v.Batch(plan.Fields, &b); err != nil {
		t.Fatal(err)
	}
	l := NewLayout(Extract, plan)
	size, err := l.Place(&b, Capacity{Measurements: 4, Tuples: 2, Text: 16})
	if err != nil {
		t.Fatal(err)
	}
	mem := make([]byte, size)
	l.Write(mem, &b)

	names := areas(l, plan)
	names[l.measurements], names[l.tuples], names[l.text] = "measurements (4 fit)", "tuples (2 fit)", "text (16 bytes)"

	var s strings.Builder
	fmt.Fprintf(&s, "\n```json\n%s\n```\n\nThe beacons:\n\n```json\n%s\n```\n", planText, strings.Join(beacons, "\n"))
	fmt.Fprintf(&s, "\nThe batch before the call, %d bytes, with room for 4 measurements, 2 tuples and 16 bytes of text:\n\n```\n", size)
	dump(&s, names, mem, nil)
	s.WriteString("```\n")

	before := bytes.Clone(mem)
	exampleGuest(mem)
	s.WriteString("\nWhat the guest writes: an order of 3 at row 0; a click at row 1 with the image from the column's bytes and the slot `top` from the text output; an order without a number at row 2; one click counted.\n\n```\n")
	dump(&s, names, mem, before)
	var out Output
	if err := l.Read(mem, &out); err != nil {
		t.Fatal(err)
	}
	s.WriteString("```\n\nAs the expect of a golden vector, without the counter:\n\n```json\n[")
	for row := range uint32(3) {
		if row > 0 {
			s.WriteString(", ")
		}
		if row == 2 {
			s.WriteString(`[{"point":"order","value":null}]`)
			continue
		}
		s.WriteString(extracted(plan, &out, row))
	}
	s.WriteString("]\n```\n")
	if got := extracted(plan, &out, 2); got != "[] and 1 bad values" || out.Counters[0] != 1 {
		t.Errorf("row 2 is %s, the counter %d", got, out.Counters[0])
	}
	sessionsExample(t, &s)
	return s.String()
}

// areas names what begins at each position of the batch that was placed last.
func areas(l *Layout, plan *Plan) map[int]string {
	names := map[int]string{0: "header", HeaderSize: "column descriptors"}
	for i, p := range l.columns {
		n := "column " + l.fields()[i].Name
		names[p.valid] = n + ": valid"
		if p.data > 0 {
			names[p.data] = n + ": data"
		}
		if p.offsets > 0 {
			names[p.offsets] = n + ": offsets"
			if p.bytesLen > 0 {
				names[p.bytes] = n + ": bytes"
			}
		}
	}
	if len(plan.Cells) > 0 {
		names[l.cellsAt], names[l.slotsAt] = "cell descriptors", "slots"
		for i, c := range plan.Cells {
			names[l.cells+8*l.slots*i] = "cell " + c.Name
		}
	}
	if len(plan.Counters) > 0 {
		names[l.counters] = "counters"
	}
	return names
}

// dump writes a batch, or what of it is not as before.
func dump(s *strings.Builder, names map[int]string, mem, before []byte) {
	name := ""
	for at := 0; at < len(mem); at += 8 {
		if n, ok := names[at]; ok {
			name = n
		}
		if before != nil && bytes.Equal(before[at:at+8], mem[at:at+8]) {
			continue
		}
		if name != "" {
			fmt.Fprintf(s, "%s\n", name)
			name = ""
		}
		fmt.Fprintf(s, "  %4d  % x\n", at, mem[at:at+8])
	}
}

// sessionsExample is an extractor with cells, and its close function.
func sessionsExample(t *testing.T, s *strings.Builder) {
	const planText = `{"fields": [{"name": "price", "type": "f64"}], "points": [{"name": "order"}, {"name": "spent"}],
 "cells": [{"name": "orders", "type": "i64"}, {"name": "spent", "type": "f64"}]}`
	plan, err := ParsePlan(Extract, []byte(planText))
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	Build(plan.Fields, [][]Value{{{Number, []byte("1.5")}}, {{Number, []byte("4")}}, {{Number, []byte("2")}}}, &b)
	b.Sessions = Sessions{Slots: []uint32{0, 1, 0}, Cells: [][]uint64{{0, 3}, {0, math.Float64bits(10)}}}
	l := NewLayout(Extract, plan)
	place := func(b *Batch) []byte {
		size, err := l.Place(b, Capacity{Measurements: 3})
		if err != nil {
			t.Fatal(err)
		}
		mem := make([]byte, size)
		l.Write(mem, b)
		return mem
	}
	mem := place(&b)
	fmt.Fprintf(s, "\n### Session state\n\nAn extractor with this plan gets three beacons with the prices 1.5, 4 and 2, the second of a session that has had 3 orders for 10:\n\n```json\n%s\n```\n\n```\n", planText)
	names := areas(l, plan)
	names[l.measurements] = "measurements (3 fit)"
	dump(s, names, mem, nil)
	before := bytes.Clone(mem)
	binary.LittleEndian.PutUint32(mem[HMeasurementCount:], 3)
	for i, price := range []float64{1.5, 4, 2} {
		at := l.measurements + i*MeasurementSize
		binary.LittleEndian.PutUint32(mem[at+MRow:], uint32(i))
		binary.LittleEndian.PutUint64(mem[at+MValue:], math.Float64bits(price))
		orders, spent := mem[l.cells+8*int(b.Slots[i]):], mem[l.cells+8*l.slots+8*int(b.Slots[i]):]
		binary.LittleEndian.PutUint64(orders, binary.LittleEndian.Uint64(orders)+1)
		binary.LittleEndian.PutUint64(spent, math.Float64bits(math.Float64frombits(binary.LittleEndian.Uint64(spent))+price))
	}
	s.WriteString("```\n\nIt measures three orders, and adds each up in the cells of its session:\n\n```\n")
	dump(s, names, mem, before)
	var out Output
	if err := l.Read(mem, &out); err != nil {
		t.Fatal(err)
	}
	closed := Closed{
		First: []int64{1700000000000}, Last: []int64{1700000060000}, Counts: [][]int64{{2}, {0}},
		Sessions: Sessions{Slots: []uint32{0}, Cells: [][]uint64{out.Cells[0][:1], out.Cells[1][:1]}},
	}
	var ended Batch
	closed.Batch(0, 1, &ended)
	mem = place(&ended)
	s.WriteString("```\n\nWhen the first session ends, a minute after it began, `pharos_close` gets:\n\n```\n")
	names = areas(l, plan)
	names[l.measurements] = "measurements (3 fit)"
	dump(s, names, mem, nil)
	s.WriteString("```\n")
}

// exampleGuest finds everything by the header, as a guest must.
func exampleGuest(mem []byte) {
	u32 := func(at uint32) uint32 { return binary.LittleEndian.Uint32(mem[at:]) }
	put := func(at, v uint32) { binary.LittleEndian.PutUint32(mem[at:], v) }
	img := u32(HColumnsAt) + 4*ColumnSize
	imgOffsets, imgBytes := u32(img+COffsetsAt), u32(img+CBytesAt)
	tuple, text, counter := u32(HTuplesAt), u32(HTextAt), u32(HCountersAt)
	copy(mem[text:], "top")
	put(tuple+VAt, imgBytes+u32(imgOffsets+4))
	put(tuple+VLen, u32(imgOffsets+8)-u32(imgOffsets+4))
	put(tuple+8+VAt, text)
	put(tuple+8+VLen, 3)
	for i, m := range []Measurement{{0, 0, 0, 3}, {1, 1, 1, 1}, {2, 0, 0, math.NaN()}} {
		at := u32(HMeasurementsAt) + uint32(i)*MeasurementSize
		put(at+MRow, m.Row)
		put(at+MPoint, m.Point)
		put(at+MAttributes, m.Attributes)
		put(at+MZero, 0)
		binary.LittleEndian.PutUint64(mem[at+MValue:], math.Float64bits(m.Value))
	}
	put(HMeasurementCount, 3)
	put(HTupleCount, 1)
	put(HTextCount, 3)
	put(counter, u32(counter)+1)
}
