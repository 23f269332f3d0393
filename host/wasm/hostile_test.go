package wasm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

// When a guest does what it does.
const (
	whenLoaded     = "loaded"     // it is refused
	whenConfigured = "configured" // it has no instances
	whenAsked      = "asked"      // the call fails, and its instance is dead
	never          = "never"      // it harms at most its own answers
)

// hostile are guests that mean no good: when and why each ends, and what is said of
// it. The cause is empty where the host refuses it without having run it.
var hostile = []struct {
	guest, when string
	cause       Cause
	want        string
}{
	{"loop-start", whenLoaded, OutOfFuel, "plugin loop-start: start: out of fuel: did more work than its fuel of 1000000 allows"},
	{"loop-start-referred", whenLoaded, OutOfFuel, "plugin loop-start-referred: start: out of fuel: did more work than its fuel of 1000000 allows"},
	{"loop-initialize", whenLoaded, OutOfFuel, "_initialize: out of fuel"},
	{"loop-table", whenLoaded, OutOfFuel, "did more work than its fuel of 1000000 allows (it has less than others before the first batch, as each of its instances must start anew: it changes its tables)"},
	{"loop-abi", whenLoaded, OutOfFuel, "pharos_abi: out of fuel"},
	{"loop-manifest", whenLoaded, OutOfFuel, "pharos_manifest: out of fuel"},
	{"loop-alloc", whenConfigured, OutOfFuel, "pharos_alloc: out of fuel"},
	{"loop-configure", whenConfigured, OutOfFuel, "pharos_configure: out of fuel"},
	{"loop-plan", whenConfigured, OutOfFuel, "pharos_plan: out of fuel"},
	{"works-at-each-start", whenConfigured, OutOfFuel, "pharos_configure: out of fuel: did more work than its fuel of 1000000 allows"},
	{"loop-arena", whenAsked, OutOfFuel, "pharos_alloc: out of fuel: did more work than its fuel of 10000000 allows"},
	{"loop-process", whenAsked, OutOfFuel, "pharos_process: out of fuel"},
	{"loop-error", whenAsked, OutOfFuel, "pharos_error: out of fuel"},
	{"sleeps", whenAsked, OutOfFuel, "pharos_process: out of fuel"},
	{"floods", whenAsked, OutOfFuel, "pharos_process: out of fuel"},
	{"recurse", whenAsked, Trap, "pharos_process: trap: stack overflow: its calls go deeper than the stack of 8 MiB allows"},
	{"recurse-wide", whenAsked, Trap, "pharos_process: trap: stack overflow"},
	{"recurse-locals", whenAsked, Trap, "pharos_process: trap: stack overflow"},
	{"recurse-mutual", whenAsked, Trap, "pharos_process: trap: stack overflow"},
	{"recurse-table", whenAsked, Trap, "pharos_process: trap: stack overflow"},
	{"recurse-start", whenLoaded, Trap, "plugin recurse-start: start: trap: stack overflow"},
	{"recurse-alloc", whenConfigured, Trap, "pharos_alloc: trap: stack overflow"},
	{"recurse-close", whenAsked, Trap, "pharos_close: trap: stack overflow"},

	{"trap-start", whenLoaded, Trap, "plugin trap-start: start: trap: unreachable"},
	{"trap-initialize", whenLoaded, Trap, "_initialize: trap: unreachable"},
	{"trap-manifest", whenLoaded, Trap, "pharos_manifest: trap: unreachable"},
	{"trap-alloc", whenConfigured, Trap, "pharos_alloc: trap: unreachable"},
	{"trap-configure", whenConfigured, Trap, "pharos_configure: trap: unreachable"},
	{"trap-plan", whenConfigured, Trap, "pharos_plan: trap: unreachable"},
	{"starts-and-traps", whenAsked, Trap, "pharos_process: trap: unreachable"},
	{"trap-process", whenAsked, Trap, "pharos_process: trap: unreachable"},
	{"names", whenAsked, Trap, "pharos_process: trap: unreachable"},
	{"trap-error", whenAsked, Trap, "pharos_error: trap: unreachable"},
	{"writes-outside", whenAsked, Trap, "out of bounds memory access"},
	{"exits", whenAsked, Trap, "called proc_exit(0)"},
	{"error-code", whenAsked, Failed, "code -1: it does not say why"},
	{"error-control", whenAsked, Failed, "code 2: a [31m b?"},
	{"long-error", whenAsked, Failed, "code 7: "},
	{"configure-refuses", whenConfigured, "", "refuses its config: it does not say why"},

	{"pointer-manifest", whenLoaded, Violation, "pharos_manifest: abi violation: text of 100 bytes at 4294967295, outside of the memory of 524288 bytes"},
	{"long-manifest", whenLoaded, Violation, "text of 4294967295 bytes, at most 1048576 are allowed"},
	{"manifest-no-json", whenLoaded, "", "manifest: invalid character"},
	{"pointer-plan", whenConfigured, Violation, "pharos_plan: abi violation: text of 2 bytes at 524287, outside of the memory"},
	{"long-plan", whenConfigured, Violation, "text of 2097152 bytes, at most 1048576 are allowed"},
	{"plan-no-json", whenConfigured, "", "plan: invalid character"},
	{"pointer-error", whenAsked, Violation, "pharos_error: abi violation: text of 100 bytes at 4294967290, outside of the memory"},
	{"alloc-outside", whenConfigured, Violation, "block of 24 bytes at 524280, outside of the memory"},
	{"alloc-wraps", whenConfigured, Violation, "block of 24 bytes at 4294967288, outside of the memory"},
	{"alloc-unaligned", whenConfigured, Violation, "block at 65537, which is no multiple of 8"},
	{"alloc-refuses", whenConfigured, "", "has no memory for its config and data files of 23 bytes: raise its limits.memory"},
	{"alloc-overlaps", never, "", ""},
	{"alloc-moves", never, "", ""},
	{"writes-input", never, "", ""},
	{"writes-memory", never, "", ""},
	{"grow-memory", never, "", ""},
	{"grow-table", never, "", ""},
	{"memory-later-huge", never, "", ""},
	{"manifest-changes", never, "", ""},

	{"counts-measurements", whenAsked, Violation, "says it is done with 1073741824 measurements, 0 tuples and 0 bytes of text where 4, 2 and 32 fit"},
	{"counts-tuples", whenAsked, Violation, "says it is done with 0 measurements, 4294967295 tuples"},
	{"counts-text", whenAsked, Violation, "4294967295 bytes of text where"},
	{"emits-millions", whenAsked, Violation, "says it is done with 10000000 measurements"},
	{"emits-asked", whenAsked, Violation, "needs 10000000 measurements for a batch of 2 rows, at most 512 are allowed"},
	{"needs-absurd", whenAsked, Violation, "needs 4294967295 bytes of text for a batch of 2 rows, at most 16777216 are allowed"},
	{"needs-nothing", whenAsked, Violation, "says that an output is too small, but no count is beyond its capacity"},
	{"needs-room-for-a-filter", whenAsked, Violation, "says that an output is too small, which a plugin of the kind filter never has"},
	{"row-beyond", whenAsked, Violation, "measurement 0: row 4294967295 of 2"},
	{"rows-descend", whenAsked, Violation, "measurement 1: row 0 after row 1"},
	{"point-beyond", whenAsked, Violation, "measurement 0: point 2, the plan has 2"},
	{"reserved", whenAsked, Violation, "measurement 0: its reserved word is not 0"},
	{"tuple-beyond", whenAsked, Violation, "measurement 0: tuple 1 of 1"},
	{"tuple-wraps", whenAsked, Violation, "measurement 0: tuple 4294967294 of 1"},
	{"tuple-of-none", whenAsked, Violation, `measurement 0: attributes for the point "plain", which has none`},
	{"text-beyond", whenAsked, Violation, "its text at 4294967290 with 8 bytes is outside of the batch"},
	{"text-wraps", whenAsked, Violation, "its text at 128 with 4294967295 bytes is outside of the batch"},
	{"text-not-utf8", whenAsked, Violation, "its text is not UTF-8"},
	{"reason-beyond", whenAsked, Violation, "row 0: reason 1, the plan has 1"},
	{"route-beyond", whenAsked, Violation, "row 0: route 65534, the plan has 1"},
	{"bad-values", never, "", ""},      // they are not booked
	{"cells-rewritten", never, "", ""}, // what is right is in the kit of hosts
	{"cells-too-small", never, "", ""},
	{"cells-nan", never, "", ""},
	{"close-traps", whenAsked, Trap, "pharos_close: trap: unreachable"},
	{"close-loops", whenAsked, OutOfFuel, "pharos_close: out of fuel: did more work than its fuel of 10000000 allows"},
	{"close-of-filter", whenLoaded, "", "exports pharos_close, which is for the kind extract, not filter"},

	{"import-function", whenLoaded, "", "imports the function env.now: only the functions of wasi_snapshot_preview1 are there"},
	{"import-unknown", whenLoaded, "", "imports the function wasi_snapshot_preview1.proc_exec"},
	{"import-signature", whenLoaded, "", "imports wasi_snapshot_preview1.fd_write as (i64) -> (), it is (i32, i32, i32, i32) -> (i32)"},
	{"import-memory", whenLoaded, "", "imports the memory env.memory: a guest must have a memory of its own"},
	{"import-table", whenLoaded, "", "imports the table env.table: only functions of wasi_snapshot_preview1 are there"},
	{"import-global", whenLoaded, "", "imports the global env.global"},
	{"start-imported", whenLoaded, "", "imports wasi_snapshot_preview1.sched_yield as () -> (), it is () -> (i32)"},
	{"export-fuel", whenLoaded, "", "it exports pharos_fuel, a name that is the host's"},
	{"export-start", whenLoaded, "", "it exports pharos_start, a name that is the host's"},
	{"export-unknown", whenLoaded, "", "exports pharos_run, which version 1 of the ABI does not know"},
	{"export-command", whenLoaded, "", "exports _start: it is a command"},
	{"process-signature", whenLoaded, "", "exports pharos_process (i64) -> (i32), it must be (i32) -> (i32)"},
	{"not-version", whenLoaded, "", "speaks version 2 of the ABI"},
	{"memory-hidden", whenLoaded, "", `exports no memory "memory"`},
	{"memory-huge", whenLoaded, "", "min 65536 pages (4 Gi) over limit of 256 pages (16 Mi)"},
	{"memory-shared", whenLoaded, "", "section memory: shared memory requested"},
	{"memory-64", whenLoaded, "", "section memory: invalid byte for limits: 0x4"},
	{"memory-two", whenLoaded, "", "section memory: at most one memory allowed"},
	{"grow-table-open", whenLoaded, "", "the module has a table without a maximum: give it one to use reference types"},
}

