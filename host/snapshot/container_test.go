package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

var sample = header{"shop", Info{Key: Key{"web", "pharos.web", [16]byte{1, 2, 255}, 3}, Offset: 1234, Generation: 7, Taken: time.UnixMilli(1_700_000_000_123)}}

// noise is n bytes that compress badly.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{})
	r.Read(b)
	return b
}

// packed is a snapshot of a payload.
func packed(t interface{ Fatal(...any) }, h header, content []byte) []byte {
	var b bytes.Buffer
	err := encode(&b, h, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpacked is what a snapshot gives before it ends or fails.
func unpacked(r io.Reader, want header) ([]byte, error) {
	p, err := decode(r, want)
	if err != nil {
		return nil, err
	}
	p.object, p.metrics = io.NopCloser(nil), newMetrics()
	defer p.Close()
	return io.ReadAll(p)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := header{group: rapid.String().Draw(t, "group")}
		h.Route = rapid.StringN(1, 60, 128).Draw(t, "route")
		h.Topic = rapid.StringMatching(`[A-Za-z0-9._-]{1,249}`).Draw(t, "topic")
		h.Partition = rapid.Int32Min(0).Draw(t, "partition")
		h.Offset = rapid.Int64Min(0).Draw(t, "offset")
		h.Generation = rapid.Uint64().Draw(t, "generation")
		h.Handover = rapid.Bool().Draw(t, "handover")
		size := rapid.SampledFrom([]int{0, 1, 1000, maxBlock - 1, maxBlock, maxBlock + 1, 3 * maxBlock}).Draw(t, "size")
		content := noise(size)
		if rapid.Bool().Draw(t, "compressible") {
			content = bytes.Repeat([]byte("beacon"), size)
		}
		var b bytes.Buffer
		err := encode(&b, h, func(w io.Writer) error {
			for rest := content; len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
				if _, err := w.Write(rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpacked(&b, h)
		if err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%d bytes of %d, %v", len(got), size, err)
		}
	})
}

// damaged tells of a damaged snapshot whether it is refused as broken, with no
// byte before that is not a beginning of the content.
func damaged(t *testing.T, object, content []byte, what string, at int) {
	t.Helper()
	got, err := unpacked(bytes.NewReader(object), sample)
	if !errors.Is(err, ErrBroken) {
		t.Fatalf("%s at %d: %v", what, at, err)
	}
	if !bytes.HasPrefix(content, got) {
		t.Fatalf("%s at %d: %d bytes that were never written", what, at, len(got))
	}
}

func TestEveryBitAndLengthCounts(t *testing.T) {
	for _, content := range [][]byte{nil, noise(100), bytes.Repeat([]byte("beacon"), 300)} {
		object := packed(t, sample, content)
		for at := range object {
			for bit := range 8 {
				object[at] ^= 1 << bit
				damaged(t, object, content, "bit flip", at)
				object[at] ^= 1 << bit
			}
			damaged(t, object[:at], content, "cut", at)
		}
		damaged(t, append(bytes.Clone(object), 0), content, "one byte more", len(object))
		damaged(t, append(bytes.Clone(object), object...), content, "twice", len(object))
		if got, err := unpacked(bytes.NewReader(object), sample); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("sound: %v", err)
		}
	}
}

// Of a large one: bits and cuts anywhere, blocks that are lost, doubled or
// swapped.
func TestDamagedBlocks(t *testing.T) {
	content := noise(5 * maxBlock)
	object := packed(t, sample, content)
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		at := r.IntN(len(object))
		flipped := bytes.Clone(object)
		flipped[at] ^= 1 << r.IntN(8)
		damaged(t, flipped, content, "bit flip", at)
		damaged(t, object[:at], content, "cut", at)
	}
	const block = 4 + maxBlock + 8
	start := bytes.Index(object, binary.LittleEndian.AppendUint32(nil, maxBlock))
	first, second, rest := object[start:start+block], object[start+block:start+2*block], object[start+2*block:]
	for what, blocks := range map[string][][]byte{"lost": {second, rest}, "doubled": {first, first, second, rest}, "swapped": {second, first, rest}} {
		damaged(t, bytes.Join(append([][]byte{object[:start]}, blocks...), nil), content, what, start)
	}
}

