package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// sink speaks as much of S3's protocol as uploads need, and keeps nothing.
type sink struct {
	began, completed, aborted atomic.Int32
	bytes                     atomic.Int64
	refuse                    string // the method that it refuses
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	switch q := r.URL.Query(); {
	case r.Method == s.refuse:
		w.WriteHeader(http.StatusForbidden)
	case r.Method == "POST" && q.Has("uploads"):
		s.began.Add(1)
		io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
	case r.Method == "POST":
		s.completed.Add(1)
		io.WriteString(w, "<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")
	case r.Method == "PUT":
		s.bytes.Add(n)
		w.Header().Set("ETag", "1")
	case r.Method == "DELETE":
		s.aborted.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *sink) start(t *testing.T) string {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return "s3://b?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(server.URL)
}

// What is uploaded is never held whole.
func TestUploadIsStreamed(t *testing.T) {
	const size = 400 << 20
	s := &sink{}
	b := bucketAt(t, s.start(t))
	piece := make([]byte, 1<<20)
	var most uint64
	err := b.Write(t.Context(), "large", func(w io.Writer) error {
		for i := range size / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return err
			}
			if i%16 == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
		return nil
	})
	if err != nil || s.bytes.Load() < size || s.completed.Load() != 1 || s.aborted.Load() != 0 {
		t.Errorf("%d bytes, %d uploads completed, %d aborted: %v", s.bytes.Load(), s.completed.Load(), s.aborted.Load(), err)
	}
	t.Logf("at most %d MiB of heap", most>>20)
	if most > 100<<20 {
		t.Errorf("%d MiB of heap for an upload of %d MiB", most>>20, size>>20)
	}
}

// The parts of an upload that is not completed cost money until it is aborted.
func TestFailedUploadIsAborted(t *testing.T) {
	mine := errors.New("mine")
	for what, after := range map[string]func(cancel func()) error{
		"fails":             func(func()) error { return mine },
		"is given up":       func(cancel func()) error { cancel(); return nil },
		"fails when it was": func(cancel func()) error { cancel(); return mine },
	} {
		s := &sink{}
		b := bucketAt(t, s.start(t))
		ctx, cancel := context.WithCancelCause(t.Context())
		err := b.Write(ctx, "large", func(w io.Writer) error {
			if _, err := w.Write(make([]byte, 20<<20)); err != nil {
				return err
			}
			return after(func() { cancel(mine) })
		})
		if !errors.Is(err, mine) || s.began.Load() != 1 || s.completed.Load() != 0 || s.aborted.Load() != 1 {
			t.Errorf("%s: %d uploads began, %d were completed, %d aborted: %v", what, s.began.Load(), s.completed.Load(), s.aborted.Load(), err)
		}
		cancel(nil)
	}
}

// An upload that the bucket refuses ends its writer.
func TestRefusedUpload(t *testing.T) {
	for _, method := range []string{"POST", "PUT"} {
		b := bucketAt(t, (&sink{refuse: method}).start(t))
		err := b.Write(t.Context(), "large", func(w io.Writer) error {
			for range 100 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return fmt.Errorf("the state: %w", err)
				}
			}
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "403") || !strings.HasPrefix(err.Error(), "bucket s3://b: write large: the state: ") {
			t.Errorf("%s: %v", method, err)
		}
	}
}
