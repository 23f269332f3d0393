package wasm

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

func TestCompileRefuses(t *testing.T) {
	r := newRuntime(t)
	for _, c := range []struct {
		guest string
		want  []string // all in the error
	}{
		{"abi2", []string{"plugin abi2:", "version 2 of the ABI", "this host version 1"}},
		{"noplan", []string{"exports no function pharos_plan () -> (i64)"}},
		{"signature", []string{"exports pharos_process (i64) -> (i32), it must be (i32) -> (i32)"}},
		{"imports", []string{
			"imports the function env.now",
			"imports the function wasi_snapshot_preview1.sched_yeld",
			"imports wasi_snapshot_preview1.sched_yield as () -> (i64), it is () -> (i32)",
		}},
		{"importsmemory", []string{"imports the memory env.memory"}},
		{"startsmain", []string{"exports _start: it is a command", "exports pharos_clsoe, which version 1"}},
		{"starttrap", []string{"start: trap: ", "unreachable"}},
		{"manifest", []string{`kind "sieve" is none of filter, split, extract`, `name "" is not`}},
		{"hugememory", []string{"memory limit 256 pages", "1024 pages"}},
		{"tablestoolarge", []string{"its 2 tables may have 1048577 elements: at most 8 tables of 1048576 elements together are allowed"}},
		{"tablestoomany", []string{"its 9 tables may have 9 elements"}},
		{"tablesgrow", []string{"reference-types", "a table without a maximum: give it one"}},
	} {
		t.Run(c.guest, func(t *testing.T) {
			m, err := r.Compile(t.Context(), c.guest, code(t, c.guest))
			if err == nil {
				t.Fatal("it was taken", m.Close(t.Context()))
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
	t.Run("no wasm", func(t *testing.T) {
		if _, err := r.Compile(t.Context(), "x", []byte("#!/bin/sh")); err == nil || !strings.Contains(err.Error(), "not a module that can run here") {
			t.Error(err)
		}
	})
	t.Run("too large", func(t *testing.T) {
		if _, err := r.Compile(t.Context(), "x", make([]byte, abi.MaxModuleBytes+1)); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Error(err)
		}
	})
	t.Run("limits", func(t *testing.T) {
		_, err := r.Compile(t.Context(), "x", code(t, "filter"), WithLimits(Limits{Memory: 100, Fuel: -1}))
		if err == nil || !strings.Contains(err.Error(), "memory limit of 100 bytes") || !strings.Contains(err.Error(), "fuel of -1") {
			t.Error(err)
		}
	})
}

// TestTables: what is within the bounds works, and no table grows beyond them.
func TestTables(t *testing.T) {
	for _, guest := range []string{"tablesfit", "tablesopen"} {
		i := instantiate(t, compile(t, guest), "")
		var out abi.Output
		if err := i.Process(t.Context(), batch(t, abi.Filter, i.Plan(), `{}`), &out); err != nil {
			t.Errorf("%s: %v", guest, err)
		}
	}
}

// Tables that this host cannot read are not passed over.
func TestUnreadableTables(t *testing.T) {
	header := "\x00asm\x01\x00\x00\x00"
	for _, c := range []struct{ section, want string }{
		{"\x04\x04\x01\x70\x00\x07", ""},
		{"\x04\x05\x01\x70\x01\x07\x09", ""},
		{"\x00\x01x\x04\x04\x01\x6f\x00\x07", ""},
		{"\x04\x04\x01\x63\x00\x07", "cannot be read"}, // a typed reference
		{"\x04\x04\x01\x70\x02\x07", "cannot be read"}, // shared
		{"\x04\x08\x01\x40\x00\x70\x00\x07\xd0\x0b", "cannot be read"},
		{"\x04\x04\x02\x70\x00\x07", "cannot be read"},
	} {
		got, err := tablesOf([]byte(header + c.section))
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v", c.section, err)
		}
		if c.want == "" && (err != nil || got.n != 1 || got.elements != 7 && got.elements != 9 || got.unbounded == (got.elements == 9)) {
			t.Errorf("%q: %+v, %v", c.section, got, err)
		}
	}
}

// A loop before the first batch is ended too.
func TestStartLoops(t *testing.T) {
	few := func(o *options) { o.start = 1_000_000 }
	_, err := newRuntime(t).Compile(t.Context(), "initloop", code(t, "initloop"), few)
	var trap *TrapError
	if !errors.As(err, &trap) || trap.Cause != OutOfFuel || trap.Function != abi.ExportInitialize {
		t.Errorf("%v", err)
	}
	m := compile(t, "bad", few)
	_, err = m.Instantiate(t.Context(), []byte(`"#L"`), nil)
	if !errors.As(err, &trap) || trap.Cause != OutOfFuel || trap.Function != abi.ExportConfigure {
		t.Errorf("%v", err)
	}
}

func TestManifest(t *testing.T) {
	m := compile(t, "filter")
	if got := m.Manifest(); got.Kind != abi.Filter || got.Name != "odd" || got.Version != "1.2.3" {
		t.Errorf("%+v", got)
	}
	if len(m.Golden()) != 0 {
		t.Errorf("golden: %q", m.Golden())
	}
}

func TestGoldenSection(t *testing.T) {
	line := `{"beacons":[{"n":1},{"n":2},{}],"expect":["odd",null,"missing"],"counters":{"odd":1}}`
	module := slices.Clone(code(t, "filter"))
	for range 2 {
		section := append([]byte{byte(len(abi.GoldenSection))}, abi.GoldenSection+line...)
		n := len(section)
		module = append(module, 0, byte(n&0x7F|0x80), byte(n>>7))
		module = append(module, section...)
	}
	m, err := newRuntime(t).Compile(t.Context(), "golden", module)
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := abi.ParseVectors(m.Manifest().Kind, m.Golden())
	if err != nil || len(vectors) != 2 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	i := instantiate(t, m, "")
	var b abi.Batch
	var out abi.Output
	for _, v := range vectors {
		if err := v.Batch(i.Plan().Fields, &b); err != nil {
			t.Fatal(err)
		}
		if err := i.Process(t.Context(), &b, &out); err != nil {
			t.Fatal(err)
		}
		if err := v.Check(abi.Filter, i.Plan(), &out); err != nil {
			t.Error(err)
		}
	}
}

func TestInstantiateRefuses(t *testing.T) {
	m := compile(t, "bad")
	for _, c := range []struct{ name, mode, want string }{
		{"configure says no", "A", `refuses its config: broken on “purpose” `},
		{"plan outside of memory", "B", "pharos_plan: abi violation: text of 1000 bytes at 65000, outside of the memory of 65536 bytes"},
		{"unknown key in the plan", "C", `unknown field "color"`},
		{"faults of the plan", "D", `point "visit" is reserved`},
		{"another fault of the plan", "D", `point "p" is named twice`},
		{"routes of an extractor", "D", `routes are for plugins of the kind split, not extract`},
		{"plan too long", "G", "at most 1048576 are allowed"},
		{"trap in configure", "K", "pharos_configure: trap: unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := []byte(`{"mode":"#` + c.mode + `"}`)
			_, err := m.Instantiate(t.Context(), config, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
	t.Run("config is no JSON", func(t *testing.T) {
		if _, err := m.Instantiate(t.Context(), []byte("{"), nil); err == nil || !strings.Contains(err.Error(), "not JSON") {
			t.Error(err)
		}
	})
	t.Run("config is too long", func(t *testing.T) {
		if _, err := m.Instantiate(t.Context(), make([]byte, abi.MaxConfigBytes+1), nil); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Error(err)
		}
	})
	t.Run("data does not fit", func(t *testing.T) {
		_, err := m.Instantiate(t.Context(), nil, map[string][]byte{"list": make([]byte, abi.DefaultMemory)})
		if err == nil || !strings.Contains(err.Error(), "raise its limits.memory") {
			t.Error(err)
		}
	})
	var config *ConfigError
	if _, err := m.Instantiate(t.Context(), []byte(`"#A"`), nil); !errors.As(err, &config) {
		t.Errorf("%v is no ConfigError", err)
	}
}

func TestCacheDirectory(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		r, err := NewRuntime(Options{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Compile(t.Context(), "filter", code(t, "filter"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.Close(t.Context()), r.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewRuntime(Options{CacheDir: "testdata/filter.wat"}); err == nil || !strings.Contains(err.Error(), "compile cache") {
		t.Error(err)
	}
}
