package wasm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seed-6a2d649b/pharos/abi"
)

// ErrClosed is returned by a pool that was closed.
var ErrClosed = errors.New("the pool is closed")

// Pool keeps configured instances of one module and config: about one a worker,
// made when they are needed. It is safe for concurrent use.
type Pool struct {
	module   *Module
	config   []byte
	data     map[string][]byte
	size     int
	plan     *abi.Plan
	planText string
	image    *image // nil: instances start anew

	mu      sync.Mutex
	free    []*Instance
	out     int // instances that workers have
	closed  bool
	drained chan struct{} // closed when closed and out is 0
}

// NewPool configures a first instance, so that a config that does not work
// shows here. Others begin where that one is then, so starting is done once: a guest
// that starts slowly and then fails holds up nobody. size is how many idle instances
// are kept, at least 1. The pool holds on to config and data.
func (m *Module) NewPool(ctx context.Context, config []byte, data map[string][]byte, size int) (*Pool, error) {
	first, err := m.Instantiate(ctx, config, data)
	if err != nil {
		return nil, err
	}
	image, err := first.image(ctx)
	if err != nil {
		return nil, errors.Join(err, first.Close(ctx))
	}
	return &Pool{
		module: m, config: config, data: data, size: max(size, 1),
		plan: first.plan, planText: first.planText, image: image,
		free: []*Instance{first}, drained: make(chan struct{}),
	}, nil
}

// Plan returns the plan that all instances have.
func (p *Pool) Plan() *abi.Plan { return p.plan }

// Module returns the module of the instances.
func (p *Pool) Module() *Module { return p.module }

// Get takes an idle instance or makes one. Give it back with Put, dead or not.
func (p *Pool) Get(ctx context.Context) (*Instance, error) { return p.take(ctx, false) }

// Fresh makes an instance that has processed nothing yet, for telling whether a
// row is guilty. Give it back with Put.
func (p *Pool) Fresh(ctx context.Context) (*Instance, error) { return p.take(ctx, true) }

func (p *Pool) take(ctx context.Context, fresh bool) (*Instance, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	p.out++
	if n := len(p.free); n > 0 && !fresh {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return i, nil
	}
	p.mu.Unlock()
	i, err := p.make(ctx)
	if err != nil {
		p.gone()
		return nil, err
	}
	return i, nil
}

// make makes an instance like the first one was.
func (p *Pool) make(ctx context.Context) (*Instance, error) {
	if p.image != nil {
		return p.image.instance(ctx)
	}
	i, err := p.module.Instantiate(ctx, p.config, p.data)
	if err == nil && i.planText != p.planText {
		err = errors.Join(i.kill(abi.ExportPlan, Violation, errors.New("another plan than before for the same config and data")), i.Close(ctx))
	}
	return i, err
}

// gone notes that a worker has one instance less.
func (p *Pool) gone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out--; p.closed && p.out == 0 {
		close(p.drained)
	}
}

// Put takes an instance back. A dead one is let go, as is one too many.
func (p *Pool) Put(ctx context.Context, i *Instance) error {
	p.mu.Lock()
	keep := !p.closed && i.dead == nil && len(p.free) < p.size
	if keep {
		p.free = append(p.free, i)
	}
	p.mu.Unlock()
	defer p.gone()
	if keep {
		return nil
	}
	return i.Close(ctx)
}

// Process processes a batch with some instance of the pool; errors are those of
// Get and of Instance.Process.
func (p *Pool) Process(ctx context.Context, b *abi.Batch, out *abi.Output) error {
	i, err := p.Get(ctx)
	if err != nil {
		return err
	}
	err = i.Process(ctx, b, out)
	if closeErr := p.Put(ctx, i); closeErr != nil && err == nil {
		err = fmt.Errorf("plugin %s: %w", p.module.name, closeErr)
	}
	return err
}

// Close lets the idle instances go, waits until the workers have given back
// theirs, or until ctx ends. It does not close the module.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	free := p.free
	p.free = nil
	if !p.closed {
		p.closed = true
		if p.out == 0 {
			close(p.drained)
		}
	}
	p.mu.Unlock()
	var errs []error
	for _, i := range free {
		errs = append(errs, i.Close(ctx))
	}
	select {
	case <-p.drained:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("plugin %s: instances are still at work: %w", p.module.name, ctx.Err()))
	}
	return errors.Join(errs...)
}
