package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// files keeps modules, data files and lists by their content: for all hosts of the group
// in the blob store, and what this host needs below its data directory.
type files struct {
	store  *snapshot.Store
	loader *plugin.Loader
	label  string // of the store, for errors
	dir    string // the data directory

	mu  sync.Mutex
	own map[string]string // path by digest: what this host's config names
}

// learn notes what this host's config names.
func (f *files) learn(paths map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.own = paths
}

// moduleFolder is where modules, data files and lists are, below the data directory and in
// records.
const moduleFolder = "modules"

// packedName is what a record calls a file.
func packedName(digest string) string {
	return moduleFolder + "/sha256-" + strings.TrimPrefix(digest, "sha256:")
}

// packedDigest is the digest in a name of packedName.
func packedDigest(given string) (digest string, ok bool) {
	hex, ok := strings.CutPrefix(given, moduleFolder+"/sha256-")
	return "sha256:" + hex, ok
}

// packed is a config in which modules, data files and lists are named by their digests,
// and the files that it needs.
type packed struct {
	*config.Config
	files   map[string]string // path by digest
	fetched map[string][]byte // content by digest, of what is no file of this host's
	origins map[string]string // by plugin: where a module was fetched from that is no file
	given   map[string]string // by digest: what the config calls it, or where it was found
}

// pack reads the modules, data files and lists of a config, and fetches what is elsewhere.
// With a module go its signature and golden vectors, so that every host judges it as
// this one does.
func (s *shelf) pack(ctx context.Context, cfg *config.Config) (*packed, error) {
	c := *cfg
	c.Plugins, c.Lists = slices.Clone(cfg.Plugins), slices.Clone(cfg.Lists)
	p := &packed{Config: &c, files: map[string]string{}, fetched: map[string][]byte{}, origins: map[string]string{}, given: map[string]string{}}
	for i := range c.Plugins {
		name, one := c.Plugins[i].Name, &c.Plugins[i].Value
		at := []string{"plugins", name}
		if one.Module.IsZero() {
			continue
		}
		got, err := s.loader.Fetch(ctx, pluginSpec(cfg, name, one))
		if err != nil {
			s.past.refused(err)
			return nil, config.Faults{cfg.Faultf(append(at, "module"), "%v", errors.Unwrap(err))}
		}
		if !got.Module.File {
			p.origins[name] = got.Module.From
		}
		one.Digest = fetch.Digest(got.Module.Content)
		module := p.keep(got.Module)
		p.given[one.Digest] = one.Module.String()
		one.Module = config.FileURL(module.String())
		one.Golden, one.Signature = p.keep(got.Golden), p.keep(got.Signature)
		one.Data = slices.Clone(one.Data)
		for j := range one.Data {
			d := &one.Data[j]
			digest, err := p.add(strings.TrimPrefix(d.Value.String(), "file://"), abi.MaxDataBytes)
			if err != nil {
				return nil, config.Faults{cfg.Faultf(append(at, "data", d.Name), "%v", err)}
			}
			p.given[digest] = d.Value.Given()
			d.Value = config.FilePath(packedName(digest))
		}
	}
	for i := range c.Lists {
		l := &c.Lists[i]
		digest, err := p.add(l.Value.String(), expr.MaxListBytes)
		if err != nil {
			return nil, config.Faults{cfg.Faultf([]string{"lists", l.Name}, "%v", err)}
		}
		p.given[digest] = l.Value.Given()
		l.Value = config.FilePath(packedName(digest))
	}
	return p, nil
}

// keep takes a part of a package in, and gives its name; none of one that is not
// there.
func (p *packed) keep(part fetch.Part) (name config.Path) {
	if part.Content == nil {
		return config.Path{}
	}
	digest := fetch.Digest(part.Content)
	p.given[digest] = part.From
	if part.File {
		p.files[digest] = part.From
	} else {
		p.fetched[digest] = part.Content
	}
	return config.FilePath(packedName(digest))
}

func (p *packed) add(path string, limit int) (digest string, err error) {
	content, err := fetch.ReadFile(path, limit)
	if err != nil {
		return "", err
	}
	digest = fetch.Digest(content)
	p.files[digest] = path
	return digest, nil
}

// put puts the files of a packed config where all hosts of the group find them.
func (f *files) put(ctx context.Context, p *packed) error {
	for digest, path := range p.files {
		content, err := fetch.ReadFile(path, max(abi.MaxModuleBytes, abi.MaxDataBytes))
		if err != nil {
			return err
		}
		kept, err := f.store.PutModule(ctx, content)
		if err != nil {
			return err
		}
		if kept != digest {
			return fmt.Errorf("%s has changed while it was read: try again", path)
		}
	}
	for _, content := range p.fetched {
		if _, err := f.store.PutModule(ctx, content); err != nil {
			return err
		}
	}
	return nil
}

// fetch sees to it that the files that a generation's config names are below the
// data directory, with their content.
func (f *files) fetch(ctx context.Context, cfg *config.Config) error {
	for name, p := range cfg.Plugins.All() {
		if p.Module.IsZero() {
			continue
		}
		if err := f.local(ctx, p.Module.Path.String()); err != nil {
			return fmt.Errorf("plugin %s: module: %w", name, err)
		}
		for what, path := range map[string]config.Path{"golden": p.Golden, "signature": p.Signature} {
			if path.IsZero() {
				continue
			}
			if err := f.local(ctx, path.String()); err != nil {
				return fmt.Errorf("plugin %s: %s: %w", name, what, err)
			}
		}
		for data, path := range p.Data.All() {
			if err := f.local(ctx, path.String()); err != nil {
				return fmt.Errorf("plugin %s: data %s: %w", name, data, err)
			}
		}
	}
	for name, path := range cfg.Lists.All() {
		if err := f.local(ctx, path.String()); err != nil {
			return fmt.Errorf("list %s: %w", name, err)
		}
	}
	return nil
}

// local sees to one file.
func (f *files) local(ctx context.Context, path string) error {
	rel, err := filepath.Rel(f.dir, path)
	digest, ok := packedDigest(filepath.ToSlash(rel))
	if err != nil || !ok {
		return fmt.Errorf("%s is no digest", path)
	}
	if content, err := os.ReadFile(path); err == nil && fetch.Digest(content) == digest {
		return nil
	}
	content, err := f.find(ctx, digest)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("keep a module: %w", err)
	}
	return writeFile(path, content)
}

// find looks for a content in the blob store, among what this host's own config
// names, and among what it has fetched.
func (f *files) find(ctx context.Context, digest string) ([]byte, error) {
	content, err := f.store.Module(ctx, digest)
	if err == nil {
		return content, nil
	}
	f.mu.Lock()
	path, ok := f.own[digest]
	f.mu.Unlock()
	if ok {
		if own, ownErr := fetch.ReadFile(path, max(abi.MaxModuleBytes, abi.MaxDataBytes)); ownErr == nil && fetch.Digest(own) == digest {
			return own, nil
		}
	}
	if own, ok := f.loader.Kept(digest); ok {
		return own, nil
	}
	if errors.Is(err, blob.ErrNotFound) {
		err = fmt.Errorf("%s is not in %s: give all hosts of the group one store (snapshots.url): %w", digest, f.label, err)
	}
	return nil, err
}

// writeFile writes a file whole or not at all.
func writeFile(path string, content []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("keep a module: %w", err)
	}
	_, err = t.Write(content)
	err = errors.Join(err, t.Sync(), t.Close())
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		if gone := os.Remove(t.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return fmt.Errorf("keep a module: %w", err)
	}
	return nil
}
