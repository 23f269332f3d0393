package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/rules"
)

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	someRules := &rules.Rules{Drop: []rules.Drop{{Reason: "r", When: "a == 1"}}}
	digest := fetch.Digest([]byte("no module"))
	for _, test := range []struct {
		name string
		spec Spec
		want []string
	}{
		{"nothing", Spec{}, []string{"neither a module nor rules"}},
		{"both", Spec{Module: "x.wasm", Rules: someRules}, []string{"a module and rules"}},
		{"scheme", Spec{Module: "ftp://example.org/x.wasm"}, []string{"the scheme ftp:// is unknown"}},
		{"digest and on_error", Spec{Module: "x.wasm", Digest: "md5:1", OnError: "explode"},
			[]string{`digest "md5:1" is not sha256: and 64 hex digits`, `on_error "explode" is none of dead_letter, pass, drop`}},
		{"digest no hex", Spec{Module: "x.wasm", Digest: "sha256:" + strings.Repeat("x", 64)}, []string{"is not sha256: and 64 hex digits"}},
		{"another digest", Spec{Module: "testdata/filter.wasm", Digest: digest}, []string{"testdata/filter.wasm has the digest sha256:", "and the config wants " + digest}},
		{"no file", Spec{Module: "file://testdata/none.wasm"}, []string{"testdata/none.wasm"}},
		{"no module", Spec{Module: write("x.wasm", "no module")}, []string{"not a module that can run here"}},
		{"wrong ABI", Spec{Module: "../wasm/testdata/abi2.wasm"}, []string{"speaks version 2 of the ABI"}},
		{"memory", Spec{Module: "testdata/filter.wasm", Memory: 1000}, []string{"memory limit of 1000 bytes"}},
		{"config is no JSON", Spec{Module: "testdata/filter.wasm", Config: json.RawMessage(`{`)}, []string{"config: "}},
		{"config not of the schema", Spec{Module: "testdata/filter.wasm", Config: json.RawMessage(`{"refuse": 1, "color": "red"}`)},
			[]string{"config: ", "/refuse", "want boolean", "'color' not allowed"}},
		{"config refused", Spec{Module: "testdata/filter.wasm", Config: json.RawMessage(`{"refuse": true}`)}, []string{"refuses its config: I refuse"}},
		{"no data", Spec{Module: "testdata/filter.wasm", Data: map[string]string{"list": "testdata/none.txt"}}, []string{"data list: ", "none.txt"}},
		{"data refused", Spec{Module: "testdata/filter.wasm", Data: map[string]string{"list": write("list.txt", "empty")}}, []string{"refuses its config: the list is empty"}},
		{"extractor drops", Spec{Module: "testdata/extract.wasm", OnError: Filtered}, []string{"on_error drop is not for extractors"}},
		{"rules with config", Spec{Rules: someRules, Config: json.RawMessage(`{"a": 1}`)}, []string{"rules take no digest, config or data"}},
		{"faulty rules", Spec{Rules: &rules.Rules{Drop: []rules.Drop{{Reason: "r", When: "a =="}, {Reason: "", When: "[1]"}}}},
			[]string{"rule 1, when, line 1, column 5", "rule 2, reason", "rule 2, when"}},
		{"rules of two kinds", Spec{Rules: &rules.Rules{Drop: someRules.Drop, Split: []rules.Split{{Route: "r", When: "a"}}}}, []string{"rules of several kinds"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.Name = "mine"
			p, err := loader.Load(context.Background(), test.spec)
			if err == nil {
				t.Fatal("loaded", p)
			}
			if !strings.HasPrefix(err.Error(), "plugin mine: ") || strings.Count(err.Error(), "plugin mine: ") != 1 {
				t.Errorf("the plugin is not named once: %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nwant: %s", err, want)
				}
			}
		})
	}
}

