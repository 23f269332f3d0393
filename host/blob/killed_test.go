package blob_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/blob/blobtest"
)

// writerEnv makes the test's process a writer that goes on until it is killed.
const writerEnv = "BLOB_TEST_WRITER"

func TestMain(m *testing.M) {
	if url := os.Getenv(writerEnv); url != "" {
		fmt.Println(writeForEver(url))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForEver says each object on stdout once it is written. An object is its
// sum and many random bytes.
func writeForEver(url string) error {
	b, err := blob.Open(context.Background(), url)
	if err != nil {
		return err
	}
	for {
		name := fmt.Sprintf("d%d/%d", rand.IntN(10), rand.Uint64())
		write := b.WriteNew
		if rand.IntN(2) == 0 {
			name, write = "shared", b.Write
		}
		content := make([]byte, rand.IntN(4<<20))
		rand.NewChaCha8([32]byte{byte(rand.IntN(256))}).Read(content)
		sum := sha256.Sum256(content)
		err := write(context.Background(), name, func(w io.Writer) error {
			for rest := append(sum[:], content...); len(rest) > 0; {
				n := min(64<<10, len(rest))
				if _, err := w.Write(rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println("written", name)
	}
}

// Whenever a writer is killed, what is in the bucket is whole, and what was said
// to be written is there.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	url := "file://" + dir
	b := open(t, url)
	said := map[string]bool{}
	for range 20 {
		writer := exec.Command(os.Args[0])
		writer.Env = append(os.Environ(), writerEnv+"="+url)
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		after := time.AfterFunc(time.Duration(rand.IntN(100_000))*time.Microsecond, func() { writer.Process.Kill() })
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			name, ok := strings.CutPrefix(lines.Text(), "written ")
			if !ok {
				t.Fatal(lines.Text())
			}
			said[name] = true
		}
		writer.Wait() // says that it was killed
		after.Stop()
	}
	list, err := b.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		content := []byte(blobtest.Get(t, b, e.Name))
		if sum := sha256.Sum256(content[min(len(content), 32):]); !bytes.HasPrefix(content, sum[:]) {
			t.Errorf("%s is not whole: %d bytes", e.Name, len(content))
		}
		delete(said, e.Name)
	}
	if len(said) > 0 {
		t.Errorf("gone: %v", said)
	}
	t.Logf("%d objects", len(list))
}

// What killed writers leave is removed, once nobody can be writing it.
func TestAbandonedFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, "file://"+dir)
	left := func() int {
		entries, err := os.ReadDir(filepath.Join(dir, ".tmp"))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	leave := func(name string, age time.Duration) {
		path := filepath.Join(dir, ".tmp", name)
		if err := os.WriteFile(path, []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	leave("young", time.Minute)
	leave("old", time.Hour)
	blobtest.Put(t, b, "a", "x")
	if got := left(); got != 1 {
		t.Errorf("%d files are left after a write", got)
	}
	leave("old", time.Hour)
	open(t, "file://"+dir)
	if got := left(); got != 1 {
		t.Errorf("%d files are left after the bucket is opened", got)
	}
	if got := blobtest.Names(t, b, ""); got != "a" {
		t.Errorf("listed: %s", got)
	}
	// A writer whose file was taken away fails, and leaves nothing.
	err := b.Write(t.Context(), "late", func(w io.Writer) error {
		entries, err := os.ReadDir(filepath.Join(dir, ".tmp"))
		for _, e := range entries {
			err = errors.Join(err, os.Remove(filepath.Join(dir, ".tmp", e.Name())))
		}
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) || blobtest.Names(t, b, "") != "a" {
		t.Errorf("late: %v", err)
	}
}

func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, "file://"+dir)
	for _, name := range []string{"x y", ".hidden", "ü", ".git/config"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"dangling": "none", "out": "/etc", "file": "/etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	blobtest.Put(t, b, "a/b", "x")
	if got := blobtest.Names(t, b, ""); got != "a/b" {
		t.Errorf("%s", got)
	}
	if _, err := b.Read(t.Context(), "a"); err == nil {
		t.Error("a directory was read")
	}
	if err := b.Delete(t.Context(), "a"); err == nil {
		t.Error("a directory was deleted")
	}
	// A bucket behind a link is a bucket.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if got := blobtest.Names(t, open(t, "file://"+link), ""); got != "a/b" {
		t.Errorf("through a link: %s", got)
	}
}

// A bucket that is gone is not an empty one.
func TestDirectoryIsGone(t *testing.T) {
	for what, gone := range map[string]func(dir string) error{
		"removed":   os.RemoveAll,
		"unmounted": func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o777)) },
	} {
		dir := t.TempDir() + "/bucket"
		b := open(t, "file://"+dir)
		blobtest.Put(t, b, "a/b", "x")
		if err := gone(dir); err != nil {
			t.Fatal(err)
		}
		_, list := b.List(t.Context(), "")
		_, below := b.List(t.Context(), "a/")
		_, read := b.Read(t.Context(), "a/b")
		write := b.Write(t.Context(), "a/b", func(io.Writer) error { return nil })
		for _, err := range []error{list, below, read, write, b.Delete(t.Context(), "a/b")} {
			if err == nil || !strings.Contains(err.Error(), "was removed, or is not mounted any more") || errors.Is(err, blob.ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}
