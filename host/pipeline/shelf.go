package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// shelf holds the plugins that are loaded, each once however many generations have
// it: a generation that changes a formula compiles nothing.
type shelf struct {
	loader *plugin.Loader
	past   *past
	trial  bool // what it lets go of never was in force

	mu     sync.Mutex
	loaded map[string]*shelved // by what decides what a plugin does
	unused chan struct{}       // a plugin that nobody uses waits for sweep
}

// shelved is a plugin and how many generations have it.
type shelved struct {
	*plugin.Plugin
	users int
}

// newShelf makes a shelf for the plugins of a config.
func newShelf(cfg *config.Config) (*shelf, error) {
	l, err := newLoader(cfg)
	if err != nil {
		return nil, err
	}
	return &shelf{loader: l, past: &past{}, loaded: map[string]*shelved{}, unused: make(chan struct{}, 1)}, nil
}

// newLoader keeps compiled and fetched modules below the data directory. That only saves
// time: where nothing can be written there, it keeps them in memory.
func newLoader(cfg *config.Config) (*plugin.Loader, error) {
	for _, p := range cfg.Plugins.All() {
		if p.Module.IsZero() {
			continue
		}
		if l, err := plugin.NewLoader(cfg.Data.String()); err == nil {
			return l, nil
		}
		break
	}
	return plugin.NewLoader("")
}

// take gives a plugin, loaded if it is not there yet. give lets it go.
func (s *shelf) take(ctx context.Context, spec plugin.Spec) (*shelved, error) {
	key := keyOf(spec)
	if p := s.find(key); p != nil {
		return p, nil
	}
	loaded, err := s.loader.Load(ctx, spec) // which may take long
	if err != nil {
		s.past.refused(err)
		return nil, err
	}
	if p := s.find(key); p != nil {
		return p, loaded.Close(ctx) // another was faster
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &shelved{Plugin: loaded, users: 1}
	s.loaded[key] = p
	return p, nil
}

func (s *shelf) find(key string) *shelved {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.loaded[key]
	if p != nil {
		p.users++
	}
	return p
}

// keyOf tells specs apart. Module, data and lists of a host's generations are named by
// their digests.
func keyOf(spec plugin.Spec) string {
	text, err := json.Marshal(spec)
	if err != nil {
		panic(err) // texts, numbers and JSON that was read before
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// give lets plugins go; sweep closes those that nobody has any more.
func (s *shelf) give(plugins ...*shelved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range plugins {
		p.users--
	}
	select {
	case s.unused <- struct{}{}:
	default:
	}
}

// sweep closes the plugins that nobody has any more.
func (s *shelf) sweep(ctx context.Context) error {
	s.mu.Lock()
	var idle []*shelved
	for key, p := range s.loaded {
		if p.users == 0 {
			idle = append(idle, p)
			delete(s.loaded, key)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, p := range idle {
		errs = append(errs, s.let(ctx, p.Plugin))
	}
	return errors.Join(errs...)
}

// let closes a plugin.
func (s *shelf) let(ctx context.Context, p *plugin.Plugin) error {
	p.Life().Enter(plugin.Drained, "")
	began := time.Now()
	err := p.Close(ctx)
	detail := ""
	if err != nil {
		detail = err.Error()
	}
	p.Life().EnterSince(plugin.Closed, detail, began)
	if !s.trial {
		s.past.add(pluginStatus(p))
	}
	return err
}

// len is how many plugins are loaded.
func (s *shelf) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.loaded)
}

// close closes all plugins; whoever has one must have ended.
func (s *shelf) close(ctx context.Context) error {
	s.mu.Lock()
	for _, p := range s.loaded {
		p.users = 0
	}
	s.mu.Unlock()
	return errors.Join(s.sweep(ctx), s.loader.Close(ctx))
}

// anchor is referred to by everything that may call a generation's plugins: a
// dispatch core, the plans of sessions that are still open. Who still has one is
// known to the collector only: once nobody has, the plugins are given back.
type anchor struct {
	plugins []*shelved
}

// newAnchor takes over plugins that were taken from the shelf.
func newAnchor(s *shelf, plugins []*shelved) *anchor {
	a := &anchor{plugins: plugins}
	runtime.AddCleanup(a, func(list []*shelved) { s.give(list...) }, slices.Clone(plugins))
	return a
}

// held is a plugin in the hands of a stage.
type held struct {
	*rollout.Plugin
	generation *anchor
}