func TestGoldenVectors(t *testing.T) {
	for _, test := range []struct {
		name, module, golden string
		want                 []string // of the error; none if it loads
	}{
		{"hold", "filter", `{"beacons": [{"do": "yes"}, {}], "expect": ["yes", null], "counters": {"beacons": 2}}` + "\n\n" +
			`{"config": {"refuse": true}, "expect": {"error": "refuse"}}` + "\n" +
			`{"config": {"refuse": 7}, "expect": {"error": "want boolean"}}` + "\n" +
			`{"data": {"list": "empty"}, "expect": {"error": "list is empty"}}`, nil},
		{"another answer", "filter", `{"beacons": [{"do": "yes"}, {"do": "yes"}, {}], "expect": ["no", "yes", "yes"]}`,
			[]string{`line 1: beacon 0: answered "yes", expected "no"`, `line 1: beacon 2: answered null, expected "yes"`}},
		{"another counter", "split", `{"beacons": [{}], "expect": [null], "counters": {"beacons": 2}}`, []string{"counter beacons: answered 1, expected 2"}},
		{"another measurement", "extract", `{"beacons": [{"do": "yes"}], "expect": [[{"point": "yes", "attributes": {"what": "no"}}]]}`,
			[]string{`answered [{"point":"yes","value":2.5,"attributes":{"what":"yes"}}], expected [{"point":"yes","value":1,"attributes":{"what":"no"}}]`}},
		{"trap", "filter", `{"beacons": [{"do": "trap"}], "expect": [null]}`, []string{"line 1: ", "unreachable"}},
		{"not refused", "filter", `{"config": {"refuse": false}, "expect": {"error": "I refuse"}}`, []string{"line 1: ", `the config is accepted, expected an error with "I refuse"`}},
		{"refused otherwise", "filter", `{"config": {"refuse": true}, "expect": {"error": "I agree"}}`, []string{"I refuse", `expected an error with "I agree"`}},
		{"refused", "filter", "\n" + `{"config": {"refuse": true}, "beacons": [{}], "expect": [null]}`, []string{"line 2: ", "I refuse"}},
		{"not of the schema", "filter", `{"config": {"color": 1}, "beacons": [{}], "expect": [null]}`, []string{"line 1: ", "does not fit the schema", "color"}},
		{"close without a close function", "extract", `{"beacons": [{}], "expect": [[]], "close": {}}`, []string{"line 1: plugin mine: exports no pharos_close"}},
		{"another close", "sessions", `{"beacons": [{"$session": "a"}], "expect": [[{"point": "nth"}]], "close": {}}`, []string{`line 1: end of session "a": answered [{"point":"sum","value":0,`}},
		{"not JSON", "filter", `{"beacons"`, []string{"copy.golden.ndjson", "line 1"}},
		{"many", "filter", strings.Repeat(`{"beacons": [{}], "expect": ["no"]}`+"\n", 50), []string{"line 10: ", "more golden vectors may fail"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := copyModule(t, "testdata/"+test.module+".wasm", test.golden)
			p, err := loader.Load(context.Background(), Spec{Name: "mine", Module: path})
			if err == nil {
				if p.Vectors() == 0 || len(test.want) > 0 {
					t.Errorf("loaded, %d golden vectors", p.Vectors())
				}
				if err := p.Close(context.Background()); err != nil {
					t.Error(err)
				}
				return
			}
			if len(test.want) == 0 {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nwant: %s", err, want)
				}
			}
		})
	}
}

