// Package blobtest holds a kind of bucket to what host/blob promises.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/blob"
)

// Run tries a kind of bucket; open gives an empty one.
func Run(t *testing.T, open func(t *testing.T) *blob.Bucket) {
	for name, try := range map[string]func(*testing.T, *blob.Bucket){
		"write, read, list, delete": basics, "lists of many": many, "names": names, "a write that fails": failedWrite,
		"a write that is given up": givenUp, "only new": onlyNew, "many writers": writers, "large": large,
	} {
		t.Run(name, func(t *testing.T) { try(t, open(t)) })
	}
}

// Put writes an object.
func Put(t *testing.T, b *blob.Bucket, name, content string) {
	t.Helper()
	if err := b.Write(t.Context(), name, text(content)); err != nil {
		t.Fatal(err)
	}
}

func text(content string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}
}

// Get reads an object.
func Get(t *testing.T, b *blob.Bucket, name string) string {
	t.Helper()
	r, err := b.Read(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// Names are those of a listing, between spaces.
func Names(t *testing.T, b *blob.Bucket, prefix string) string {
	t.Helper()
	list, err := b.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	return strings.Join(names, " ")
}

func basics(t *testing.T, b *blob.Bucket) {
	if got := Names(t, b, ""); got != "" {
		t.Fatalf("an empty bucket has %s", got)
	}
	if got := Names(t, b, "a/b/"); got != "" {
		t.Fatalf("below nothing: %s", got)
	}
	Put(t, b, "a/b", "first")
	Put(t, b, "a/c/d", "")
	Put(t, b, "a-b", "x")
	Put(t, b, "ab", "y")
	Put(t, b, "a/b", "second")
	if got := Get(t, b, "a/b"); got != "second" {
		t.Errorf("replaced: %q", got)
	}
	if got := Get(t, b, "a/c/d"); got != "" {
		t.Errorf("empty: %q", got)
	}
	for prefix, want := range map[string]string{"": "a-b a/b a/c/d ab", "a": "a-b a/b a/c/d ab", "a/": "a/b a/c/d", "a/b": "a/b", "a/c": "a/c/d", "a/c/": "a/c/d", "b": "", "a/x/y": "", "a/b/c": ""} {
		if got := Names(t, b, prefix); got != want {
			t.Errorf("below %q: %s", prefix, got)
		}
	}
	list, err := b.List(t.Context(), "a/b")
	if err != nil || len(list) != 1 || list[0].Size != 6 || time.Since(list[0].ModTime).Abs() > time.Hour {
		t.Errorf("%+v, %v", list, err)
	}
	if err := b.Delete(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
	for _, missing := range []string{"a/b", "a", "a/c", "a/c/d/e", "none"} {
		if _, err := b.Read(t.Context(), missing); !errors.Is(err, blob.ErrNotFound) || !strings.Contains(err.Error(), "read "+missing) {
			t.Errorf("read %s: %v", missing, err)
		}
	}
	if got := Names(t, b, ""); got != "a-b a/c/d ab" {
		t.Errorf("%s", got)
	}
}

// many has more objects than a page of a cloud's listing.
func many(t *testing.T, b *blob.Bucket) {
	var want []string
	for i := range 1100 {
		want = append(want, fmt.Sprintf("n/%05d", i))
	}
	for i := len(want) - 1; i >= 0; i-- {
		Put(t, b, want[i], "x")
	}
	if got := strings.Fields(Names(t, b, "n/")); !slices.Equal(got, want) {
		t.Errorf("%d of %d", len(got), len(want))
	}
}

func names(t *testing.T, b *blob.Bucket) {
	good := []string{"a", "A/0/z_.=-", strings.Repeat("x", 255), strings.Repeat("x/", 449) + "x", "=2E./a..b"}
	for _, name := range good {
		Put(t, b, name, name)
	}
	for _, name := range good {
		if got := Get(t, b, name); got != name {
			t.Errorf("%s: %q", name, got)
		}
	}
	slices.Sort(good)
	if got := Names(t, b, ""); got != strings.Join(good, " ") {
		t.Errorf("%s", got)
	}
	for _, name := range []string{"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", ".a", "a/.b", "a b", "a\x00", "ü", "a\\b", "a:b", "a%2F", strings.Repeat("x", 256), strings.Repeat("x/", 450) + "x"} {
		if err := b.Write(t.Context(), name, text("x")); err == nil {
			t.Errorf("%q was written", name)
		}
		if _, err := b.Read(t.Context(), name); err == nil || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
		if err := b.Delete(t.Context(), name); err == nil || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// sizes are around those at which clouds begin to write in parts.
var sizes = []int{0, 1, 100 << 10, 9 << 20, 20 << 20}

func failedWrite(t *testing.T, b *blob.Bucket) {
	Put(t, b, "there", "before")
	mine := errors.New("mine")
	for _, size := range sizes {
		for _, name := range []string{"there", "new"} {
			err := b.Write(t.Context(), name, func(w io.Writer) error {
				if _, err := w.Write(make([]byte, size)); err != nil {
					return err
				}
				return mine
			})
			if !errors.Is(err, mine) {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	}
	if got := Names(t, b, ""); got != "there" {
		t.Errorf("there is %s", got)
	}
	if got := Get(t, b, "there"); got != "before" {
		t.Errorf("it was changed: %q", got)
	}
}

func givenUp(t *testing.T, b *blob.Bucket) {
	why := errors.New("shutting down")
	for _, size := range sizes {
		for _, more := range []bool{false, true} {
			ctx, cancel := context.WithCancelCause(t.Context())
			err := b.Write(ctx, "new", func(w io.Writer) error {
				if _, err := w.Write(make([]byte, size)); err != nil {
					return err
				}
				cancel(why)
				if more {
					_, err := w.Write([]byte("more"))
					return err
				}
				return nil
			})
			if !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	}
	if got := Names(t, b, ""); got != "" {
		t.Errorf("there is %s", got)
	}
}

func onlyNew(t *testing.T, b *blob.Bucket) {
	if err := b.WriteNew(t.Context(), "a/b", text("first")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.WriteNew(t.Context(), "a/b", text("second")); !errors.Is(err, blob.ErrExists) || !strings.Contains(err.Error(), "write a/b") {
			t.Errorf("%v", err)
		}
	}
	if got := Get(t, b, "a/b"); got != "first" {
		t.Errorf("%q", got)
	}
}

// writers: of several that write one name at a time one wins, and whole; readers
// see one of them, whole.
func writers(t *testing.T, b *blob.Bucket) {
	const n, size = 8, 200 << 10
	var wg sync.WaitGroup
	news := make([]error, n)
	Put(t, b, "shared", strings.Repeat("a", size))
	for i := range n {
		content := strings.Repeat(string(rune('a'+i)), size)
		inPieces := func(w io.Writer) error {
			for rest := content; rest != ""; rest = rest[1024:] {
				if _, err := io.WriteString(w, rest[:1024]); err != nil {
					return err
				}
			}
			return nil
		}
		wg.Go(func() {
			if err := b.Write(t.Context(), "shared", inPieces); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { news[i] = b.WriteNew(t.Context(), "first", inPieces) })
		wg.Go(func() {
			r, err := b.Read(t.Context(), "shared")
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || len(got) != size || !bytes.Equal(got, bytes.Repeat(got[:1], size)) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	won := -1
	for i, err := range news {
		switch {
		case err == nil && won >= 0:
			t.Errorf("both %d and %d were the first", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, blob.ErrExists):
			t.Error(err)
		}
	}
	if got := Get(t, b, "first"); won < 0 || got != strings.Repeat(string(rune('a'+won)), size) {
		t.Errorf("%d won, there are %d bytes", won, len(got))
	}
	if got := Names(t, b, ""); got != "first shared" {
		t.Errorf("%s", got)
	}
}

// large is written in pieces, of which no cloud's part is a multiple.
func large(t *testing.T, b *blob.Bucket) {
	const size = 21<<20 + 17
	piece := bytes.Repeat([]byte("0123456789"), 1003)
	err := b.Write(t.Context(), "large", func(w io.Writer) error {
		for left := size; left > 0; {
			n := min(left, len(piece))
			if _, err := w.Write(piece[:n]); err != nil {
				return err
			}
			left -= n
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := Get(t, b, "large")
	if len(got) != size || got != strings.Repeat(string(piece), size/len(piece)+1)[:size] {
		t.Errorf("%d bytes", len(got))
	}
}
