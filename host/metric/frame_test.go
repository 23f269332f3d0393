package metric

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

func anyFrame() *rapid.Generator[*Frame] {
	text := rapid.SampledFrom([]string{"", "web", "é", "\xff\x00", "mobile"})
	num := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, -1, math.MinInt64, math.MaxInt64}))
	return rapid.Custom(func(t *rapid.T) *Frame {
		f := &Frame{Host: text.Draw(t, "host"), Generation: rapid.Uint64().Draw(t, "generation")}
		for range rapid.IntRange(0, 5).Draw(t, "deltas") {
			f.Deltas = append(f.Deltas, Delta{
				Series: anySeries().Draw(t, "series"), Minute: num.Draw(t, "minute"),
				Figure: Figure{Hits: num.Draw(t, "hits"), Sessions: num.Draw(t, "sessions"), Sum: IntOfBig(bigs().Draw(t, "sum")), SumSq: IntOfBig(bigs().Draw(t, "sumsq"))},
			})
		}
		for range rapid.IntRange(0, 3).Draw(t, "counts") {
			f.Counts = append(f.Counts, Count{Tenant: text.Draw(t, "tenant"), Outcome: Outcome(rapid.Byte().Draw(t, "outcome")), Reason: text.Draw(t, "reason"), N: num.Draw(t, "n")})
		}
		for range rapid.IntRange(0, 3).Draw(t, "progress") {
			n := rapid.Int32Range(1, MaxPartitions).Draw(t, "partitions")
			p := Progress{Route: text.Draw(t, "route"), Partition: rapid.Int32Range(0, n-1).Draw(t, "partition"), Partitions: n, Offset: num.Draw(t, "offset"), Watermark: num.Draw(t, "watermark"), Generation: rapid.Uint64().Draw(t, "generation named"), Closed: rapid.Bool().Draw(t, "closed")}
			copy(p.TopicID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "topic id"))
			f.Progress = append(f.Progress, p)
		}
		return f
	})
}

// sameFrame compares frames by value.
func sameFrame(t interface {
	Helper()
	Fatalf(string, ...any)
}, got, want *Frame) {
	t.Helper()
	if got.Host != want.Host || got.Generation != want.Generation || len(got.Deltas) != len(want.Deltas) || len(got.Counts) != len(want.Counts) || len(got.Progress) != len(want.Progress) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i, d := range want.Deltas {
		g := got.Deltas[i]
		if key(g.Series) != key(d.Series) || g.Minute != d.Minute || !g.Figure.Equal(d.Figure) {
			t.Fatalf("delta %d: got %+v, want %+v", i, g, d)
		}
	}
	for i, c := range want.Counts {
		if got.Counts[i] != c {
			t.Fatalf("count %d: got %+v, want %+v", i, got.Counts[i], c)
		}
	}
	for i, p := range want.Progress {
		if got.Progress[i] != p {
			t.Fatalf("progress %d: got %+v, want %+v", i, got.Progress[i], p)
		}
	}
}

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFrame().Draw(t, "frame")
		b := f.Append([]byte("before"))
		got, err := ParseFrame(b[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		sameFrame(t, got, f)
	})
}

// A field that a later version adds is skipped; another version is refused.
func TestFrameVersions(t *testing.T) {
	f := &Frame{Host: "a", Progress: []Progress{{Route: "web", Partitions: 1, Watermark: 0}}}
	b := f.Append(nil)
	later := protowire.AppendTag(nil, 99, protowire.BytesType)
	later = protowire.AppendString(later, "later")
	later = protowire.AppendTag(later, 98, protowire.Fixed32Type)
	later = protowire.AppendFixed32(later, 7)
	got, err := ParseFrame(append(later, b...))
	if err != nil {
		t.Fatal(err)
	}
	sameFrame(t, got, f)
	for name, b := range map[string][]byte{
		"none":  nil,
		"later": appendUint(nil, frameVersionField, 2),
	} {
		if _, err := ParseFrame(b); !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), "version") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOldFrames: what was written before a progress named a generation is read.
