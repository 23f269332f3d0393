// Package pharos_test enforces who may import whom.
package pharos_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const (
	module = "github.com/seed-6a2d649b/pharos/"
	root   = "." // the package in the project's root
)

// rule says what the packages below a folder may import: of the project, and of
// other modules (prefixes). The standard library is free to all.
type rule struct {
	own, others []string
	why         string
}

var house = map[string]rule{
	root:                   {nil, nil, "sources that authors take along: text, not code"},
	"abi":                  {nil, nil, "the contract is a leaf: guests, host and conformance kit must agree on it without dragging anything in"},
	"abi/tck":              {[]string{"abi"}, nil, "the kit runs against any host, so it must know none"},
	"host/beacon":          {[]string{"abi"}, nil, "decoding is the hot path and depends on nothing but the columns that it fills"},
	"host/lines":           {[]string{"host/beacon"}, []string{"github.com/klauspost/compress/zstd"}, "files are read one way, by stages and by authors' tools"},
	"host/words":           {nil, nil, "words, whatever they are of"},
	"host/config":          {[]string{"host/words"}, []string{"go.yaml.in/yaml/v3"}, "the engine must not depend on how it is configured, nor the config on the engine"},
	"host/experiment":      {nil, nil, "assignment is a definition: pure functions of their arguments"},
	"host/metric":          {nil, []string{"google.golang.org/protobuf", "github.com/cespare/xxhash"}, "stages, stores and readers share figures and nothing else"},
	"host/wasm":            {[]string{"abi", "host/trim", "host/wasm/fuel"}, []string{"github.com/tetratelabs/wazero"}, "the sandbox knows the contract, not what beacons or plugins are"},
	"host/wasm/fuel":       {nil, nil, "bytes of a module into bytes of a module: it knows no engine and no contract"},
	"host/rules":           {[]string{"abi", "host/rules/expr"}, nil, "rules are one more guest of the ABI"},
	"host/rules/expr":      {[]string{"abi", "host/rules/automaton", "host/words"}, []string{"cel.dev/cel-go", "golang.org/x/text/width"}, "an expression means what it means, in whatever list it stands and whoever runs it"},
	"host/fetch":           {[]string{"abi", "host/trim"}, []string{"oras.land/oras-go", "github.com/opencontainers/image-spec", "github.com/cenkalti/backoff"}, "it brings bytes; what they are worth is for others to say"},
	"host/trim":            {nil, nil, "files by age: it knows nothing of what is in them"},
	"host/signature":       {nil, []string{"aead.dev/minisign"}, "who has signed some bytes, whatever they are"},
	"host/rules/rulestest": {[]string{"abi", "abi/tck", "host/rules", "host/rules/expr"}, nil, "random rules and beacons, for the tests of all who make something of rules"},
	"host/rules/automaton": {nil, nil,
		"tables by which texts are looked at: it knows neither rules nor modules"},
	"host/rules/asm": {nil, nil, "it writes modules, whatever they do"},
	"host/rules/module": {[]string{"abi", "host/rules", "host/rules/asm", "host/rules/automaton", "host/rules/expr", "host/wasm/fuel"}, nil,
		"rules become bytes of a module: who runs it is not the compiler's business"},
	"host/rules/reach": {[]string{"abi", "host/rules", "host/rules/expr"}, nil, "what can be told of rules without running them"},
	"host/rules/written": {[]string{"host/config", "host/fetch", "host/rules", "host/rules/expr"}, nil,
		"where rules stand in a file is no business of those who compile them"},
	"host/plugin": {[]string{"abi", "host/fetch", "host/signature", "host/wasm", "host/rules", "host/rules/expr", "host/rules/module", "host/beacon", "host/metric"}, []string{"github.com/santhosh-tekuri/jsonschema", "github.com/hashicorp/go-hclog"},
		"plugins turn rows into verdicts; where rows come from and go to is the stages' business"},
	"host/rollout": {[]string{"abi", "host/plugin", "host/beacon", "host/metric"}, []string{"github.com/cespare/xxhash", "github.com/hashicorp/go-hclog"},
		"which version of a plugin decides hangs on the generation and the rows, not on the stage that asks"},
	"host/broker":     {nil, []string{"github.com/twmb/franz-go", "github.com/hashicorp/go-hclog", "golang.org/x/sys"}, "nobody but the command may know that a broker is embedded: stages speak Kafka"},
	"host/kafka":      {nil, []string{"github.com/twmb/franz-go", "github.com/hashicorp/go-hclog", "github.com/cenkalti/backoff", "github.com/prometheus/client_golang"}, "one way to build clients, used by every stage"},
	"host/blob":       {nil, nil, "who keeps objects must not link every cloud there is"},
	"host/blob/cloud": {[]string{"host/blob"}, []string{"gocloud.dev", "google.golang.org/api/option"}, "the one place that links clouds; only the command imports it"},
	"host/snapshot":   {[]string{"host/blob"}, []string{"github.com/cespare/xxhash", "github.com/klauspost/compress", "github.com/prometheus/client_golang"}, "a snapshot comes back as it was written; what it means is the session stage's business"},
	"host/dispatch": {[]string{"abi", "host/beacon", "host/kafka", "host/metric"}, stageLibraries,
		"a stage declares the plugins it calls as interfaces; the pipeline wires them"},
	"host/session": {[]string{"abi", "host/beacon", "host/experiment", "host/kafka", "host/metric", "host/snapshot"}, stageLibraries,
		"a stage declares the plugins it calls as interfaces; the pipeline wires them"},
	"host/session/table": {nil, []string{"golang.org/x/sys"}, "bytes by key, off the Go heap: it knows nothing of sessions"},
	"host/ship":          {[]string{"host/metric", "host/kafka"}, stageLibraries, "ship sees stores through its Writer only"},
	"host/query":         {[]string{"host/metric", "host/kafka"}, append([]string{"github.com/expr-lang/expr"}, stageLibraries...), "query sees stores through its Reader only"},
	"host/interest":      {[]string{"abi", "host/beacon", "host/metric", "host/session"}, nil, "it asks sessions what they owe to a beacon; the sample, and what is in force, are the pipeline's to bring"},
	"host/compare":       {[]string{"host/metric"}, nil, "a comparison sees stores through its Reader only"},
	"host/page":          {nil, nil, "the page speaks the public HTTP API, as anybody could"},
	"host/generate":      {nil, nil, "synthetic beacons must not depend on the engine that they try"},
	"host/definition":    {nil, nil, "the second implementation shares no code with what it checks"},
	"host/sim":           {nil, nil, "nothing but tests: what they import is theirs"},
	"host/author": {[]string{root, "abi", "abi/tck", "host/wasm", "host/plugin", "host/fetch", "host/beacon", "host/lines", "host/metric", "host/config", "host/rules", "host/rules/", "sdk/c/native"}, nil,
		"authors try their plugins and rules with what the host runs, and without a stage"},
	"host/pipeline": {[]string{"abi", "host/", "sinks", "sinks/", "plugins"}, []string{""}, "the one place that knows all parts"},
	"sinks": {[]string{"host/metric", "sinks", "sinks/web", "sinks/remote"}, []string{"github.com/prometheus/", "github.com/hashicorp/go-hclog", "github.com/klauspost/compress", "github.com/cenkalti/backoff"},
		"a store knows figures, never a stage"},
	"sdk":     {[]string{"abi", "sdk/"}, nil, "guests build without the host"},
	"plugins": {[]string{"abi", "sdk/"}, nil, "shipped plugins are guests like anybody's"},
	"chaos":   {nil, nil, "tests only: what runs there is the binary, and what it is compared with is its replay"},
	"cmd/bench": {[]string{"host/pipeline", "host/config", "host/generate", "host/kafka", "host/broker", "host/metric", "plugins"}, []string{"github.com/twmb/franz-go", "github.com/hashicorp/go-hclog"},
		"the benchmark measures the pipeline as it is wired, beside bare clients"},
	"cmd/pharos": {[]string{"abi", "host/compare", "host/pipeline", "host/config", "host/fetch", "host/generate", "host/plugin", "host/signature", "host/author", "host/kafka", "host/blob/cloud"}, []string{"github.com/spf13/cobra", "github.com/hashicorp/go-hclog", "github.com/klauspost/compress", "github.com/twmb/franz-go", "golang.org/x/term"}, "the command line is thin: it parses flags and calls the pipeline"},
}

