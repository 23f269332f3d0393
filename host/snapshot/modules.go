package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/blob"
)

// maxModule bounds a module, in bytes.
const maxModule = 256 << 20

// PutModule keeps content, a plugin's module or another file of a generation,
// under its digest, "sha256:" and 64 hexadecimal digits, which it gives. All
// groups of a bucket share modules; nothing deletes them.
func (s *Store) PutModule(ctx context.Context, content []byte) (digest string, err error) {
	if len(content) > maxModule {
		return "", fmt.Errorf("a module of %d bytes; at most %d are kept", len(content), maxModule)
	}
	digest = fmt.Sprintf("sha256:%x", sha256.Sum256(content))
	if _, err := s.Module(ctx, digest); err == nil || !errors.Is(err, blob.ErrNotFound) && !errors.Is(err, ErrBroken) {
		return digest, err
	}
	return digest, s.bucket.Write(ctx, moduleName(digest), func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(content))
		return err
	})
}

// Module gives what is kept under a digest; blob.ErrNotFound, or ErrBroken where
// it has another digest.
func (s *Store) Module(ctx context.Context, digest string) ([]byte, error) {
	if !digestForm.MatchString(digest) {
		return nil, fmt.Errorf("%q is no digest: sha256: and 64 hexadecimal digits, lower case", digest)
	}
	r, err := s.bucket.Read(ctx, moduleName(digest))
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("module %s: %w", digest, err)
	}
	if is := fmt.Sprintf("sha256:%x", sha256.Sum256(content)); is != digest {
		return nil, fmt.Errorf("module %s: %w: its content has the digest %s", digest, ErrBroken, is)
	}
	return content, nil
}

// Modules gives the digests of what PutModule has kept, by digest, with their
// sizes in bytes.
func (s *Store) Modules(ctx context.Context) (digests []string, sizes []int64, err error) {
	entries, err := s.bucket.List(ctx, moduleName(""))
	if s.metrics.failed(opList, err) {
		return nil, nil, err
	}
	for _, e := range entries {
		digest := "sha256:" + strings.TrimPrefix(e.Name, moduleName(""))
		if digestForm.MatchString(digest) {
			digests, sizes = append(digests, digest), append(sizes, e.Size)
		}
	}
	return digests, sizes, nil
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func moduleName(digest string) string {
	return "modules/sha256-" + strings.TrimPrefix(digest, "sha256:")
}
