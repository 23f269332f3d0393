package trim

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDir(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		path := filepath.Join(dir, fmt.Sprint(i%2), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(1000-i), 0) // the first is the newest
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int64]int{10_000: 10, 1000: 10} {
		if err := Dir(dir, limit); err != nil || len(left(t, dir)) != want {
			t.Errorf("%d: %v, %v", limit, left(t, dir), err)
		}
	}
	if err := Dir(dir, 350); err != nil || fmt.Sprint(left(t, dir)) != "[0 1 2]" {
		t.Errorf("%v, %v", left(t, dir), err)
	}
	if err := Dir(filepath.Join(dir, "none"), 0); err != nil {
		t.Error(err)
	}
}

// left are the names of the files that are there.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	for i := range 10 {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprint(i%2), fmt.Sprint(i))); err == nil {
			names = append(names, fmt.Sprint(i))
		}
	}
	return names
}