// TestHostile tries the guests one after the other while another plugin of the same
// runtime is asked all the time: the host is unharmed, the cause is named, and the
// other plugin's answers are right.
func TestHostile(t *testing.T) {
	r := newRuntime(t)
	asked, stop := neighbour(t, r)
	defer stop()
	for _, h := range hostile {
		t.Run(h.guest, func(t *testing.T) {
			before := asked.Load()
			ended, when := try(t, r, h.guest)
			if when != h.when {
				t.Errorf("it ends when it is %s: %v; want %s", when, ended, h.when)
			}
			if h.when == never {
				return
			}
			var trap *TrapError
			if errors.As(ended, &trap) != (h.cause != "") || trap != nil && trap.Cause != h.cause {
				t.Errorf("%v, want the cause %q", ended, h.cause)
			}
			if ended == nil || !strings.Contains(ended.Error(), h.want) || strings.Count(ended.Error(), "plugin "+h.guest) != 1 {
				t.Errorf("%v\nwant %s", ended, h.want)
			}
			if trap != nil && (len(trap.Detail) > abi.MaxErrorBytes+100 || len(trap.Output) > outputBytes || strings.ContainsAny(trap.Detail, "\n\x1b")) {
				t.Errorf("what is said is long or of several lines: %q", trap)
			}
			for asked.Load() == before { // it goes on beside
				runtime.Gosched()
			}
		})
	}
}