var stageLibraries = []string{"github.com/twmb/franz-go", "github.com/hashicorp/go-hclog", "github.com/cenkalti/backoff", "github.com/prometheus/client_golang", "golang.org/x/sync"}

func TestWhoImportsWhom(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		path, _ := pathOf(p.ImportPath)
		folder, r := ruleOf(path)
		if folder == "" {
			t.Errorf("%s has no rule: say in this table what it may import, and why", path)
			continue
		}
		seen[folder] = true
		for _, imported := range p.Imports {
			if !r.allows(imported, folder) {
				t.Errorf("%s imports %s: %s", path, imported, r.why)
			}
		}
	}
	for folder := range house {
		if !seen[folder] {
			t.Errorf("no package below %s: take its rule out", folder)
		}
	}
}

// pathOf is where in the project a package is, if it is one of ours.
func pathOf(imported string) (path string, ours bool) {
	if imported+"/" == module {
		return root, true
	}
	return strings.CutPrefix(imported, module)
}

// ruleOf gives the rule of the longest folder that holds path.
func ruleOf(path string) (folder string, r rule) {
	for f, candidate := range house {
		if (path == f || strings.HasPrefix(path, f+"/")) && len(f) > len(folder) {
			folder, r = f, candidate
		}
	}
	return folder, r
}

func (r rule) allows(imported, folder string) bool {
	if own, ours := pathOf(imported); ours {
		if own == folder || strings.HasPrefix(own, folder+"/") {
			return true
		}
		for _, prefix := range r.own {
			if own == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(own, prefix) {
				return own != "host/definition"
			}
		}
		return false
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return true
	}
	for _, prefix := range r.others {
		if strings.HasPrefix(imported, prefix) {
			return true
		}
	}
	return false
}