// TestSchemaWork: no schema holds up the host.
func TestSchemaWork(t *testing.T) {
	doubling := func(levels int) string {
		defs := fmt.Sprintf(`"d%d": {"type": "object"}`, levels)
		for i := range levels {
			defs += fmt.Sprintf(`, "d%d": {"allOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%d"}]}`, i, i+1, i+1)
		}
		return `{"$ref": "#/$defs/d0", "$defs": {` + defs + `}}`
	}
	for text, want := range map[string]string{
		`{"type": "object", "properties": {"a": {"$ref": "#/$defs/a~1b"}, "b": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": {"type": "string"}}}`: "",
		doubling(8):                      "",
		doubling(60):                     "more than 10000 schemas",
		`{"$ref": "#"}`:                  "# refers to itself",
		`{"items": {"$ref": "#/items"}}`: "#/items refers to itself",
		`{"$defs": {"a": {"properties": {"x": {"$ref": "#/$defs/a"}}}}, "properties": {"a": {"$ref": "#/$defs/a"}}}`: "#/$defs/a refers to itself",
		`{"$ref": "https://example.org/other"}`:                  `the reference "https://example.org/other" is none by its place`,
		`{"$ref": "#name", "$defs": {"a": {"$anchor": "name"}}}`: `the reference "#name" is none by its place`,
		`{"$ref": "#/%24defs/a", "$defs": {"a": {}}}`:            "is none by its place",
		`{"$ref": "#/$defs/b", "$defs": {"a": {}}}`:              "is none by its place",
		`{"allOf": [{"$ref": "#/allOf/1"}, {"type": "object"}]}`: "",
		`{"allOf": [{"$ref": "#/allOf/2"}, {"type": "object"}]}`: "is none by its place",
	} {
		s, err := compileSchema([]byte(text))
		if err == nil {
			err = s.check([]byte("{}"))
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	s, err := compileSchema([]byte(doubling(8)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.check([]byte(`{"a": "` + strings.Repeat("x", 1<<20) + `"}`)); err == nil || !strings.Contains(err.Error(), "bytes are too many for its schema") {
		t.Error(err)
	}
}

// TestVectorsFuel: golden vectors have fuel together.
func TestVectorsFuel(t *testing.T) {
	p := load(t, Spec{Module: "testdata/filter.wasm"})
	vectors, err := abi.ParseVectors(p.Kind(), []byte(strings.Repeat(`{"beacons": [{"do": "yes"}], "expect": ["yes"]}`+"\n"+`{"config": {"refuse": true}, "expect": {"error": "refuse"}}`+"\n", 3)))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.checkVectors(t.Context(), &schema{}, vectors, vectorsFuel); err != nil {
		t.Error(err)
	}
	if err := p.checkVectors(t.Context(), &schema{}, vectors, 1); err == nil || !strings.Contains(err.Error(), "golden vector, line 1: with those before it takes more than the 1 of fuel that there are for all") {
		t.Error(err)
	}
}

// TestShippedPlugins loads the guests that come with the project with their
// golden vectors.
func TestShippedPlugins(t *testing.T) {
	var modules []string
	for _, pattern := range []string{"../../plugins/*/*.wasm", "../../sdk/c/examples/*.wasm"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		modules = append(modules, found...)
	}
	for _, module := range modules {
		in, err := Inspect(context.Background(), module)
		if err != nil || len(in.Problems) > 0 {
			t.Errorf("%s: %v %v", module, err, in.Problems)
			continue
		}
		if in.Plan == nil { // it wants a config, as those of its vectors
			continue
		}
		if p := load(t, Spec{Module: module, Digest: in.Digest[:7] + strings.ToUpper(in.Digest[7:])}); p.Vectors() == 0 {
			t.Errorf("%s has no golden vectors", module)
		}
	}
}

func TestLoaded(t *testing.T) {
	code, err := os.ReadFile("testdata/filter.wasm")
	if err != nil {
		t.Fatal(err)
	}
	p := load(t, Spec{Name: "mine", Module: "file://testdata/filter.wasm", Digest: fetch.Digest(code)})
	if p.Name() != "mine" || p.Version() != "1.2.3" || p.Digest() != fetch.Digest(code) || p.Kind() != abi.Filter {
		t.Errorf("%s %s %s %s", p.Name(), p.Version(), p.Digest(), p.Kind())
	}
	list := rules.Rules{Extract: []rules.Extract{{Point: "p", When: "true"}}}
	r := load(t, Spec{Rules: &list})
	other := list
	other.Extract = []rules.Extract{{Point: "p", When: "false"}}
	if o := load(t, Spec{Rules: &other}); o.Digest() == r.Digest() || o.Version() == r.Version() {
		t.Errorf("other rules have the same digest or version: %s %s", o.Digest(), o.Version())
	}
	if len(r.Points()) != 1 || r.Kind() != abi.Extract {
		t.Errorf("%v %s", r.Points(), r.Kind())
	}
}

func TestCancelledLoad(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if p, err := loader.Load(ctx, Spec{Name: "mine", Module: "testdata/filter.wasm"}); err == nil {
		t.Error("loaded", p)
	}
}

// FuzzSchema looks for schemas that break the host, or hold it up.
func FuzzSchema(f *testing.F) {
	for _, text := range []string{
		`{"type": "object", "properties": {"a": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": {"type": "string"}}}`,
		`{"allOf": [{"$ref": "#/allOf/1"}, {"$dynamicRef": "#"}]}`, `{"items": {"$ref": "#/items"}}`, `true`, `[]`, `{"$id": "x", "pattern": "("}`,
	} {
		f.Add(text, `{"a": [1, "b", {"c": null}]}`)
	}
	f.Fuzz(func(t *testing.T, text, config string) {
		if s, err := compileSchema([]byte(text)); err == nil {
			_ = s.check([]byte(config)) // whatever it says
		}
	})
}
