package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/seed-6a2d649b/pharos/host/trim"
)

// maxCacheBytes bounds what a cache keeps; what was not used for the longest time
// goes first.
const maxCacheBytes = 1 << 30

// cache keeps contents by their digest, and what was last seen at an address. Both
// are files that are written whole or not at all, so processes may share one; what
// is damaged is as if it were not there.
type cache struct {
	dir   string // "": nothing is kept
	limit int64  // bytes
	mu    sync.Mutex
}

// entry is what was last seen at an address: digests of contents.
type entry struct {
	ETag      string `json:"etag,omitempty"`
	Content   string `json:"content"` // the module, or whatever the address is of
	Golden    string `json:"golden,omitempty"`
	Signature string `json:"signature,omitempty"`
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (c *cache) path(digest string) string {
	return filepath.Join(c.dir, "sha256-"+digest[len("sha256:"):])
}

// entryPath is where the entry of an address is.
func (c *cache) entryPath(address string) string {
	return filepath.Join(c.dir, "at-"+Digest([]byte(address))[len("sha256:"):]+".json")
}

// content gives what is kept of a digest; nil: nothing, or something else.
func (c *cache) content(digest string) []byte {
	if c.dir == "" || !digestForm.MatchString(digest) {
		return nil
	}
	content, err := ReadFile(c.path(digest), maxModule)
	if err != nil || Digest(content) != digest {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(c.path(digest), now, now) // which only decides what goes first
	return content
}

// entry gives what was last seen at an address; nil: nothing that is known.
func (c *cache) entry(address string) *entry {
	if c.dir == "" {
		return nil
	}
	text, err := ReadFile(c.entryPath(address), 64<<10)
	var e entry
	if err != nil || json.Unmarshal(text, &e) != nil {
		return nil
	}
	return &e
}

// keep keeps what was seen at an address.
func (c *cache) keep(address string, e entry, contents ...[]byte) error {
	if c.dir == "" {
		return nil
	}
	if err := c.write(address, e, contents); err != nil {
		return fmt.Errorf("keep what was fetched below %s: %w", c.dir, err)
	}
	return nil
}

func (c *cache) write(address string, e entry, contents [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	for _, content := range contents {
		if content == nil {
			continue
		}
		if err := writeWhole(c.path(Digest(content)), content); err != nil {
			return err
		}
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := writeWhole(c.entryPath(address), text); err != nil {
		return err
	}
	return trim.Dir(c.dir, c.limit)
}

// writeWhole writes a file whole or not at all.
func writeWhole(path string, content []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = t.Write(content)
	if err = errors.Join(err, t.Close()); err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(t.Name()))
	}
	return nil
}
