package snapshot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/blob"
)

// maxID bounds an id, in bytes.
const maxID = 100

// ID is what tells the group's part of this bucket from that of any other, "" if
// none has been given to it. It goes where the objects are copied.
func (s *Store) ID(ctx context.Context) (string, error) {
	r, err := s.bucket.Read(ctx, s.IDName())
	if errors.Is(err, blob.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(r, maxID+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return "", fmt.Errorf("%s in %s: %w", s.IDName(), s.bucket, err)
	}
	id := strings.TrimSpace(string(text))
	if id == "" || len(text) > maxID {
		return "", fmt.Errorf("%s in %s is %w: it is one line with an id", s.IDName(), s.bucket, ErrBroken)
	}
	return id, nil
}

// MakeID is ID, and gives the bucket one where it has none: of several hosts that
// do so at a time all get the same.
func (s *Store) MakeID(ctx context.Context) (string, error) {
	if id, err := s.ID(ctx); id != "" || err != nil {
		return id, err
	}
	err := s.bucket.WriteNew(ctx, s.IDName(), func(w io.Writer) error {
		_, err := io.WriteString(w, rand.Text()+"\n")
		return err
	})
	if err != nil && !errors.Is(err, blob.ErrExists) {
		return "", err
	}
	return s.ID(ctx)
}

// IDName is the object that holds the id.
func (s *Store) IDName() string { return "groups/" + escape(s.group) + "/id" }
