package blob

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"
)

// memory is a bucket that ends with the process.
type memory struct {
	mu      sync.Mutex
	objects map[string]object
}

type object struct {
	content []byte
	written time.Time
}

// named are the buckets of mem://NAME.
var named = struct {
	sync.Mutex
	buckets map[string]*memory
}{buckets: map[string]*memory{}}

func openMemory(_ context.Context, u *url.URL) (Driver, error) {
	name := u.Host + u.Path
	if name == "" {
		return &memory{objects: map[string]object{}}, nil
	}
	named.Lock()
	defer named.Unlock()
	if named.buckets[name] == nil {
		named.buckets[name] = &memory{objects: map[string]object{}}
	}
	return named.buckets[name], nil
}

func (m *memory) Close() error { return nil }

func (m *memory) Write(ctx context.Context, name string, onlyNew bool, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.objects[name]; there && onlyNew {
		return ErrExists
	}
	m.objects[name] = object{b.Bytes(), time.Now()}
	return nil
}

func (m *memory) Read(_ context.Context, name string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, there := m.objects[name]
	if !there {
		return nil, ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(o.content)), nil
}

func (m *memory) List(_ context.Context, prefix string, each func(Entry) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, o := range m.objects {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := each(Entry{Name: name, Size: int64(len(o.content)), ModTime: o.written}); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.objects[name]; !there {
		return ErrNotFound
	}
	delete(m.objects, name)
	return nil
}
