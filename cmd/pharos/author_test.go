package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/author"
)

// TestAuthor goes the way of a plugin's author in each language: from nothing to a
// plugin that is tried, run and measured.
func TestAuthor(t *testing.T) {
	for _, language := range author.Languages() {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "internal-visitors")
			module := filepath.Join(dir, "internal-visitors.wasm")
			expect(t, mustRun(t, "plugin", "new", "--lang", language, dir), "README.md\n", "internal-visitors.golden.ndjson\n", "pharos plugin test\n")
			if _, errs, code := run(t, "plugin", "new", "--lang", language, dir); code != 2 || !strings.Contains(errs, "is there already") {
				t.Errorf("over it: exit code %d, %s", code, errs)
			}
			expect(t, mustRun(t, "plugin", "build", dir), "built "+module, "bytes|kB|MB", "sha256:[0-9a-f]{64}")
			expect(t, mustRun(t, "plugin", "inspect", module), `metered +\d+ bytes +it counts its own work by \d+ more`)
			expect(t, mustRun(t, "plugin", "test", module, "--random", "300"), "golden vectors: [1-9]", "300 random beacons", "\nall is well\n")
			mustRun := mustRun
			if language == "go" {
				mustRun = mustRunPlainly // once is enough to watch the compiler of Go's runtime
			}
			in := filepath.Join(t.TempDir(), "beacons.ndjson")
			writeFile(t, in, `{"internal": true, "remote": "10.0.0.1"}`+"\n"+`{"remote": "192.0.2.1"}`+"\n")
			expect(t, mustRun(t, "plugin", "run", module, "--in", in), `line +internal +remote +decision\n1 +true +10.0.0.1 +drop: internal\n2 +- +192.0.2.1 +keep\n`,
				`internal-visitors \d\S*: 2 beacons`, "  kept: 1\n  internal: 1\n")
			expect(t, mustRun(t, "plugin", "bench", module, "--sizes", "10,1000", "--time", "20ms"), `beacons a call +ns each`, `\n +10 +[\d.]+ `, `\n +1000 +[\d.]+ `, "an instance: ", `a million beacons: [\d.]+m?s of one core`)
		})
	}
}

// What is wrong with a plugin is shown with the beacon, and is exit code 1.
func TestAuthorFaults(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mine")
	mustRun(t, "plugin", "new", "--lang", "c", "--kind", "split", dir)
	writeFile(t, filepath.Join(dir, "mine.golden.ndjson"), `{"config": {"minimum": 5}, "beacons": [{"product.price": 7}], "expect": ["small"]}`)
	out, errs, code := run(t, "plugin", "test", dir)
	if code != 1 || !strings.Contains(errs, "mine.wasm: 1 fault") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	expect(t, out, `golden vectors: 0 of 1 hold`, `FAULT golden vector, line 1, beacon 0\n +config +\{"minimum": 5\}\n +beacon +\{"product.price":7\}\n +expected +"small"\n +got +"big"\n`)

	source, err := os.ReadFile(filepath.Join(dir, "mine.c"))
	if err != nil {
		t.Fatal(err)
	}
	const process = "static int ph_process(const ph_batch *b) {"
	writeFile(t, filepath.Join(dir, "mine.c"), strings.Replace(string(source), process, process+`
  if (b->rows > 20) { // looks at the batch
    for (ph_u32 row = 0; row < b->rows; row++) ph_route(b, row, 0);
    return PH_OK;
  }`, 1))
	writeFile(t, filepath.Join(dir, "mine.golden.ndjson"), `{"config": {"minimum": 5}, "beacons": [{"product.price": 5}], "expect": ["big"]}`)
	if out, _, code = run(t, "plugin", "test", "--native", dir); code != 1 {
		t.Errorf("exit code %d", code)
	}
	expect(t, out, `golden vectors: 1 of 1 hold\nnatively: 1 of 1 hold\n`, `FAULT it is not pure: \w+ \(random beacons\)\n +why +it answers otherwise where .*\n(.*\n)?.*beacon +\{.*\n +expected +route "\w+"\n +got +(route "\w+"|no opinion)\n`)

	writeFile(t, filepath.Join(dir, "mine.c"), "no C\n")
	if _, errs, code = run(t, "plugin", "build", dir); code != 1 || !strings.Contains(errs, "mine.c:1:1: error") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	for _, wrong := range [][]string{
		{"new", "mine"}, {"new", "--lang", "cobol", "mine"}, {"new", "--lang", "c", "--kind", "join", "mine"}, {"build", "none"},
		{"test", "none.wasm"}, {"test", dir, "--config", "{"}, {"run", "none.wasm"}, {"run", "none.wasm", "--in", "none"}, {"bench", "none.wasm"}, {"bench", "x.wasm", "--sizes", "0"},
		{"run", "x.wasm", "--in", "x", "--output", "xml"}, {"run", "x.wasm", "--in", "x", "--format", "xml"},
	} {
		if _, errs, code := run(t, append([]string{"plugin"}, wrong...)...); code != 2 {
			t.Errorf("%q: exit code %d, %s", wrong, code, errs)
		}
	}
}