// TestHostileGuestsAreTried: none is forgotten.
func TestHostileGuestsAreTried(t *testing.T) {
	sources, err := filepath.Glob("../../abi/testdata/hostile/*.wat")
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{"needs-ever-more": true} // TestNeedsEverMore
	for _, h := range hostile {
		tried[h.guest] = true
	}
	for _, path := range sources {
		if name := strings.TrimSuffix(filepath.Base(path), ".wat"); !tried[name] {
			t.Errorf("nobody tries %s", path)
		}
	}
}

// try loads a guest, configures it and asks it, and gives why and when it ended.
func try(t *testing.T, r *Runtime, name string) (ended error, when string) {
	m, err := r.Compile(t.Context(), name, hostileCode(t, name), func(o *options) { o.start = 1_000_000 })
	if err != nil {
		return err, whenLoaded
	}
	defer func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	i, err := m.Instantiate(t.Context(), nil, nil)
	if err != nil {
		return err, whenConfigured
	}
	var out abi.Output
	b := batch(t, m.manifest.Kind, i.Plan(), `{"n":1}`, `{"n":2}`)
	sessions := abi.Sessions{Slots: []uint32{0, 1}}
	for range i.Plan().Cells {
		sessions.Cells = append(sessions.Cells, make([]uint64, 2))
	}
	b.Sessions = sessions
	ask := []*abi.Batch{b, b, b}
	if m.Closes() {
		closed := abi.Closed{First: make([]int64, 2), Last: make([]int64, 2), Sessions: sessions}
		for range i.Plan().Points {
			closed.Counts = append(closed.Counts, make([]int64, 2))
		}
		ended := new(abi.Batch)
		closed.Batch(0, 2, ended)
		ask = append(ask, ended)
	}
	for _, b := range ask {
		if err := i.Process(t.Context(), b, &out); err != nil {
			if !i.Dead() {
				t.Error("the instance lives")
			}
			return err, whenAsked
		}
	}
	if most := m.Limits().Memory; int64(i.memory.Size()) > most {
		t.Errorf("its memory has %d bytes, more than %d", i.memory.Size(), most)
	}
	return i.Close(t.Context()), never
}

