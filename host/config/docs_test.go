package config

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/config.md and the golden files of testdata")

const docsFile = "../../docs/config.md"

func TestDocs(t *testing.T) {
	if *update {
		if err := os.WriteFile(docsFile, []byte(Docs()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != Docs() {
		t.Error("docs/config.md is not what the structs say; run: go test ./host/config -run TestDocs -update")
	}
}

// TestEveryKey holds the tags to their promise: each key says what it means,
// each value has an example, and examples and defaults can be read.
func TestEveryKey(t *testing.T) {
	env := func(string) (string, bool) { return "secret", true }
	main := &file{name: "example", dir: t.TempDir()}
	if err := os.MkdirAll(main.dir+"/secrets", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(main.dir+"/secrets/kafka", []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var walk func(key string, typ reflect.Type)
	walk = func(key string, typ reflect.Type) {
		for below(typ) != nil {
			typ = below(typ)
		}
		if !isSection(typ) {
			return
		}
		for _, f := range fieldsOf(typ) {
			key := key + "." + f.Tag.Get("key")
			if doc := f.Tag.Get("doc"); !strings.HasSuffix(doc, ".") {
				t.Errorf("%s: the doc %q is no sentence", key, doc)
			}
			if f.Tag.Get("notyet") != "" {
				continue
			}
			example, has := f.Tag.Lookup("example")
			if !has && !isSection(f.Type) {
				t.Errorf("%s has no example", key)
			}
			if has {
				target := f.Type
				if m, ok := reflect.Zero(target).Interface().(interface{ element() reflect.Type }); ok {
					target = m.element()
				}
				d := &decoder{parser: &parser{}, main: main, env: env, at: positions{}, cfg: &Config{}}
				n := d.parse(&file{name: "example", dir: main.dir, text: []byte(example)})
				if n == nil {
					t.Errorf("%s: the example can not be read: %v", key, d.faults)
					continue
				}
				d.value(reflect.New(target).Elem(), n, keyPath{key}, f.Tag)
				if len(d.faults) > 0 {
					t.Errorf("%s: the example is wrong: %v", key, d.faults)
				}
			}
			walk(key, f.Type)
		}
	}
	walk("", reflect.TypeFor[Config]())
}
