package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/blob"
)

// Mark notes that something has happened, such as "started/TOPIC/0": parts of
// any text between slashes. A mark stays until somebody deletes it; to set it
// again changes nothing.
func (s *Store) Mark(ctx context.Context, name string) error {
	path, err := s.mark(name)
	if err != nil {
		return err
	}
	return s.bucket.Write(ctx, path, func(w io.Writer) error {
		_, err := io.WriteString(w, name+"\n") // for people who look
		return err
	})
}

// Marked tells whether a mark is set.
func (s *Store) Marked(ctx context.Context, name string) (bool, error) {
	path, err := s.mark(name)
	if err != nil {
		return false, err
	}
	r, err := s.bucket.Read(ctx, path)
	if errors.Is(err, blob.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, r.Close()
}

// Marks gives the marks below a name, such as those of "started/TOPIC", as they
// were set, sorted by their escaped form.
func (s *Store) Marks(ctx context.Context, below string) ([]string, error) {
	path, err := s.mark(below)
	if err != nil {
		return nil, err
	}
	entries, err := s.bucket.List(ctx, path+"/")
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		var parts []string
		ok := true
		for part := range strings.SplitSeq(strings.TrimPrefix(e.Name, s.prefix(marks)), "/") {
			text, sound := unescape(part)
			parts, ok = append(parts, text), ok && sound
		}
		if ok {
			list = append(list, strings.Join(parts, "/"))
		}
	}
	return list, nil
}

// mark gives the object's name.
func (s *Store) mark(name string) (string, error) {
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		if part == "" {
			return "", fmt.Errorf("%q can not be a mark: a part of it is empty", name)
		}
		parts = append(parts, escape(part))
	}
	return s.prefix(marks) + strings.Join(parts, "/"), nil
}
