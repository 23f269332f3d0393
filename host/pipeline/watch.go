package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/fetch"
)

const (
	// watchSettle is how long nothing may have changed before a change is taken:
	// files are written in parts, and several at a time.
	watchSettle = 250 * time.Millisecond
	// watchAgain is when a folder is looked for again that is not there, and a change
	// tried again that could not be published.
	watchAgain = 5 * time.Second
)

// watchFiles reloads when the host's config file, or a file that it names, has changed,
// until ctx ends. What is watched are folders, since editors and deployments put new
// files in the place of old ones.
func (h *host) watchFiles(ctx context.Context) error {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("--watch: %w (Linux: raise fs.inotify.max_user_instances, or leave it out and use 'pharos reload')", err)
	}
	defer events.Close()
	w := h.watched
	settled := time.NewTimer(0)
	defer settled.Stop()
	retry := false // a change could not be published, which is no fault of the file
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-events.Events:
			settled.Reset(watchSettle)
		case err := <-events.Errors: // some events are lost
			h.log.Warn("watching the config file", "error", err)
			settled.Reset(watchSettle)
		case <-settled.C:
			if w.changed() || retry {
				retry = h.reloadAsTold(ctx)
			}
			again, err := w.follow(events, h.read.Load())
			if retry && again == 0 {
				again = watchAgain
			}
			if err != nil {
				h.log.Warn("a folder of the config can not be watched: changes there are not seen", "error", err)
			}
			if again > 0 {
				settled.Reset(again)
			}
		}
	}
}

// watched are the files of a config and what they were when they were last looked at.
type watched struct {
	files, patterns []string
	stamps          map[string]stamp // by file
}

// stamp is what a file was at a look.
type stamp struct {
	state   string // where it is, its size and time
	content string // digest; empty where it can not be read
}

// newWatched are those of a config that has just been read.
func newWatched(cfg *config.Config) *watched {
	w := &watched{}
	w.files, w.patterns = filesOf(cfg)
	w.stamps = w.look()
	return w
}

// follow watches what a config names. It says when to look again: soon where that, or
// its folder, was not watched before, for it may have changed meanwhile.
func (w *watched) follow(events *fsnotify.Watcher, cfg *config.Config) (again time.Duration, err error) {
	files, patterns := filesOf(cfg)
	if !slices.Equal(files, w.files) || !slices.Equal(patterns, w.patterns) {
		w.files, w.patterns = files, patterns
		again = watchSettle
	}
	var errs []error
	before := events.WatchList()
	for _, dir := range w.folders() {
		switch err := events.Add(dir); {
		case err == nil && !slices.Contains(before, dir):
			again = watchSettle
		case errors.Is(err, fs.ErrNotExist):
			if again == 0 {
				again = watchAgain
			}
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
		}
	}
	return again, errors.Join(errs...)
}

// changed looks whether a file is another than at the last look.
func (w *watched) changed() bool {
	before := w.stamps
	w.stamps = w.look()
	return !maps.EqualFunc(before, w.stamps, func(a, b stamp) bool { return a.content == b.content })
}

// look is what the files are. One that was only written anew is the same: its content
// is read where its state has changed.
func (w *watched) look() map[string]stamp {
	stamps := map[string]stamp{}
	for _, path := range w.all() {
		var now stamp
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			target, _ := filepath.EvalSymlinks(path) // another one is another file
			now.state = fmt.Sprintf("%s %d %d", target, info.Size(), info.ModTime().UnixNano())
			if before := w.stamps[path]; before.state == now.state && before.content != "" {
				now = before
			} else if content, err := fetch.ReadFile(path, max(abi.MaxModuleBytes, abi.MaxDataBytes)); err == nil {
				now.content = fetch.Digest(content)
			}
		}
		stamps[path] = now
	}
	return stamps
}

// all are the files, and those that the patterns match by now.
func (w *watched) all() []string {
	all := slices.Clone(w.files)
	for _, pattern := range w.patterns {
		found, _ := filepath.Glob(pattern) // one that is none was refused
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// folders are where the files are, and where they are links to.
func (w *watched) folders() (dirs []string) {
	for _, path := range append(w.all(), w.patterns...) {
		dirs = append(dirs, filepath.Dir(path))
		if target, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(target))
		}
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	return slices.DeleteFunc(dirs, func(dir string) bool { return strings.ContainsAny(dir, "*?[") })
}

// filesOf are the files that a config was read from and those that it names, and the
// patterns that further ones may match.
func filesOf(cfg *config.Config) (files, patterns []string) {
	read, patterns := cfg.Files()
	files = slices.Clone(read)
	add := func(path string) {
		if path = strings.TrimPrefix(path, "file://"); path != "" {
			files = append(files, path)
		}
	}
	for _, p := range cfg.Plugins.All() {
		if module := p.Module.Path.String(); module != "" {
			add(module)
			add(fetch.GoldenPath(module))
			add(module + fetch.SignatureSuffix)
		}
		add(p.Golden.String())
		add(p.Signature.String())
		for _, data := range p.Data.All() {
			add(data.String())
		}
	}
	for _, list := range cfg.Lists.All() {
		add(list.String())
	}
	slices.Sort(files)
	return slices.Compact(files), patterns
}
