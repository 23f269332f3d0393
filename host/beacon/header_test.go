package beacon

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

var headers = []Header{
	{},
	{Topic: "beacons", Partition: 3, Offset: 300, Generation: 2, Watermark: 1569888000000},
	{Topic: strings.Repeat("t", 249), Partition: 1<<16 - 1, Offset: math.MaxInt64, Generation: math.MaxUint64, Watermark: math.MinInt64},
}

var marks = []Mark{
	{},
	{Generation: 2, Entries: []MarkEntry{{Topic: "a", Partition: 0, Partitions: 2, Watermark: math.MinInt64}, {Topic: "a", Partition: 1, Partitions: 2, Watermark: 5, Idle: true}}},
	{Generation: math.MaxUint64, Entries: []MarkEntry{{Partition: 1<<16 - 1, Partitions: 1 << 16, Watermark: math.MaxInt64}}},
}

var ends = []End{
	{Partitions: 1},
	{Generation: 2, Topic: "beacons", Partition: 3, Partitions: 4, Watermark: 1569888000000},
	{Generation: math.MaxUint64, Topic: strings.Repeat("t", 249), Partition: 1<<16 - 1, Partitions: 1 << 16, Watermark: math.MinInt64},
}

// TestWireForm pins the bytes: they are in topics that later versions read.
func TestWireForm(t *testing.T) {
	if got := hex.EncodeToString(headers[1].Append(nil)); got != "0107626561636f6e7303ac020280e0eec9b05b" {
		t.Errorf("header: %s", got)
	}
	if got := hex.EncodeToString(marks[1].Append(nil)); got != "0102020161000200ffffffffffffffffff0101610102010a" {
		t.Errorf("mark: %s", got)
	}
	if got := hex.EncodeToString(ends[1].Append(nil)); got != "010207626561636f6e73030480e0eec9b05b" {
		t.Errorf("end: %s", got)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, h := range headers {
		if got, err := ParseHeader(h.Append(nil)); err != nil || got != h {
			t.Errorf("%+v: %+v, %v", h, got, err)
		}
	}
	for _, m := range marks {
		if got, err := ParseMark(m.Append(nil)); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v: %+v, %v", m, got, err)
		}
	}
	for _, e := range ends {
		if got, err := ParseEnd(e.Append(nil)); err != nil || got != e {
			t.Errorf("%+v: %+v, %v", e, got, err)
		}
	}
}

func TestRefused(t *testing.T) {
	header, mark, end := headers[1].Append(nil), marks[1].Append(nil), ends[1].Append(nil)
	for i := range end {
		if _, err := ParseEnd(end[:i]); err == nil {
			t.Errorf("an end of %d of %d bytes is read", i, len(end))
		}
	}
	for _, b := range []string{string(end) + "\x00", string(End{Partition: 2, Partitions: 2}.Append(nil)), string(End{Partitions: 1<<16 + 1}.Append(nil))} {
		if _, err := ParseEnd([]byte(b)); err == nil {
			t.Errorf("end %x is read", b)
		}
	}
	for i := range header {
		if _, err := ParseHeader(header[:i]); err == nil {
			t.Errorf("a header of %d of %d bytes is read", i, len(header))
		}
	}
	for i := range mark {
		if _, err := ParseMark(mark[:i]); err == nil {
			t.Errorf("a mark of %d of %d bytes is read", i, len(mark))
		}
	}
	for name, b := range map[string]string{
		"version 2":               "\x02" + string(header[1:]),
		"behind the end":          string(header) + "\x00",
		"shortest form":           "\x01\x00\x80\x00\x00\x00\x00",
		"out of range":            "\x01\x00\xff\xff\xff\xff\x0f\x00\x00\x00",
		"number out of range":     "\x01\xfa\x01" + strings.Repeat("t", 250) + "\x00\x00\x00\x00",
		"ends too early":          "",
		"out of range of 64 bits": "",
	} {
		if name == "out of range of 64 bits" {
			name, b = "out of range", "\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00\x00"
		}
		if _, err := ParseHeader([]byte(b)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseHeader(Header{Partition: 1 << 16}.Append(nil)); !errors.Is(err, errRange) {
		t.Errorf("a partition beyond any: %v", err)
	}
	for _, b := range [][]byte{{2}, {9, 1}} {
		_, headerErr := ParseHeader(b)
		_, markErr := ParseMark(b)
		_, endErr := ParseEnd(b)
		if !errors.Is(headerErr, ErrVersion) || !errors.Is(markErr, ErrVersion) || !errors.Is(endErr, ErrVersion) {
			t.Errorf("a later version: %v, %v, %v", headerErr, markErr, endErr)
		}
	}
	for _, b := range []string{"\x00", "hello"} {
		if _, err := ParseHeader([]byte(b)); err == nil || errors.Is(err, ErrVersion) {
			t.Errorf("no version: %q: %v", b, err)
		}
	}
	for _, b := range []string{
		"\x01\x00\x81\x80\x04",             // too many entries
		"\x01\x00\x01\x00\x02\x02\x00\x00", // partition 2 of 2
		"\x01\x00\x01\x00\x00\x02\x02\x00", // idle 2
		string(Mark{Entries: []MarkEntry{{Partitions: 1<<16 + 1}}}.Append(nil)),
	} {
		if _, err := ParseMark([]byte(b)); err == nil {
			t.Errorf("%x is read", b)
		}
	}
}

func TestParseHeaderAgain(t *testing.T) {
	h := headers[1]
	b := h.Append(nil)
	if n := testing.AllocsPerRun(100, func() {
		if err := h.Parse(b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzWire holds that every encoding has one form, and that no bytes are too much.
func FuzzWire(f *testing.F) {
	for _, h := range headers {
		f.Add(h.Append(nil))
	}
	for _, m := range marks {
		f.Add(m.Append(nil))
	}
	for _, e := range ends {
		f.Add(e.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := ParseEnd(b); err == nil && !bytes.Equal(e.Append(nil), b) {
			t.Fatalf("%x is %+v, which is %x", b, e, e.Append(nil))
		}
		if h, err := ParseHeader(b); err == nil && !bytes.Equal(h.Append(nil), b) {
			t.Fatalf("%x is %+v, which is %x", b, h, h.Append(nil))
		}
		if m, err := ParseMark(b); err == nil && !bytes.Equal(m.Append(nil), b) {
			t.Fatalf("%x is %s, which is %x", b, fmt.Sprint(m), m.Append(nil))
		}
	})
}
