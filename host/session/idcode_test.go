package session

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPackID(t *testing.T) {
	for _, c := range []struct {
		id   string
		size int
	}{
		{"", 1}, {"a", 2}, {"é", 3}, {"0", 2}, {"42", 2}, {"1234567890123", 7}, {"9999999999999999999", 9}, {"99999999999999999999", 11},
		{"123e4567-e89b-12d3-a456-426614174000", 17}, {"123E4567-E89B-12D3-A456-426614174000", 29}, {"123e4567-e89b-12d3-a456-42661417400-", 29},
		{"0123456789abcdef", 9}, {"0123456789ABCDEF", 9}, {"0123456789abcdeF", 13}, {"abc", 3}, {"session-00000042", 13}, {"10.0.0.1", 9},
		{strings.Repeat("f", 30), 16}, {strings.Repeat("f", 31), 18}, {strings.Repeat("x", 300), 228}, {string(nameOf(bytes.Repeat([]byte("x"), 600))), 38},
	} {
		packed := packID(nil, []byte(c.id))
		if len(packed) != c.size {
			t.Errorf("%q takes %d bytes, want %d", c.id, len(packed), c.size)
		}
		if got := unpackID(nil, packed); string(got) != c.id {
			t.Errorf("%q comes back as %q", c.id, got)
		}
	}
}

var someIDs = []*rapid.Generator[string]{
	rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), rapid.StringMatching(`[0-9]{0,40}`),
	rapid.StringMatching(`[0-9a-f]{0,70}`), rapid.StringMatching(`[0-9A-F]{0,70}`), rapid.StringMatching(`[-_0-9A-Za-z]{0,70}`),
	rapid.StringMatching(`[a-f0-9-]{36}`), rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
}

// To pack an id and unpack it is to do nothing, whatever stands around it, and
// different ids stay different.
func TestPropertyPackID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, other := rapid.OneOf(someIDs...).Draw(t, "id"), rapid.OneOf(someIDs...).Draw(t, "other")
		packed := packID([]byte("before"), []byte(id))
		cut, rest, _, _, ok := cutID(append(bytes.Clone(packed[6:]), "behind"...))
		if !ok || string(rest) != "behind" || !bytes.Equal(cut, packed[6:]) {
			t.Fatalf("%q cut off as %x with %q behind", id, cut, rest)
		}
		if got := unpackID([]byte("before"), cut); string(got) != "before"+id {
			t.Fatalf("%q comes back as %q", id, got)
		}
		if id != other && bytes.Equal(packID(nil, []byte(other)), cut) {
			t.Fatalf("%q and %q are the same", id, other)
		}
		if len(cut) > len(id)+3 {
			t.Fatalf("%q takes %d bytes", id, len(cut))
		}
	})
}

func FuzzCutID(f *testing.F) {
	for _, id := range []string{"", "12", "abc", "123e4567-e89b-12d3-a456-426614174000", strings.Repeat("x", 100)} {
		f.Add(packID(nil, []byte(id)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if packed, rest, _, length, ok := cutID(text); ok {
			if len(packed)+len(rest) != len(text) || length > 8*len(text) {
				t.Fatalf("%d and %d bytes of %d", len(packed), len(rest), len(text))
			}
			unpackID(nil, packed)
		}
	})
}

func BenchmarkPackID(b *testing.B) {
	for _, id := range []string{"123e4567-e89b-12d3-a456-426614174000", "0123456789abcdef", "session-00000042"} {
		b.Run(id, func(b *testing.B) {
			var packed []byte
			for b.Loop() {
				packed = packID(packed[:0], []byte(id))
			}
		})
	}
}
