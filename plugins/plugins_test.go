package plugins_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The binaries that are checked in are those of their sources. Another version of
// the compiler gives other bytes: then only that the sources build is checked, and
// their golden vectors run elsewhere.
func TestBinariesAreOfTheirSources(t *testing.T) {
	version, err := exec.Command("clang", "--version").Output()
	if err != nil {
		t.Fatalf("clang: %v: run scripts/deps.sh", err)
	}
	first, _, _ := strings.Cut(string(version), "\n")
	recorded, err := os.ReadFile("COMPILER")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if log, err := exec.Command("../scripts/plugins.sh", out).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, log)
	}
	if first != strings.TrimSpace(string(recorded)) {
		t.Logf("the binaries were built by %q, here is %q: bytes not compared", strings.TrimSpace(string(recorded)), first)
		return
	}
	for _, pattern := range []string{"*/*.wasm", "../sdk/c/examples/*.wasm"} {
		modules, err := filepath.Glob(pattern)
		if err != nil || len(modules) == 0 {
			t.Fatalf("no modules at %s: %v", pattern, err)
		}
		for _, module := range modules {
			checkedIn, err := os.ReadFile(module)
			if err != nil {
				t.Fatal(err)
			}
			built, err := os.ReadFile(filepath.Join(out, filepath.Base(module)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(checkedIn, built) {
				t.Errorf("%s is not what its source builds: run scripts/plugins.sh", module)
			}
		}
	}
}