// What is wrong with a command line is said in its words, with what would be right.
func TestWrongCommandLines(t *testing.T) {
	folder := t.TempDir()
	filter, err := filepath.Abs(filepath.Join(root, "sdk/c/examples/filter.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(folder, "in.ndjson")
	writeFile(t, in, "{}\n")
	for _, c := range []struct {
		line string
		want string
	}{
		{"plugin new --lang c", "name the plugin: pharos plugin new --lang "},
		{"plugin test --native " + filter, "--native wants the folder of a project"},
		{"plugin inspect", "name the module: pharos plugin inspect FILE.wasm|URL"},
		{"plugin bench", "name the module: pharos plugin bench FILE.wasm"},
		{"plugin diff", "name the plugin: pharos plugin diff NAME"},
		{"plugin promote", "name the plugin: pharos plugin promote NAME"},
		{"plugin rollback a b", `"b" is one argument too many: pharos plugin rollback NAME`},
		{"plugin ls a b", `"b" is one argument too many: pharos plugin ls [NAME]`},
		{"plugin keygen", "name the key: pharos plugin keygen NAME"},
		{"plugin push", "name the module and its address: pharos plugin push FILE.wasm oci://"},
		{"plugin push x.wasm", "name its address: pharos plugin push FILE.wasm oci://"},
		{"plugin pull", "name the URL of the module: pharos plugin pull URL"},
		{"repartition web", "name its number of partitions: pharos repartition ROUTE N"},
		{"check x.yaml", `"x.yaml" is one argument too many: pharos check -c FILE`},
		{"plugin run " + filter + " --in " + in + " --limit -1", "--limit -1: it is a number of rows, or 0 for all"},
		{"plugin run " + filter + " --in " + in + " --gap 0s", "--gap 0s: it is a time, like 30m"},
		{"plugin run " + filter + " --in " + in + ` --config {"prefix":1}`, "at '/prefix'"},
		{"plugin bench " + filter + ` --config {"prefix":1}`, "at '/prefix'"},
		{"plugin run " + folder, "name the module, or build it first: pharos plugin build " + folder},
		{"plugin inspect " + folder, "name the module, or build it first: pharos plugin build " + folder},
		{"plugin bench " + folder, "name the module, or build it first: pharos plugin build " + folder},
		{"plugin sign --key x " + folder, "--key: "},
		{"plugin push " + folder + " oci://registry.example/x:1", "name the module, or build it first: pharos plugin build " + folder},
		{"plugin build " + folder, folder + " is no project of a plugin"},
		{"plugin test " + folder, folder + " is no project of a plugin"},
		{"plugin build " + filter, "is no folder: name that of the plugin's source"},
		{"plugin pull http://plugins.example/x.wasm", "plain HTTP is for this machine only: take https://"},
		{"plugin pull ftp://plugins.example/x.wasm", "the scheme ftp:// is unknown"},
		{"plugin keygen " + filepath.Join(folder, "k"), "give the new key a password: set PHAROS_KEY_PASSWORD, or give --password-file"},
	} {
		_, errs, code := run(t, strings.Fields(c.line)...)
		if code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit code %d, %s, want %s", c.line, code, errs, c.want)
		}
	}
}

// expect wants a text in which each pattern is found.
func expect(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			t.Errorf("no %q in:\n%s", p, text)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
