package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// directory is a bucket in a directory. Objects are files, written beside the
// others (below temporary), synced, and renamed to their place.
type directory struct {
	root string
}

// temporary holds what is being written. No name begins with a dot.
const temporary = ".tmp"

// abandoned is how long nothing may have been written to a file below temporary
// before it is taken for one of a process that died. Where that one lives after
// all, its rename fails, and nothing is lost but its attempt.
const abandoned = 15 * time.Minute

func openDirectory(path string) (*directory, error) {
	if path == "" {
		return nil, errors.New("the directory is missing: file:// and its path")
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	root, err := filepath.Abs(path)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return nil, err
	}
	d := &directory{root}
	if err := os.MkdirAll(d.temporary(), 0o777); err != nil {
		return nil, err
	}
	return d, d.sweep()
}

func (d *directory) temporary() string { return filepath.Join(d.root, temporary) }

func (d *directory) path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

func (d *directory) Close() error { return nil }

func (d *directory) Write(ctx context.Context, name string, onlyNew bool, write func(io.Writer) error) (err error) {
	if err := d.sweep(); err != nil {
		return err
	}
	f, err := d.create()
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if e := os.Remove(f.Name()); e != nil && !errors.Is(e, fs.ErrNotExist) && err == nil {
			err = e
		}
	}()
	if err := write(onlyWriter{f}); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	path := d.path(name)
	if err := d.makeDirs(filepath.Dir(path)); err != nil {
		return err
	}
	if onlyNew {
		// A link, unlike a rename, fails where there is a file.
		if err := os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
			return ErrExists
		} else if err != nil {
			return err
		}
	} else if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// onlyWriter hides the file from who writes.
type onlyWriter struct{ io.Writer }

func (d *directory) create() (*os.File, error) {
	return os.OpenFile(filepath.Join(d.temporary(), rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// makeDirs makes a directory below root, and makes the making of each last.
func (d *directory) makeDirs(dir string) error {
	if _, err := os.Stat(dir); err == nil || dir == d.root {
		return nil
	}
	if err := d.makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// syncDir makes what was made or renamed in a directory last.
func syncDir(path string) error {
	if runtime.GOOS == "windows" { // directories can not be synced there
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) { // some network file systems have no such thing
		err = nil
	}
	return errors.Join(err, f.Close())
}

// sweep removes what processes left that died while they wrote.
func (d *directory) sweep() error {
	entries, err := os.ReadDir(d.temporary())
	if isMissing(err) {
		return d.missing()
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < abandoned || !info.Mode().IsRegular() {
			continue // gone by now, or in work
		}
		if err := os.Remove(filepath.Join(d.temporary(), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (d *directory) Read(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := os.Open(d.path(name))
	if isMissing(err) {
		return nil, d.missing()
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotFound
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// missing tells an object that is missing from a bucket that is: who takes the
// one for the other would take lost state for none.
func (d *directory) missing() error {
	if _, err := os.Stat(d.temporary()); err != nil {
		return fmt.Errorf("the directory was removed, or is not mounted any more; restart to make it anew: %w", err)
	}
	return ErrNotFound
}

// isMissing tells of a path that leads nowhere; through a file too.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func (d *directory) List(ctx context.Context, prefix string, each func(Entry) error) error {
	from := d.root
	if i := strings.LastIndexByte(prefix, '/'); i > 0 {
		if err := badName(prefix[:i]); err != nil {
			return err
		}
		from = d.path(prefix[:i])
	}
	if err := d.missing(); !errors.Is(err, ErrNotFound) {
		return err
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case isMissing(err): // deleted in between
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case path != d.root && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if isMissing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(d.root, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return each(Entry{Name: filepath.ToSlash(name), Size: info.Size(), ModTime: info.ModTime()})
	})
}

func (d *directory) Delete(_ context.Context, name string) error {
	path := d.path(name)
	if info, err := os.Lstat(path); isMissing(err) || err == nil && !info.Mode().IsRegular() {
		return d.missing()
	}
	if err := os.Remove(path); isMissing(err) {
		return d.missing()
	} else if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
