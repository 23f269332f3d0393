package plugin

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	path := copyModule(t, "testdata/filter.wasm", `{"beacons": [{}], "expect": [null]}`)
	in, err := Inspect(context.Background(), "file://"+path)
	if err != nil || len(in.Problems) > 0 {
		t.Fatal(err, in.Problems)
	}
	if in.Path != path || !strings.HasPrefix(in.Digest, digestPrefix) || in.Vectors != 1 || in.Manifest.Name != "moody" || in.Plan.Reasons[1] != "yes" {
		t.Errorf("%+v", in)
	}
	if !slices.Contains(in.Exports, "pharos_alloc (i32, i32) -> (i32)") || !slices.Contains(in.Exports, "memory memory") || len(in.Imports) > 0 {
		t.Errorf("exports %q, imports %q", in.Exports, in.Imports)
	}
	if kept, err := Inspect(context.Background(), sessionsModule); err != nil || !kept.Closes || len(kept.Plan.Cells) != 3 || in.Closes {
		t.Errorf("%v %+v", err, kept)
	}
	size := 0
	for _, s := range in.Sections {
		size += s.Size
	}
	if in.Metered <= in.Size || len(in.Functions) == 0 || !slices.ContainsFunc(in.Functions, func(f Function) bool { return f.Name == "pharos_process" }) {
		t.Errorf("%d bytes metered, functions %v", in.Metered, in.Functions)
	}
	if size > in.Size || size < in.Size*9/10 {
		t.Errorf("sections of %d bytes in a module of %d: %v", size, in.Size, in.Sections)
	}
}

func TestInspectProblems(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.wasm")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		text:                            "not a WebAssembly module",
		"../wasm/testdata/abi2.wasm":    "speaks version 2 of the ABI",
		"../wasm/testdata/imports.wasm": "imports the function",
		copyModule(t, "testdata/filter.wasm", "{"): "golden vector, line 1",
	} {
		in, err := Inspect(context.Background(), path)
		if err != nil || len(in.Problems) != 1 || !strings.Contains(in.Problems[0].Error(), want) {
			t.Errorf("%s: %v %+v", path, err, in)
		}
	}
	in, err := Inspect(context.Background(), "../../plugins/clicks/clicks.wasm")
	if err != nil || len(in.Problems) > 0 || in.Plan != nil || in.Refusal == "" {
		t.Errorf("one that wants a config: %v %+v", err, in)
	}
	for _, path := range []string{"testdata/none.wasm", "oci://example.org/x"} {
		if in, err := Inspect(context.Background(), path); err == nil {
			t.Errorf("%s: %+v", path, in)
		}
	}
}

func TestImports(t *testing.T) {
	code, err := os.ReadFile("../wasm/testdata/bad.wasm")
	if err != nil {
		t.Fatal(err)
	}
	b, err := parseBinary(code)
	want := []string{"wasi_snapshot_preview1.fd_write (i32, i32, i32, i32) -> (i32)", "wasi_snapshot_preview1.proc_exit (i32) -> ()"}
	if err != nil || !slices.Equal(b.Imports, want) {
		t.Errorf("%v %q", err, b.Imports)
	}
}

// Functions have their names of the section "name", else of their export, else numbers.
func TestFunctions(t *testing.T) {
	code, err := os.ReadFile("../wasm/testdata/empty.wasm")
	if err != nil {
		t.Fatal(err)
	}
	// Function 0 is pharos_abi, 1 pharos_manifest, ... of which two get names; then what
	// is broken, which ends the names.
	names := "\x01\x0b\x02\x00\x03one\x01\x03two" + "\x01\x05\x01"
	b, err := parseBinary(append(code, "\x00"+string(rune(5+len(names)))+"\x04name"+names...))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for i, f := range b.Functions {
		found[f.Name] = true
		if i > 0 && f.Size > b.Functions[i-1].Size {
			t.Errorf("%v is behind a smaller one", f)
		}
	}
	if !found["one"] || !found["two"] || !found["pharos_process"] || found["pharos_abi"] {
		t.Errorf("%v", b.Functions)
	}
}

// FuzzBinary looks for modules that break the reader of sections.
func FuzzBinary(f *testing.F) {
	for _, path := range []string{"testdata/filter.wasm", "../wasm/testdata/bad.wasm"} {
		code, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		b, err := parseBinary(code)
		size := 0
		for _, s := range b.Sections {
			size += s.Size
		}
		if size > len(code) {
			t.Fatalf("sections of %d bytes in %d bytes: %v", size, len(code), err)
		}
	})
}
