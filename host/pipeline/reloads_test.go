package pipeline

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

var reloads = flag.Int("reloads", 100, "how often TestReloadsLeaveNothing reloads")

// holdings are what this process holds.
type holdings struct {
	goroutines, files int
	mappings          int // of memory: compiled code is in some
	heap              uint64
}

// holdingsNow counts after whatever can be let go of is gone. Files and mappings are
// those of Linux; elsewhere they are not counted.
func holdingsNow(t *testing.T) (h holdings) {
	t.Helper()
	for range 3 { // what cleanups let go of is collected by the next
		runtime.GC()
	}
	h.goroutines = runtime.NumGoroutine()
	if runtime.GOOS == "linux" {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		h.files, h.mappings = len(files), bytes.Count(maps, []byte("\n"))
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.heap = m.HeapAlloc
	return h
}

// heapOfReload is what a reload may add for good, in bytes: its record in the broker
// and where that stands. An instance of the module that it loads has some hundred
// times as much.
const heapOfReload = 16 << 10

// Reloads leave nothing behind: no goroutine, file, memory, plugin or compiled code.
// Each has another config for a module, and other rules.
func TestReloadsLeaveNothing(t *testing.T) {
	const warm = 20 // connections are made, and memory is in use, by then
	text := strings.ReplaceAll(hostConfig, "MODULES", modules(t))
	h := startHost(t, testBroker(t), hostOptions{id: "a", roles: AllRoles, embedded: true}, text)
	eventually(t, "readiness", func() bool { return h.ready() == nil })
	settled := func() bool {
		runtime.GC()
		return h.gens.shelf.len() <= 3
	}
	var before holdings
	for i := range warm + *reloads {
		if i == warm {
			eventually(t, "the first plugins are let go", settled)
			before = holdingsNow(t)
		}
		writeFileT(t, h.file, edited(t, text, `path == "first"`, fmt.Sprintf(`path == "%d"`, i), "extra: [first]", fmt.Sprintf("extra: [agent%d]", i)))
		answer, err := h.reload(t.Context(), false)
		if err != nil || !answer.Published || answer.Generation != uint64(i+2) || len(answer.Changes) != 2 || answer.Warning != "" {
			t.Fatalf("reload %d: %v %+v", i, err, answer)
		}
		if i%1000 == 999 {
			t.Logf("%d reloads: %+v, %d plugins", i+1, holdingsNow(t), h.gens.shelf.len())
		}
	}
	eventually(t, "plugins of old generations are let go", settled)
	var after holdings
	eventually(t, "no more goroutines, files and mappings than before", func() bool {
		after = holdingsNow(t)
		return after.goroutines <= before.goroutines+10 && after.files <= before.files+10 && after.mappings <= before.mappings+50
	})
	if most := before.heap + uint64(*reloads*heapOfReload) + 8<<20; after.heap > most {
		t.Errorf("the heap has %d bytes, before %d reloads %d", after.heap, *reloads, before.heap)
	}
	t.Logf("before %+v, after %d reloads %+v", before, *reloads, after)
	if s := h.status(t.Context()); s.Generation != uint64(warm+*reloads+1) || s.GenerationWanted != s.Generation || len(s.Faults) > 0 {
		t.Errorf("%+v", s)
	}
}
