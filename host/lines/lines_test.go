package lines

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/seed-6a2d649b/pharos/host/beacon"
)

func TestReader(t *testing.T) {
	large := strings.Repeat("x", beacon.MaxBytes+100)
	text := "one\r\n\n" + large + "\n\r\nlast"
	var gz, zst bytes.Buffer
	for _, w := range []io.WriteCloser{gzip.NewWriter(&gz), func() io.WriteCloser { z, _ := zstd.NewWriter(&zst); return z }()} {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string][]byte{"a": []byte(text), "a.gz": gz.Bytes(), "a.zst": zst.Bytes(), "-": []byte(text)} {
		path := name
		if name != "-" {
			path = filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Open(path, bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		var at []int64
		for {
			line, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got, at = append(got, string(line)), append(at, r.Number)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if len(got) != 3 || got[0] != "one" || len(got[1]) <= beacon.MaxBytes || len(got[1]) > beacon.MaxBytes+2 || got[2] != "last" || !slices.Equal(at, []int64{1, 3, 5}) {
			t.Errorf("%s: %d lines at %v", name, len(got), at)
		}
		if name != "-" && r.Size == 0 || r.Read != int64(len(content)) {
			t.Errorf("%s: %d bytes of %d read", name, r.Read, r.Size)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
