package remote

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/sinks"
)

// framed is an answer in pieces.
func framed(t testing.TB, frames ...*prompb.ChunkedReadResponse) []byte {
	t.Helper()
	var out []byte
	for _, f := range frames {
		message, err := f.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		out = binary.AppendUvarint(out, uint64(len(message)))
		out = binary.BigEndian.AppendUint32(out, crc32.Checksum(message, castagnoli))
		out = append(out, message...)
	}
	return out
}

func frame(t testing.TB, values ...float64) *prompb.ChunkedReadResponse {
	t.Helper()
	chunk := chunkenc.NewXORChunk()
	app, err := chunk.Appender()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		app.Append(0, int64(i)*60_000, v)
	}
	return &prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{{
		Labels: []prompb.Label{{Name: "__name__", Value: "pharos_sum"}, {Name: "tenant", Value: "shop"}, {Name: "dim_a__2eb", Value: "x"}},
		Chunks: []prompb.Chunk{{Type: prompb.Chunk_XOR, Data: chunk.Bytes()}},
	}}}
}

// A series whose chunks come in several pieces is read whole; an answer that breaks off,
// or is damaged anywhere, is an error and never fewer values.
func TestFrames(t *testing.T) {
	whole := framed(t, frame(t, 1, 2.5, 0.1), frame(t, 7))
	read := func(answer []byte) (got []float64, err error) {
		err = readFrames(bufio.NewReader(bytes.NewReader(answer)), func(s *metric.Series, stat string, minute int64, v float64) error {
			if s.Tenant != "shop" || s.Dims[0] != (metric.Label{Name: "a.b", Value: "x"}) || stat != metric.StatSum {
				t.Errorf("%s of %+v", stat, s)
			}
			got = append(got, v)
			return nil
		})
		return got, err
	}
	if got, err := read(whole); err != nil || len(got) != 4 || got[2] != 0.1 || got[3] != 7 {
		t.Errorf("%v, %v", got, err)
	}
	first := len(framed(t, frame(t, 1, 2.5, 0.1)))
	for end := 1; end < len(whole); end++ {
		if _, err := read(whole[:end]); err == nil && end != first {
			t.Errorf("cut at %d of %d bytes it is taken for whole", end, len(whole))
		}
	}
	for i := range whole {
		broken := bytes.Clone(whole)
		broken[i] ^= 0x10
		if _, err := read(broken); err == nil {
			t.Errorf("byte %d is another, and nobody minds", i)
		}
	}
	huge := binary.AppendUvarint(nil, 1<<40)
	if _, err := read(huge); err == nil {
		t.Error("a piece of a terabyte is waited for")
	}
}

// A request has each series and stat once, with its minutes in order.
func TestRequest(t *testing.T) {
	s, other := &metric.Series{Tenant: "shop", Variant: "a"}, &metric.Series{Tenant: "shop", Variant: "b"}
	r := request([]metric.Sample{{Series: s, Minute: 3, Hits: 3}, {Series: other, Minute: 1, Hits: 9}, {Series: s.Clone(), Minute: 1, Hits: 1}})
	if len(r.Timeseries) != 2*len(metric.Stats) {
		t.Fatalf("%d time series", len(r.Timeseries))
	}
	first := r.Timeseries[0]
	if len(first.Samples) != 2 || first.Samples[0].Timestamp != 60_000 || first.Samples[0].Value != 1 || first.Samples[1].Value != 3 || first.Labels[0].Value != "pharos_hits" {
		t.Errorf("%+v", first)
	}
}

// FuzzAnswers looks for answers that break the reader, of either form.
func FuzzAnswers(f *testing.F) {
	f.Add(framed(f, frame(f, 1, 2)))
	f.Add([]byte{})
	message, err := (&prompb.ReadResponse{Results: []*prompb.QueryResult{{Timeseries: []*prompb.TimeSeries{{Samples: []prompb.Sample{{Value: 1}}}}}}}).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(snappy.Encode(nil, message))
	f.Fuzz(func(t *testing.T, answer []byte) {
		each := func(s *metric.Series, _ string, _ int64, _ float64) error {
			if s == nil {
				t.Fatal("no series")
			}
			return nil
		}
		for _, err := range []error{readFrames(bufio.NewReader(bytes.NewReader(answer)), each), readWhole(bytes.NewReader(answer), each)} {
			var known *sinks.Error
			if err != nil && !errors.As(err, &known) && len(err.Error()) == 0 {
				t.Fatal("an error without words")
			}
		}
	})
}
