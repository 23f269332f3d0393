package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// marked finds a code block, and what the comment before it says that it is; or a
// command that must go well.
var marked = regexp.MustCompile("(?s)<!-- (file|output|run): ([^\n]*) -->\n(?:```[a-z]*\n(.*?)```\n)?")

// What docs/plugins.md and the SDKs' pages show are the files, the commands and the
// output that there are. If a file is changed, change its block too.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var doc []byte
	for _, page := range append(pages, "../docs/plugins.md") {
		doc = append(doc, read(t, page)...)
	}
	pharos, dir := filepath.Join(t.TempDir(), "pharos"), t.TempDir()
	run(t, "..", nil, "go", "build", "-o", pharos, "./cmd/pharos")
	if err := os.CopyFS(dir, os.DirFS("c/examples")); err != nil {
		t.Fatal(err)
	}
	blocks := marked.FindAllStringSubmatch(string(doc), -1)
	if len(blocks) < 10 {
		t.Fatalf("%d marked blocks", len(blocks))
	}
	for _, b := range blocks {
		kind, what, text := b[1], b[2], b[3]
		switch kind {
		case "file":
			content, err := os.ReadFile(filepath.Join("..", what))
			if err != nil {
				t.Error(err)
			} else if string(content) != text {
				t.Errorf("the block of %s is not the file", what)
			}
		case "run", "output":
			cmd := exec.Command(pharos, strings.Fields(what)...)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("pharos %s: %v\n%s", what, err, out)
			}
			for line := range strings.Lines(text) {
				if !strings.Contains(string(out), line) {
					t.Errorf("pharos %s does not print %q, but\n%s", what, line, out)
				}
			}
		}
	}
}

// The commands of the docs are those that the tests build with.
func TestCommands(t *testing.T) {
	const (
		c      = "clang --target=wasm32 -O2 -nostdlib -mbulk-memory -Wl,--no-entry -Wl,--stack-first -o "
		native = "clang -g -fsanitize=undefined -fsanitize-trap=undefined -o "
		golang = "GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o "
		rust   = "cargo build --release --target wasm32-unknown-unknown"
		zig    = "zig build-exe -target wasm32-freestanding -O ReleaseSafe -fno-entry -rdynamic -fsingle-threaded --stack 65536"
		as     = ".ts -O3 --noAssert --debug --use abort= -o "
	)
	for path, commands := range map[string][]string{
		"../docs/plugins.md": {c, golang, rust, as, zig}, "c/README.md": {c, native}, "c/pharos.h": {c}, "c/native.c": {native}, "go/README.md": {golang}, "go/pharos/plugin.go": {golang},
		"rust/README.md": {rust}, "assemblyscript/README.md": {as}, "zig/README.md": {zig},
	} {
		text := string(read(t, path))
		for _, command := range commands {
			if !strings.Contains(text, command) {
				t.Errorf("%s has no %q", path, command)
			}
		}
	}
}
