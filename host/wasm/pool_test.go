package wasm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
)

func newPool(t testing.TB, m *Module, config string, size int) *Pool {
	t.Helper()
	p, err := m.NewPool(t.Context(), []byte(config), nil, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestPoolWorkers(t *testing.T) {
	p := newPool(t, compile(t, "filter"), "", 2)
	b := batch(t, abi.Filter, p.Plan(), `{"n":1}`, `{"n":2}`, `{}`)
	var workers sync.WaitGroup
	errs := make([]error, 4)
	for w := range errs {
		workers.Go(func() {
			var out abi.Output
			for range 200 {
				if err := p.Process(t.Context(), b, &out); err != nil {
					errs[w] = err
					return
				}
				if out.Keep[0] != 2 || out.Reasons[0] != 1 || out.Reasons[2] != 0 || out.Counters[0] != 1 {
					errs[w] = fmt.Errorf("%+v", out)
					return
				}
			}
		})
	}
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if n := len(p.free); n < 1 || n > 2 || p.out != 0 {
		t.Errorf("%d idle, %d out", n, p.out)
	}
}

func TestPoolDiscardsTheDead(t *testing.T) {
	p := newPool(t, compile(t, "bad"), `"#a"`, 2)
	b := batch(t, abi.Extract, p.Plan(), `{}`)
	var out abi.Output
	for range 3 {
		var trap *TrapError
		if err := p.Process(t.Context(), b, &out); !errors.As(err, &trap) || trap.Cause != Trap {
			t.Fatalf("%v", err)
		}
		if len(p.free) != 0 {
			t.Fatalf("%d dead instances are kept", len(p.free))
		}
	}
}

func TestPoolFresh(t *testing.T) {
	p := newPool(t, compile(t, "bad"), `"#t"`, 1)
	b := batch(t, abi.Extract, p.Plan(), `{}`)
	var out abi.Output
	// This guest's second call differs from its first: so it shows which instance it is.
	for call, want := range []int{0, 1, 0} {
		if err := p.Process(t.Context(), b, &out); err != nil || len(out.Measurements) != want {
			t.Fatalf("call %d: %v, %d measurements", call, err, len(out.Measurements))
		}
	}
	for range 2 {
		i, err := p.Fresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Process(t.Context(), b, &out); err != nil || len(out.Measurements) != 0 {
			t.Fatalf("not fresh: %v, %d measurements", err, len(out.Measurements))
		}
		if err := p.Put(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPoolCloseWaits(t *testing.T) {
	m := compile(t, "filter")
	p, err := m.NewPool(t.Context(), nil, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	i, err := p.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.Close(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closed while an instance is out: %v", err)
	}
	if _, err := p.Get(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := p.Put(t.Context(), i); err != nil || !i.Dead() {
		t.Error(err, i.Dead())
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNewPoolRefuses(t *testing.T) {
	var config *ConfigError
	if _, err := compile(t, "bad").NewPool(t.Context(), []byte(`"#A"`), nil, 1); !errors.As(err, &config) {
		t.Error(err)
	}
}
