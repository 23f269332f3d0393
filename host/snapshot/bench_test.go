package snapshot

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/blob"
)

// sessions writes what packed sessions are like: random ids of 16 bytes, small
// numbers that repeat.
func sessions(n int) func(io.Writer) error {
	return func(w io.Writer) error {
		r := rand.New(rand.NewPCG(1, 2))
		var b []byte
		for i := range n {
			b = binary.LittleEndian.AppendUint64(b, r.Uint64())
			b = binary.LittleEndian.AppendUint64(b, r.Uint64())
			for j := range 60 {
				b = binary.AppendUvarint(b, uint64(j+r.IntN(4)))
			}
			b = binary.AppendUvarint(b, uint64(i))
			if len(b) > 64<<10 {
				if _, err := w.Write(b); err != nil {
					return err
				}
				b = b[:0]
			}
		}
		_, err := w.Write(b)
		return err
	}
}

// A million sessions on their way to a directory and back are never held whole.
func TestStreamed(t *testing.T) {
	s := New(open(t, "file://"+t.TempDir()), "shop", 1)
	var most uint64
	watch := func(w io.Writer) io.Writer {
		n := 0
		return writerFunc(func(p []byte) (int, error) {
			if n++; n%300 == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
			return w.Write(p)
		})
	}
	if err := s.Put(t.Context(), at(1, 1), func(w io.Writer) error { return sessions(1_000_000)(watch(w)) }); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), at(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(watch(io.Discard), r)
	if err != nil || n < 70<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	t.Logf("%d MiB through at most %d MiB of heap", n>>20, most>>20)
	if most > 40<<20 {
		t.Errorf("%d MiB of heap for %d MiB", most>>20, n>>20)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// BenchmarkSessions puts and opens snapshots of 100,000 sessions.
func BenchmarkSessions(b *testing.B) {
	bucket, err := blob.Open(b.Context(), "file://"+b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	s := New(bucket, "shop", 1)
	var all bytes.Buffer
	if err := sessions(100_000)(&all); err != nil {
		b.Fatal(err)
	}
	write := func(w io.Writer) error {
		_, err := w.Write(all.Bytes())
		return err
	}
	b.Run("put", func(b *testing.B) {
		b.SetBytes(int64(all.Len()))
		for b.Loop() {
			if err := s.Put(b.Context(), at(1, 1), write); err != nil {
				b.Fatal(err)
			}
		}
		list, err := s.List(b.Context(), web)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(list[0].Size)/float64(all.Len()), "size")
	})
	if err := s.Put(b.Context(), at(1, 1), write); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		b.SetBytes(int64(all.Len()))
		for b.Loop() {
			if _, err := s.Verify(b.Context(), at(1, 1)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
