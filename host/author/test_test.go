package author

import (
	"path/filepath"
	"strings"
	"testing"
)

// A new plugin of each kind passes.
func TestTestPasses(t *testing.T) {
	for _, kind := range Kinds() {
		dir := begin(t, "c", kind)
		built, err := Build(t.Context(), dir, "")
		if err != nil {
			t.Fatal(err)
		}
		in := filepath.Join(t.TempDir(), "beacons.ndjson")
		write(t, in, `{"type": "click", "img": {"id": "a.png"}, "internal": true, "product": {"price": 5}}`+"\n{}\nbroken\n")
		tested, err := Test(t.Context(), built.Path, TestOptions{Random: 100, Inputs: []Input{{Path: in}}, Most: 2, Native: dir})
		if err != nil {
			t.Fatal(err)
		}
		if len(tested.Findings) > 0 || tested.Held == 0 || tested.Held != tested.Vectors || tested.Natively != tested.Vectors || len(tested.Trials)%3 != 0 {
			t.Errorf("%s: %+v", kind, tested)
		}
		if last := tested.Trials[len(tested.Trials)-1]; last.Rows != 2 || last.Beacons != "beacons of "+in {
			t.Errorf("%+v", last)
		}
	}
}

// filterSource is the example's filter, in a form that is ours to change.
const filterSource = `#include "pharos.h"
const char ph_manifest[] = "{\"kind\":\"filter\",\"name\":\"mine\",\"version\":\"1\"}";
static ph_text prefix;
static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  prefix = ph_string(ph_get(config, PH_TEXT("prefix")));
  return PH_OK;
}

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"internal\",\"type\":\"bool\"},{\"name\":\"remote\",\"type\":\"str\"}],\"reasons\":[\"internal\"]}");
}
static int ph_process(const ph_batch *b) {
  const ph_column *internal = ph_col(b, 0), *remote = ph_col(b, 1);
  for (ph_u32 row = 0; row < b->rows; row++) {
    if (ph_bool(b, internal, row) || (prefix.len && ph_has_prefix(ph_entry(b, remote, row), prefix))) ph_drop(b, row, 0);
    else ph_keep(b, row);
  }
  return PH_OK;
}
`

// What is wrong with a plugin is found, and told with the beacon.
func TestTestFinds(t *testing.T) {
	const decision = "if (ph_bool(b, internal, row)"
	for _, c := range []struct {
		name, old, new string
		want           Finding // parts of its texts
	}{
		{"wrong answer", decision, "if (!ph_bool(b, internal, row)", Finding{
			What: "golden vector, line 1, beacon 0", Beacon: `{"internal":true}`, Expected: `"internal"`, Got: "null",
		}},
		{"remembers", decision, "static int calls; if ((row == 0 && calls++ > 3) || ph_bool(b, internal, row)", Finding{
			What: "it is not pure: ", Why: "it answers otherwise", Beacon: "{", Expected: "keep", Got: `drop "internal"`,
		}},
		{"looks at other rows", decision, "if ((row == 1 && b->rows > 20) || ph_bool(b, internal, row)", Finding{
			What: "it is not pure: reversed (random beacons)", Why: "in the reverse order", Beacon: "{", Expected: `drop "internal"`, Got: "keep",
		}},
		{"traps", decision, `if (ph_equal(ph_entry(b, remote, row), PH_TEXT("10"))) __builtin_trap(); ` + decision, Finding{
			What: "it fails (beacons of the golden vectors)", Why: "pharos_process: trap: unreachable", Beacon: `{"remote": "10"}`, Stack: "ph_export_process",
		}},
		{"never ends", decision, "for (volatile int i = 0; ph_valid(b, internal, row) && !ph_bool(b, internal, row); i++); " + decision, Finding{
			What: "it fails (beacons of the golden vectors)", Why: "out of fuel: did more work than its fuel of 100000000 allows", Beacon: `{"internal": false}`,
		}},
		{"refuses its config", "return PH_OK;\n}\n\nstatic ph_text ph_plan", "return ph_fail(\"no\");\n}\n\nstatic ph_text ph_plan", Finding{
			What: "it refuses a config", Why: "refuses its config: no",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := begin(t, "c", "filter")
			if !strings.Contains(filterSource, c.old) {
				t.Fatalf("the source has no %q", c.old)
			}
			write(t, filepath.Join(dir, "mine.c"), strings.Replace(filterSource, c.old, c.new, 1))
			built, err := Build(t.Context(), dir, "")
			if err != nil {
				t.Fatal(err)
			}
			tested, err := Test(t.Context(), built.Path, TestOptions{Random: 100, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range tested.Findings {
				if strings.Contains(f.What, c.want.What) && strings.Contains(f.Why, c.want.Why) && strings.Contains(f.Beacon, c.want.Beacon) &&
					strings.Contains(f.Expected, c.want.Expected) && strings.Contains(f.Got, c.want.Got) && strings.Contains(f.Stack, c.want.Stack) {
					return
				}
			}
			t.Errorf("not found: %+v\nbut %+v", c.want, tested.Findings)
		})
	}
}

// Every module that is checked in, shipped or an example, passes.
func TestCheckedIn(t *testing.T) {
	var modules []string
	for _, pattern := range []string{"../../plugins/*/*.wasm", "../../sdk/*/examples/*.wasm", "../../abi/testdata/handmade/*.wasm"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		modules = append(modules, found...)
	}
	for _, module := range modules {
		tested, err := Test(t.Context(), module, TestOptions{Random: 100, Seed: 1})
		if err != nil {
			t.Error(module, err)
		} else if len(tested.Findings) > 0 || tested.Vectors == 0 {
			t.Errorf("%s: %+v", module, tested)
		}
	}
}