func TestOldFrames(t *testing.T) {
	const old = "\x08\x01\x12\x01h\x19\x07\x00\x00\x00\x00\x00\x00\x00\x22\x03webB\x18\x12\x10\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\x20\x02\x28\x05\x30\x0a"
	got, err := ParseFrame([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	f := &Frame{Host: "h", Generation: 7, Progress: []Progress{{Route: "web", TopicID: [16]byte{1}, Partitions: 2, Offset: 5, Watermark: 5}}}
	sameFrame(t, got, f)
	if again := string(f.Append(nil)); again != old {
		t.Errorf("%q is written now", again)
	}
}

func TestFrameRefusals(t *testing.T) {
	head := appendUint(nil, frameVersionField, frameVersion)
	msg := func(field protowire.Number, body ...byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(bytes.Clone(head), field, protowire.BytesType), body)
	}
	huge := appendBytes(nil, 6, make([]byte, maxInt+1))
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"too long":          {make([]byte, MaxFrame+1), "at most"},
		"cut off":           {msg(frameDeltaField, 8, 0)[:4], "unexpected EOF"},
		"unknown series":    {msg(frameDeltaField, 8, 1), "series 1 of 0"},
		"unknown string":    {msg(frameCountField, 8, 9), "string 9 of 0"},
		"four names":        {append(msg(frameSeriesField, 10, 4, 0, 0, 0, 0), appendBytes(nil, frameStringField, "a")...), "4 names"},
		"no names":          {msg(frameSeriesField), "without names"},
		"odd labels":        {append(msg(frameSeriesField, 18, 1, 0), appendBytes(nil, frameStringField, "a")...), "without a value"},
		"huge integer":      {msg(frameDeltaField, huge...), "integer of"},
		"partition too big": {msg(frameProgressField, 24, 1, 32, 1), "partition 1 of 1"},
		"partitions":        {msg(frameProgressField, 32, 0x81, 0x80, 4), "at most"},
		"delta is a number": {append(bytes.Clone(head), 48, 1), "another type"},
		"version is bytes":  {[]byte{10, 1, 1}, "another type"},
	} {
		if _, err := ParseFrame(c.b); !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	for i := range 20 {
		f.Add(anyFrame().Example(i).Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := ParseFrame(b)
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("error without ErrFrame: %v", err)
			}
			return
		}
		again, err := ParseFrame(frame.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		sameFrame(t, again, frame)
	})
}

func TestRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFrame().Draw(t, "frame")
		const partitions = 3
		var want, got Totals
		var wantCounts, gotCounts Counts
		for _, d := range f.Deltas {
			want.Add(d)
		}
		for _, c := range f.Counts {
			wantCounts.Add(c)
		}
		last := map[int32]*Frame{}
		err := f.Records(partitions, func(p int32, value []byte) {
			r, err := ParseFrame(value)
			if err != nil {
				t.Fatal(err)
			}
			if r.Host != f.Host || r.Generation != f.Generation {
				t.Fatalf("host or generation of %+v", r)
			}
			for _, d := range r.Deltas {
				if PartitionOf(d.Series, partitions) != p {
					t.Fatalf("%+v on partition %d", d.Series, p)
				}
				got.Add(d)
			}
			for _, c := range r.Counts {
				gotCounts.Add(c)
			}
			last[p] = r
		})
		if err != nil {
			t.Fatal(err)
		}
		if want.Len() != got.Len() || len(wantCounts.All()) != len(gotCounts.All()) {
			t.Fatal("not the same totals")
		}
		want.Each(func(s *Series, minute int64, f Figure) {
			if !got.Get(s, minute).Equal(f) {
				t.Fatalf("%+v at %d: %+v, want %+v", s, minute, got.Get(s, minute), f)
			}
		})
		for p := range int32(partitions) {
			if len(f.Progress) > 0 && (last[p] == nil || len(last[p].Progress) != len(f.Progress)) {
				t.Fatalf("the last record of partition %d is %+v", p, last[p])
			}
		}
	})
}

func TestRecordsAreCut(t *testing.T) {
	f := &Frame{Host: "h"}
	for i := range 4000 {
		s := &Series{Tenant: "shop", Point: "p", Dims: []Label{{"d", strings.Repeat("x", 500) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)}}}
		f.Deltas = append(f.Deltas, Delta{Series: s, Minute: 1, Figure: Figure{Hits: 1}})
	}
	n, deltas := 0, 0
	if err := f.Records(1, func(_ int32, value []byte) {
		if len(value) > 2*recordBytes {
			t.Errorf("a record of %d bytes", len(value))
		}
		r, err := ParseFrame(value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		deltas += len(r.Deltas)
	}); err != nil {
		t.Fatal(err)
	}
	if n < 10 || deltas != len(f.Deltas) {
		t.Errorf("%d records, %d deltas", n, deltas)
	}
	f.Deltas[2000].Series.Point = strings.Repeat("x", MaxFrame)
	err := f.Records(1, func(int32, []byte) { t.Error("a record was given all the same") })
	if err == nil || !strings.Contains(err.Error(), `tenant "shop"`) {
		t.Errorf("error %v", err)
	}
}

// BenchmarkRecords is the cost of a delta at a commit: the figures of a hundred
// experiments in two minutes, of four route partitions.
func BenchmarkRecords(b *testing.B) {
	var frame Frame
	for range 4 {
		for e := range 100 {
			for _, variant := range []string{"a", "b"} {
				for p := range 8 {
					s := &Series{Tenant: "shop", Experiment: fmt.Sprintf("exp-%02d", e), Variant: variant, Status: Assigned, Point: fmt.Sprintf("point-%d", p)}
					for minute := range int64(2) {
						frame.Deltas = append(frame.Deltas, Delta{s, 29_000_000 + minute, Figure{Hits: 7, Sum: NewInt(7 * Micro), Sessions: 5, SumSq: NewInt(9 * Micro * Micro)}})
					}
				}
			}
		}
	}
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = 0
		if err := frame.Records(4, func(_ int32, value []byte) { size += len(value) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(frame.Deltas)), "ns/delta")
	b.ReportMetric(float64(size)/float64(len(frame.Deltas)), "B/delta")
}
