// Package trim bounds directories of files that can be made again.
package trim

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// file is one that may be deleted.
type file struct {
	path string
	size int64
	used time.Time
}

// Dir deletes the files below a directory that have not been written or touched for
// the longest time, until the others have no more than limit bytes. Other processes
// may write and trim the same directory.
func Dir(dir string, limit int64) error {
	var files []file
	var size int64
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return gone(err)
		}
		info, err := e.Info()
		if err != nil {
			return gone(err)
		}
		files, size = append(files, file{path, info.Size(), info.ModTime()}), size+info.Size()
		return nil
	})
	if err != nil || size <= limit {
		return err
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Or(a.used.Compare(b.used), strings.Compare(a.path, b.path)) })
	for _, f := range files {
		if size <= limit {
			break
		}
		if err := gone(os.Remove(f.path)); err != nil {
			return err
		}
		size -= f.size
	}
	return nil
}

// gone is an error but that of what is not there any more.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
