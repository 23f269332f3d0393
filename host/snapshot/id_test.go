package snapshot

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
)

// However many ask at a time, a group's part of a bucket gets one id, and keeps it.
func TestID(t *testing.T) {
	dir := t.TempDir()
	b := open(t, "file://"+dir)
	s := New(b, "shop/eu", 1)
	if id, err := s.ID(t.Context()); id != "" || err != nil {
		t.Fatalf("%q %v", id, err)
	}
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			var err error
			if ids[i], err = New(b, "shop/eu", 1).MakeID(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if again, err := s.ID(t.Context()); err != nil || id == "" || again != id {
			t.Errorf("%q, and %q later: %v", id, again, err)
		}
	}
	other, err := New(b, "other", 1).MakeID(t.Context())
	if err != nil || other == ids[0] {
		t.Errorf("another group: %q %v", other, err)
	}
	for _, wrong := range []string{"", "\n", strings.Repeat("x", maxID+1)} {
		if err := b.Write(t.Context(), s.IDName(), func(w io.Writer) error { _, err := io.WriteString(w, wrong); return err }); err != nil {
			t.Fatal(err)
		}
		if id, err := s.MakeID(t.Context()); !errors.Is(err, ErrBroken) {
			t.Errorf("%.10q: %q %v", wrong, id, err)
		}
	}
}
