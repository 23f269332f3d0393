package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// language is one that there is an SDK for.
type language struct {
	name string
	// example gives the module of an example, with its golden vectors beside.
	example func(t testing.TB, name string) string
	// build builds a guest of testdata, as the SDK's README says; nil: there is none.
	build func(t testing.TB, name string) string
}

var languages = []language{
	{"c", checkedIn("c/examples"), func(t testing.TB, name string) string { return buildC(t, "c/testdata/"+name+".c", strict...) }},
	{"go", buildGo, nil},
	{"rust", checkedIn("rust/examples"), buildRust},
	{"assemblyscript", checkedIn("assemblyscript/examples"), buildAS},
	{"zig", checkedIn("zig/examples"), buildZig},
}

func checkedIn(dir string) func(testing.TB, string) string {
	return func(_ testing.TB, name string) string { return filepath.Join(dir, name+".wasm") }
}

func run(t testing.TB, dir string, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if log, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: run scripts/deps.sh if it is missing\n%s", name, err, log)
	}
}

// buildGo builds a Go example as a module, with its golden vectors beside.
func buildGo(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	module := filepath.Join(dir, name+".wasm")
	run(t, filepath.Join("go/examples", name), []string{"GOOS=wasip1", "GOARCH=wasm"}, "go", "build", "-buildmode=c-shared", "-o", module, ".")
	golden := read(t, filepath.Join("go/examples", name, name+".golden.ndjson"))
	if err := os.WriteFile(filepath.Join(dir, name+".golden.ndjson"), golden, 0o600); err != nil {
		t.Fatal(err)
	}
	return module
}

// strict are flags that a source of ours passes.
var strict = []string{"-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"}

// buildC builds a C source, as pharos.h says.
func buildC(t testing.TB, source string, flags ...string) string {
	t.Helper()
	module := filepath.Join(t.TempDir(), "guest.wasm")
	args := append([]string{"--target=wasm32", "-O2", "-nostdlib", "-mbulk-memory", "-Wl,--no-entry", "-Wl,--stack-first", "-o", module, source}, flags...)
	run(t, ".", nil, "clang", args...)
	return module
}

// debian has the compiler of Rust that brings a core for wasm32.
const debian = "PATH=/usr/bin:/bin"

// buildRust builds a guest of rust/testdata.
func buildRust(t testing.TB, name string) string {
	t.Helper()
	target := filepath.Join(cacheDir, "rust")
	run(t, "rust", []string{debian}, "/usr/bin/cargo", "build", "--offline", "--quiet", "--release", "--target", "wasm32-unknown-unknown",
		"--target-dir", target, "--example", name)
	return filepath.Join(target, "wasm32-unknown-unknown/release/examples", name+".wasm")
}

// buildAS builds a guest of assemblyscript/testdata.
func buildAS(t testing.TB, name string) string {
	t.Helper()
	module := filepath.Join(t.TempDir(), name+".wasm")
	run(t, "assemblyscript", nil, "asc", "testdata/"+name+".ts", "-O3", "--noAssert", "--use", "abort=", "-o", module)
	return module
}

// buildZig builds a guest of zig/testdata.
func buildZig(t testing.TB, name string) string {
	t.Helper()
	module := filepath.Join(t.TempDir(), name+".wasm")
	run(t, "zig", zigCache(), "zig", "build-exe", "-target", "wasm32-freestanding", "-O", "ReleaseSafe", "-fno-entry", "-rdynamic", "-fsingle-threaded",
		"--stack", "65536", "-femit-bin="+module, "--dep", "pharos", "-Mroot=testdata/"+name+".zig", "-Mpharos=pharos.zig")
	return module
}

// zigCache keeps what Zig caches out of the sources.
func zigCache() []string {
	return []string{"ZIG_LOCAL_CACHE_DIR=" + filepath.Join(cacheDir, "zig"), "ZIG_GLOBAL_CACHE_DIR=" + filepath.Join(cacheDir, "zig")}
}

// The same tests run natively: what a plugin answers is not the engine's doing. C's are
// in TestNativeC. (AssemblyScript is compiled to WebAssembly only, so node runs that.)
func TestNatively(t *testing.T) {
	t.Run("go", func(t *testing.T) { run(t, "go/examples", nil, "go", "test", "./...") })
	t.Run("assemblyscript", func(t *testing.T) {
		run(t, "assemblyscript", nil, "node", "testing.mjs", "examples/filter.wasm", "examples/split.wasm", "examples/extract.wasm", "examples/session.wasm")
	})
	t.Run("zig", func(t *testing.T) {
		for _, e := range examples {
			run(t, "zig", zigCache(), "zig", "test", "--dep", "pharos", "-Mroot=examples/"+e.name+".zig", "-Mpharos=pharos.zig")
		}
	})
	t.Run("rust", func(t *testing.T) {
		run(t, "rust", []string{debian}, "/usr/bin/cargo", "test", "--offline", "--quiet", "--target-dir", filepath.Join(cacheDir, "rust"), "--lib", "--examples")
	})
}
