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

	tail []byte // the last that the guest wrote to stdout and stderr
}

// guardKey finds the guard in the context that a host function gets.
type guardKey struct{}

// tailBytes is how much of a guest's stdout and stderr is kept.
const tailBytes = 2 << 10

func newGuard() *guard {
	g := &guard{done: make(chan struct{})}
	g.timer = time.AfterFunc(time.Hour, g.expire)
	g.timer.Stop()
	return g
}

func (g *guard) arm(d time.Duration) {
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

func (g *guard) keepTail(b []byte) {
	if len(b) > tailBytes {
		b = b[len(b)-tailBytes:]
	}
	if over := len(g.tail) + len(b) - tailBytes; over > 0 {
		g.tail = append(g.tail[:0], g.tail[over:]...)
	}
	g.tail = append(g.tail, b...)
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