func TestOfAnotherState(t *testing.T) {
	object := packed(t, sample, []byte("state"))
	for what, change := range map[string]func(*header){
		"group":      func(h *header) { h.group = "other" },
		"route":      func(h *header) { h.Route = "mobile" },
		"topic":      func(h *header) { h.Topic = "pharos.web-v2" },
		"topic id":   func(h *header) { h.TopicID[15]++ },
		"partition":  func(h *header) { h.Partition++ },
		"offset":     func(h *header) { h.Offset++ },
		"generation": func(h *header) { h.Generation++ },
		"kind":       func(h *header) { h.Handover = true },
	} {
		want := sample
		change(&want)
		if _, err := unpacked(bytes.NewReader(object), want); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "it is a snapshot of group shop, route web, pharos.web/3") {
			t.Errorf("%s: %v", what, err)
		}
	}
	want := sample
	want.Taken, want.Size = time.Time{}, 99
	if got, err := unpacked(bytes.NewReader(object), want); err != nil || string(got) != "state" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestUnknownVersion(t *testing.T) {
	object := packed(t, sample, []byte("state"))
	front := object[:len(magic)+4]
	front[len(magic)] = 2
	sum := xxhash.Sum64(append(make([]byte, 8), front...))
	binary.LittleEndian.PutUint64(object[len(front):], sum)
	_, err := unpacked(bytes.NewReader(object), sample)
	if !errors.Is(err, ErrVersion) || errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "version 2: this build reads version 1") {
		t.Errorf("%v", err)
	}
}

// failing gives its content, then an error that is no end.
type failing struct {
	content io.Reader
	err     error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.content.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

// What can not be read is not broken: another attempt may read it.
func TestUnreadableIsNotBroken(t *testing.T) {
	object := packed(t, sample, noise(1000))
	gone := errors.New("connection reset")
	for at := range object {
		if _, err := unpacked(failing{bytes.NewReader(object[:at]), gone}, sample); !errors.Is(err, gone) || errors.Is(err, ErrBroken) {
			t.Fatalf("at %d: %v", at, err)
		}
	}
}

func TestWriterFails(t *testing.T) {
	full := errors.New("disk full")
	for _, at := range []int{0, 1, 20, 200, maxBlock, 2 * maxBlock} {
		err := encode(&limited{at, full}, sample, func(w io.Writer) error {
			_, err := w.Write(noise(3 * maxBlock))
			return err
		})
		if !errors.Is(err, full) {
			t.Errorf("after %d bytes: %v", at, err)
		}
	}
	mine := errors.New("mine")
	if err := encode(io.Discard, sample, func(io.Writer) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("%v", err)
	}
}

// limited takes some bytes and no more.
type limited struct {
	left int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return l.left, l.err
	}
	l.left -= len(p)
	return len(p), nil
}

func FuzzHeader(f *testing.F) {
	text, err := sample.marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"kind":"handover","group":"","route":"a","topic":"b","topic_id":"00000000000000000000000000000000","partition":0,"offset":0,"generation":0}`))
	f.Add([]byte(`{"taken":"x"}{`))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := parseHeader(text)
		if err != nil {
			if !errors.Is(err, ErrBroken) {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := h.marshal()
		if err != nil {
			return // names that are too long to be written
		}
		if back, err := parseHeader(again); err != nil || !back.same(h) || !back.Taken.Equal(h.Taken) {
			t.Fatalf("%s became %s, %v", text, again, err)
		}
	})
}

// Whatever stands in an object: an error or the end, in bounded memory.
func FuzzDecode(f *testing.F) {
	object := packed(f, sample, []byte("state"))
	f.Add(object)
	f.Add(object[:30])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, object []byte) {
		p, err := decode(bytes.NewReader(object), sample)
		if err == nil {
			p.object, p.metrics = io.NopCloser(nil), newMetrics()
			defer p.Close()
			_, err = io.Copy(io.Discard, io.LimitReader(p, 1<<20))
		}
		if err != nil && !errors.Is(err, ErrBroken) && !errors.Is(err, ErrVersion) {
			t.Fatalf("%v", err)
		}
	})
}
