// Package blob keeps named objects in a bucket that is given by its URL: a
// directory, the memory of the process, or what another package registers
// (host/blob/cloud: S3, Google Cloud Storage and Azure Blob Storage). It imports
// the standard library only, so that who keeps objects does not link three
// clouds.
//
// An object appears whole or not at all, also where the process is killed while
// it writes. Errors name the bucket without the query of its URL, where secrets
// may stand.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Errors that callers act upon; they come wrapped, with the object's name.
var (
	ErrNotFound = errors.New("there is no such object")
	ErrExists   = errors.New("there is an object of that name already")
)

// Entry is an object as a listing shows it.
type Entry struct {
	Name    string
	Size    int64     // bytes
	ModTime time.Time // when it was written
}

// Driver is one kind of bucket. Names are checked before it sees them.
type Driver interface {
	// Write makes an object of what write gives; all of it, or nothing where
	// write or ctx fails. An object of that name is replaced, or with onlyNew left
	// alone (ErrExists).
	Write(ctx context.Context, name string, onlyNew bool, write func(io.Writer) error) error
	// Read opens an object; ErrNotFound.
	Read(ctx context.Context, name string) (io.ReadCloser, error)
	// List calls each with the objects whose names begin with prefix, in any
	// order, until it fails.
	List(ctx context.Context, prefix string, each func(Entry) error) error
	// Delete removes an object; ErrNotFound.
	Delete(ctx context.Context, name string) error
	Close() error
}

// Opener opens a bucket of a scheme.
type Opener func(ctx context.Context, u *url.URL) (Driver, error)

// openers by scheme, beside file. Only init functions change it.
var openers = map[string]Opener{"mem": openMemory}

// Register makes Open know a scheme. It is for init functions.
func Register(scheme string, open Opener) { openers[scheme] = open }

// Bucket holds objects. It may be used by several goroutines, and by several
// processes at one time.
type Bucket struct {
	label  string
	driver Driver
}

// Open opens a bucket:
//
//	file://PATH                 a directory, made if missing; PATH is taken as it
//	                            stands, a relative one begins at the working directory
//	mem://, mem://NAME          memory; buckets of one NAME are one bucket in the process
//	s3://, gs://, azblob://     where host/blob/cloud is linked; a path is a prefix of names
//
// That it can be reached shows itself at first use.
func Open(ctx context.Context, address string) (*Bucket, error) {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return nil, errors.New("a bucket's URL has no scheme; a directory is file:// and its path")
	}
	if scheme == "file" {
		d, err := openDirectory(rest)
		if err != nil {
			return nil, fmt.Errorf("bucket file://%s: %w", rest, err)
		}
		return &Bucket{label: "file://" + rest, driver: d}, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the URL of a bucket, of %s://, can not be read; it is %s://NAME and further settings behind a ?", scheme, scheme)
	}
	label := Label(address)
	open := openers[scheme]
	if open == nil {
		return nil, fmt.Errorf("bucket %s: there is no %s:// here; known are file, %s", label, scheme, strings.Join(schemes(), ", "))
	}
	d, err := open(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", label, err)
	}
	return &Bucket{label: label, driver: d}, nil
}

func schemes() (known []string) {
	for s := range openers {
		known = append(known, s)
	}
	slices.Sort(known)
	return known
}

// Label is what may be said of a bucket's URL: without user, password and
// query.
func Label(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	if scheme == "file" {
		return address
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest, _, _ = strings.Cut(rest, "#")
	authority, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if slash {
		path = "/" + path
	}
	return scheme + "://" + authority + path
}

// String names the bucket, without secrets.
func (b *Bucket) String() string { return b.label }

// Write makes an object of what write gives, or replaces it. Where write or ctx
// fails nothing has changed. Of two that write one name at a time, one wins
// whole.
func (b *Bucket) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	return b.write(ctx, name, false, write)
}

// WriteNew is as Write, and fails with ErrExists where there is an object of
// that name: of several that write it at a time exactly one succeeds.
func (b *Bucket) WriteNew(ctx context.Context, name string, write func(io.Writer) error) error {
	return b.write(ctx, name, true, write)
}

func (b *Bucket) write(ctx context.Context, name string, onlyNew bool, write func(io.Writer) error) error {
	err := badName(name)
	if err == nil {
		err = b.driver.Write(ctx, name, onlyNew, func(w io.Writer) error { return write(checked{ctx, w}) })
	}
	return b.say("write", name, err)
}

// checked ends a write when its context does.
type checked struct {
	ctx context.Context
	w   io.Writer
}

func (c checked) Write(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

// Read opens an object for reading; who gets it closes it. ErrNotFound.
func (b *Bucket) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := badName(name); err != nil {
		return nil, b.say("read", name, err)
	}
	r, err := b.driver.Read(ctx, name)
	if err != nil {
		return nil, b.say("read", name, err)
	}
	return r, nil
}

// maxEntries bounds a listing, in objects.
const maxEntries = 1_000_000

// List gives the objects whose names begin with prefix, sorted by name. What
// else lies in the bucket, under names that are none of this package, is passed
// over.
func (b *Bucket) List(ctx context.Context, prefix string) ([]Entry, error) {
	var list []Entry
	err := b.driver.List(ctx, prefix, func(e Entry) error {
		if !strings.HasPrefix(e.Name, prefix) || badName(e.Name) != nil {
			return nil
		}
		if len(list) == maxEntries {
			return fmt.Errorf("there are more than %d objects; give Pharos a bucket or a prefix of its own", maxEntries)
		}
		list = append(list, e)
		return nil
	})
	if err != nil {
		return nil, b.say("list", prefix, err)
	}
	slices.SortFunc(list, func(x, y Entry) int { return strings.Compare(x.Name, y.Name) })
	return list, nil
}

// Delete removes an object; ErrNotFound.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	err := badName(name)
	if err == nil {
		err = b.driver.Delete(ctx, name)
	}
	return b.say("delete", name, err)
}

// Close lets the bucket go.
func (b *Bucket) Close() error {
	if err := b.driver.Close(); err != nil {
		return fmt.Errorf("bucket %s: close: %w", b.label, err)
	}
	return nil
}

func (b *Bucket) say(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bucket %s: %s %s: %w", b.label, verb, name, err)
}

// Bounds of names, in bytes: S3 and Azure take 1024 with a prefix, file systems
// 255 a segment.
const (
	maxName    = 900
	maxSegment = 255
)

// badName tells what is wrong with a name: its segments, between slashes, are
// of letters, digits, and _ . = -, and begin with no dot.
func badName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("the name has more than %d bytes", maxName)
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch {
		case segment == "" || segment[0] == '.':
			return fmt.Errorf("%q is no name: a part of it is empty or begins with a dot", name)
		case len(segment) > maxSegment:
			return fmt.Errorf("a part of the name has more than %d bytes", maxSegment)
		}
		for i := range len(segment) {
			if !plain(segment[i]) {
				return fmt.Errorf("%q is no name: take letters, digits, and _ . = -", name)
			}
		}
	}
	return nil
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '=' || c == '-'
}
