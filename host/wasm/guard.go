package wasm

import (
	"context"
	"sync"
	"time"
)

// guard ends a call that takes too long. It is the context of all calls of one
// instance: its channel is closed at most once, since the instance dies with
// it, so no call makes a context of its own.
type guard struct {
	done  chan struct{}
	timer *time.Timer

	mu       sync.Mutex
	armed    bool
	fired    bool
	deadline time.Time

	output []byte // the first that the guest wrote to stdout and stderr in this call
}

// guardKey finds the guard in the context that a host function gets.
type guardKey struct{}

// outputBytes is how much of what a guest writes in a call is kept: the first,
// since language runtimes say what is wrong before they dump their stacks.
const outputBytes = 2 << 10

func newGuard() *guard {
	g := &guard{done: make(chan struct{})}
	g.timer = time.AfterFunc(time.Hour, g.expire)
	g.timer.Stop()
	return g
}

func (g *guard) arm(d time.Duration) {
	g.output = g.output[:0]
	g.mu.Lock()
	g.armed, g.deadline = true, time.Now().Add(d)
	g.mu.Unlock()
	g.timer.Reset(d)
}

// disarm reports whether the time was up.
func (g *guard) disarm() bool {
	g.timer.Stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = false
	return g.fired
}

func (g *guard) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	// The timer of the call before can come late, into this call.
	if !g.armed || g.fired || time.Now().Before(g.deadline) {
		return
	}
	g.fired = true
	close(g.done)
}

func (g *guard) keep(b []byte) {
	g.output = append(g.output, b[:min(len(b), outputBytes-len(g.output))]...)
}

var _ context.Context = (*guard)(nil)

func (g *guard) Deadline() (time.Time, bool) { return time.Time{}, false }

func (g *guard) Done() <-chan struct{} { return g.done }

func (g *guard) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fired {
		return context.DeadlineExceeded
	}
	return nil
}

func (g *guard) Value(key any) any {
	if key == (guardKey{}) {
		return g
	}
	return nil
}
