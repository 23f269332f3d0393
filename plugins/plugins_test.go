package plugins_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// builds says which compiler made which modules.
var builds = []struct {
	compiler, version string // and what asks for its version
	modules           []string
}{
	{"clang", "--version", []string{"plugins/*/*.wasm", "sdk/c/examples/*.wasm"}},
	{"/usr/bin/rustc", "--version", []string{"sdk/rust/examples/*.wasm"}},
	{"asc", "--version", []string{"sdk/assemblyscript/examples/*.wasm"}},
	{"zig", "version", []string{"sdk/zig/examples/*.wasm"}},
}

// The binaries that are checked in are those of their sources. Another version of
// the compiler gives other bytes: then only that the sources build is checked, and
// their golden vectors run elsewhere.
func TestBinariesAreOfTheirSources(t *testing.T) {
	recorded, err := os.ReadFile("COMPILER")
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Split(string(recorded), "\n")
	out := t.TempDir()
	if log, err := exec.Command("../scripts/plugins.sh", out).CombinedOutput(); err != nil {
		t.Fatalf("build: %v: run scripts/deps.sh\n%s", err, log)
	}
	for _, b := range builds {
		version, err := exec.Command(b.compiler, b.version).Output()
		if err != nil {
			t.Fatalf("%s: %v: run scripts/deps.sh", b.compiler, err)
		}
		first, _, _ := strings.Cut(b.compiler+": "+string(version), "\n")
		same := slices.Contains(known, first)
		if !same {
			t.Logf("COMPILER has another version than %q: bytes not compared", first)
		}
		for _, pattern := range b.modules {
			modules, err := filepath.Glob("../" + pattern)
			if err != nil || len(modules) == 0 {
				t.Fatalf("no modules at %s: %v", pattern, err)
			}
			for _, module := range modules {
				compareModules(t, module, filepath.Join(out, module[len("../"):]), same)
			}
		}
	}
}

func compareModules(t *testing.T, checkedIn, built string, same bool) {
	t.Helper()
	is, err := os.ReadFile(checkedIn)
	if err != nil {
		t.Fatal(err)
	}
	ought, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	if same && !bytes.Equal(is, ought) {
		t.Errorf("%s is not what its source builds: run scripts/plugins.sh", checkedIn)
	}
}
