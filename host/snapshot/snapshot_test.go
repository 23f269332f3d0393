package snapshot

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-6a2d649b/pharos/host/blob"
)

var web = Key{"web", "pharos.web", [16]byte{0xaa, 15: 1}, 3}

func open(t *testing.T, url string) *blob.Bucket {
	t.Helper()
	b, err := blob.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// at is a snapshot of web.
func at(offset int64, generation uint64) Info {
	return Info{Key: web, Offset: offset, Generation: generation}
}

func content(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func put(t *testing.T, s *Store, list ...Info) {
	t.Helper()
	for _, i := range list {
		do := s.Put
		if i.Handover {
			do = s.PutHandover
		}
		if err := do(t.Context(), i, content(fmt.Sprint(i.Offset))); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, s *Store, i Info) (string, error) {
	t.Helper()
	r, err := s.Open(t.Context(), i)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

// listed is a listing in short: partition@offset/generation, H for hand-overs.
func listed(list []Info, err error) string {
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, i := range list {
		kind := ""
		if i.Handover {
			kind = "H"
		}
		fmt.Fprintf(&b, "%d@%d/%d%s ", i.Partition, i.Offset, i.Generation, kind)
	}
	return strings.TrimSpace(b.String())
}

func TestPutListOpen(t *testing.T) {
	s := New(open(t, "mem://"), "shop", 10)
	put(t, s, at(900, 1), at(1000, 1), at(99, 1), at(1000, 2), at(0, 0))
	if got := listed(s.List(t.Context(), web)); got != "3@1000/2 3@1000/1 3@900/1 3@99/1 3@0/0" {
		t.Errorf("%s", got)
	}
	list, _ := s.List(t.Context(), web)
	if i := list[0]; i.Key != web || i.Size == 0 || time.Since(i.Taken) > time.Hour {
		t.Errorf("%+v", i)
	}
	for _, i := range list {
		if got, err := read(t, s, i); err != nil || got != fmt.Sprint(i.Offset) {
			t.Errorf("%v: %q, %v", i, got, err)
		}
		if n, err := s.Verify(t.Context(), i); err != nil || n != int64(len(fmt.Sprint(i.Offset))) {
			t.Errorf("%v: %d, %v", i, n, err)
		}
	}
	if _, err := read(t, s, at(5, 1)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
	other := web
	other.TopicID[0]++
	if got := listed(s.List(t.Context(), other)); got != "" {
		t.Errorf("a topic made anew has %s", got)
	}
	if err := s.Put(t.Context(), at(900, 1), content("again")); err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, s, at(900, 1)); err != nil || got != "again" {
		t.Errorf("replaced: %q, %v", got, err)
	}
	if err := s.Delete(t.Context(), at(900, 1)); err != nil {
		t.Fatal(err)
	}
	if got := listed(s.List(t.Context(), web)); got != "3@1000/2 3@1000/1 3@99/1 3@0/0" {
		t.Errorf("deleted: %s", got)
	}
}

func TestRefused(t *testing.T) {
	s := New(open(t, "mem://"), "shop", 1)
	for _, i := range []Info{{Key: Key{Route: "web"}}, {Key: Key{Topic: "t"}}, at(-1, 0), {Key: Key{"web", "t", [16]byte{}, -1}}, {Key: Key{"\xff", "t", [16]byte{}, 0}}} {
		if err := s.Put(t.Context(), i, content("")); err == nil {
			t.Errorf("%+v was taken", i)
		}
	}
}

// What retention deletes is a partition's oldest snapshots and nothing else.
func TestRetention(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		bucket := open(t, "mem://")
		keep := rapid.IntRange(1, 4).Draw(rt, "keep")
		groups := []*Store{New(bucket, "shop", keep), New(bucket, "shop/eu", 1000), New(bucket, "sho", 1000)}
		want := map[string][]int64{}
		for _, other := range groups[1:] {
			put(t, other, at(1, 1), at(2, 1))
		}
		for range rapid.IntRange(1, 30).Draw(rt, "puts") {
			i := at(rapid.Int64Range(0, 50).Draw(rt, "offset"), 1)
			i.Partition = rapid.Int32Range(0, 1).Draw(rt, "partition")
			i.TopicID[3] = rapid.ByteRange(0, 1).Draw(rt, "topic id")
			i.Handover = rapid.Bool().Draw(rt, "handover")
			put(t, groups[0], i)
			id := fmt.Sprint(i.Partition, i.TopicID[3], i.Handover)
			if !slices.Contains(want[id], i.Offset) {
				want[id] = append(want[id], i.Offset)
			}
			slices.SortFunc(want[id], func(a, b int64) int { return int(b - a) })
			if !i.Handover {
				want[id] = want[id][:min(keep, len(want[id]))]
			}
		}
		all, err := groups[0].All(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		got := map[string][]int64{}
		for _, i := range all {
			id := fmt.Sprint(i.Partition, i.TopicID[3], i.Handover)
			got[id] = append(got[id], i.Offset)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("keep %d: %v, want %v", keep, got, want)
		}
		for _, other := range groups[1:] {
			if got := listed(other.All(t.Context())); got != "3@2/1 3@1/1" {
				rt.Fatalf("another group has %s", got)
			}
		}
	})
}

func TestHandovers(t *testing.T) {
	s := New(open(t, "mem://"), "shop", 1)
	for p := range int32(12) {
		i := at(100+int64(p), 4)
		i.Partition, i.Handover = p, true
		put(t, s, i)
	}
	put(t, s, at(5, 4), at(6, 4))
	got := listed(s.Handovers(t.Context(), web.Route, web.Topic, web.TopicID))
	if want := "0@100/4H 1@101/4H 2@102/4H"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "11@111/4H") {
		t.Errorf("%s", got)
	}
	if got := listed(s.Handovers(t.Context(), web.Route, web.Topic+"-v2", web.TopicID)); got != "" {
		t.Errorf("another topic: %s", got)
	}
	if got := listed(s.List(t.Context(), web)); got != "3@6/4" {
		t.Errorf("snapshots: %s", got)
	}
	h := at(103, 4)
	h.Handover = true
	if got, err := read(t, s, h); err != nil || got != "103" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := read(t, s, at(103, 4)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a hand-over as a snapshot: %v", err)
	}
}

// Whatever else lies in the bucket is passed over and left alone.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	s := New(open(t, "file://"+dir), "shop", 1)
	put(t, s, at(10, 1))
	base := filepath.Join(dir, "groups", "shop", "snapshots", "web", "pharos.web", fmt.Sprintf("%x", web.TopicID), "00003")
	foreign := []string{
		"notes.txt", "0000000000000000010-g1.bak", "0000000000000000010-g01", "10-g1", "0000000000000000010", "-g1",
		"0000000000000000010-g1 (copy)", ".hidden", "00000000000000000-9-g1", "9999999999999999999-g1", "0000000000000000010-g18446744073709551616",
		"../3/0000000000000000011-g1", "../00003x/0000000000000000011-g1", "../../../=zz/" + fmt.Sprintf("%x", web.TopicID) + "/00003/0000000000000000011-g1",
		"../../../../../readme.md",
	}
	for _, name := range foreign {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("mine"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(base, "0000000000000000099-g1"), 0o777); err != nil {
		t.Fatal(err)
	}
	put(t, s, at(12, 1))
	if got := listed(s.List(t.Context(), web)); got != "3@12/1" {
		t.Errorf("%s", got)
	}
	if got := listed(s.All(t.Context())); got != "3@12/1" {
		t.Errorf("all: %s", got)
	}
	for _, name := range foreign {
		if _, err := os.Stat(filepath.Join(base, name)); err != nil {
			t.Errorf("%v", err)
		}
	}
	// A foreign file under a snapshot's name is broken, and says so.
	if err := os.WriteFile(filepath.Join(base, "0000000000000000020-g1"), []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, s, at(20, 1)); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "00003/0000000000000000020-g1: broken: it ends early") {
		t.Errorf("%v", err)
	}
	// One that was renamed is of another state.
	if err := os.Rename(filepath.Join(base, "0000000000000000012-g1"), filepath.Join(base, "0000000000000000013-g1")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(t.Context(), at(13, 1)); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "at offset 12, generation 1, not") {
		t.Errorf("%v", err)
	}
}

func TestFailedPutLeavesNothing(t *testing.T) {
	s := New(open(t, "mem://"), "shop", 1)
	put(t, s, at(10, 1))
	mine := errors.New("frozen state is gone")
	err := s.Put(t.Context(), at(20, 1), func(w io.Writer) error {
		if _, err := w.Write(noise(3 * maxBlock)); err != nil {
			return err
		}
		return mine
	})
	if !errors.Is(err, mine) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = s.Put(ctx, at(20, 1), func(w io.Writer) error {
		cancel()
		_, err := w.Write(noise(3 * maxBlock))
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got := listed(s.All(t.Context())); got != "3@10/1" {
		t.Errorf("%s", got)
	}
}

func TestNames(t *testing.T) {
	s := New(nil, "shop", 1)
	if got := s.name(at(1234, 7)); got != "groups/shop/snapshots/web/pharos.web/aa000000000000000000000000000001/00003/0000000000000001234-g7" {
		t.Errorf("%s", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := New(nil, rapid.StringN(0, -1, 128).Draw(t, "group"), 1)
		i := Info{Offset: rapid.Int64Min(0).Draw(t, "offset"), Generation: rapid.Uint64().Draw(t, "generation"), Handover: rapid.Bool().Draw(t, "handover")}
		i.Route = rapid.StringN(1, -1, 128).Draw(t, "route")
		i.Topic = rapid.StringMatching(`[A-Za-z0-9._-]{1,249}`).Draw(t, "topic")
		i.Partition = rapid.Int32Min(0).Draw(t, "partition")
		if i.check() != nil {
			return
		}
		name := s.name(i)
		if back, ok := s.parse(name); !ok || back != i {
			t.Fatalf("%+v became %s, then %+v, %v", i, name, back, ok)
		}
	})
	for text, want := range map[string]string{"": "=", "..": "=2E.", "a/b": "a=2Fb", "ü": "=C3=BC", "a.b_c-D": "a.b_c-D", "=": "=3D",
		strings.Repeat("ü", 64): "=_" + strings.Repeat("w7zDvMO8", 21) + "w7w"} {
		if got := escape(text); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
	for _, part := range []string{"a b", "=2f", "=41", "=2", "a=", "=_YQ", "=_!", ".a", "/"} {
		if got, ok := unescape(part); ok {
			t.Errorf("%q is %q", part, got)
		}
	}
}

func FuzzNames(f *testing.F) {
	s := New(nil, "shop", 1)
	f.Add(s.name(at(1234, 7)))
	f.Fuzz(func(t *testing.T, name string) {
		if i, ok := s.parse(name); ok && s.name(i) != name {
			t.Fatalf("%s is %+v, which is %s", name, i, s.name(i))
		}
	})
}

func TestMarks(t *testing.T) {
	bucket := open(t, "mem://")
	s, other := New(bucket, "shop", 1), New(bucket, "other", 1)
	for _, name := range []string{"started/pharos.web/0", "started/pharos.web/0", "started/pharos.web/1", "started/pharos.web2/0", "started/ü .."} {
		if err := s.Mark(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"started/pharos.web/0": true, "started/ü ..": true, "started/pharos.web": false, "started/pharos.web/2": false} {
		if got, err := s.Marked(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if got, err := other.Marked(t.Context(), name); err != nil || got {
			t.Errorf("another group's %s: %v, %v", name, got, err)
		}
	}
	if got, err := s.Marks(t.Context(), "started/pharos.web"); err != nil || strings.Join(got, " ") != "started/pharos.web/0 started/pharos.web/1" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.Marks(t.Context(), "started"); err != nil || len(got) != 4 {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"", "/", "a/", "/a", "a//b"} {
		if err := s.Mark(t.Context(), name); err == nil {
			t.Errorf("%q was set", name)
		}
	}
}

func TestModules(t *testing.T) {
	dir := t.TempDir()
	s := New(open(t, "file://"+dir), "shop", 1)
	digest, err := s.PutModule(t.Context(), []byte("module"))
	if err != nil || digest != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("module"))) {
		t.Fatalf("%s, %v", digest, err)
	}
	if got, err := s.Module(t.Context(), digest); err != nil || string(got) != "module" {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "modules", "sha256-x"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if digests, sizes, err := s.Modules(t.Context()); err != nil || fmt.Sprint(digests, sizes) != fmt.Sprintf("[%s] [6]", digest) {
		t.Errorf("modules %s of %d bytes, %v", digests, sizes, err)
	}
	path := filepath.Join(dir, "modules", "sha256-"+strings.TrimPrefix(digest, "sha256:"))
	if err := os.WriteFile(path, []byte("modulf"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Module(t.Context(), digest); !errors.Is(err, ErrBroken) {
		t.Errorf("changed: %v", err)
	}
	if _, err := s.PutModule(t.Context(), []byte("module")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Module(t.Context(), digest); err != nil || string(got) != "module" {
		t.Errorf("mended: %q, %v", got, err)
	}
	if _, err := s.Module(t.Context(), "sha256:"+strings.Repeat("0", 64)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
	for _, bad := range []string{"", "sha256:", "sha256:../../x", "sha256:" + strings.Repeat("A", 64)} {
		if _, err := s.Module(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "is no digest") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