func hostileCode(t *testing.T, name string) []byte {
	t.Helper()
	code, err := os.ReadFile(filepath.Join("../../abi/testdata/hostile", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// neighbour asks a plugin that means well all the time, until stop.
func neighbour(t *testing.T, r *Runtime) (asked *atomic.Int64, stop func()) {
	t.Helper()
	m, err := r.Compile(t.Context(), "filter", code(t, "filter"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.NewPool(t.Context(), nil, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := batch(t, abi.Filter, p.Plan(), `{"n":1}`, `{"n":2}`, `{}`)
	asked = new(atomic.Int64)
	ended := make(chan struct{})
	var beside sync.WaitGroup
	var failed error
	beside.Go(func() {
		var out abi.Output
		for {
			select {
			case <-ended:
				return
			default:
			}
			err := p.Process(t.Context(), b, &out)
			if err == nil && (out.Keep[0] != 2 || out.Reasons[0] != 1 || out.Reasons[2] != 0 || out.Counters[0] != 1) {
				err = fmt.Errorf("it answers %+v", out)
			}
			if failed == nil {
				failed = err
			}
			asked.Add(1)
		}
	})
	return asked, func() {
		close(ended)
		beside.Wait()
		if err := errors.Join(failed, p.Close(context.Background()), m.Close(context.Background())); err != nil {
			t.Errorf("the other plugin: %v", err)
		}
	}
}

// TestGuarded: a panic of the engine is an error.
func TestGuarded(t *testing.T) {
	if err := guarded(func() error { panic("BUG") }); err == nil || !strings.Contains(err.Error(), "BUG") {
		t.Error(err)
	}
	if err := guarded(func() error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

// TestNeedsEverMore: outputs grow until the guest's memory is full, in few calls, and
// no other batch suffers.
func TestNeedsEverMore(t *testing.T) {
	m, err := newRuntime(t).Compile(t.Context(), "more", hostileCode(t, "needs-ever-more"))
	if err != nil {
		t.Fatal(err)
	}
	i := instantiate(t, m, "")
	var out abi.Output
	var size *abi.SizeError
	if err := i.Process(t.Context(), batch(t, abi.Extract, i.Plan(), `{"n":1}`), &out); !errors.As(err, &size) || i.Dead() {
		t.Errorf("%v", err)
	}
	if used := i.Fuel(); used > 2_000_000 {
		t.Errorf("it was let do work of %d", used)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
