package author

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// run builds an example, changed if asked, and runs beacons through it.
func run(t *testing.T, kind, old, new, beacons string, o RunOptions) ([]Decision, *Ran) {
	t.Helper()
	dir := begin(t, "c", kind)
	if old != "" {
		source, err := os.ReadFile(filepath.Join(dir, "mine.c"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), old) {
			t.Fatalf("the example has no %q", old)
		}
		write(t, filepath.Join(dir, "mine.c"), strings.Replace(string(source), old, new, 1))
	}
	built, err := Build(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(t.TempDir(), "beacons")
	write(t, in, beacons)
	if o.Inputs == nil {
		o.Inputs = []Input{{}}
	}
	o.Inputs[0].Path = in
	var all []Decision
	o.Decided = func(d Decision) error { all = append(all, d); return nil }
	ran, err := Run(t.Context(), built.Path, o)
	if err != nil {
		t.Fatal(err)
	}
	return all, ran
}

func TestRunFilter(t *testing.T) {
	all, ran := run(t, "filter", "", "", `{"remote":"10.0.0.1"}

{"internal":true}
no beacon
{"remote":5,"other":1}`, RunOptions{Config: json.RawMessage(`{"prefix":"10."}`)})
	want := []Decision{
		{Line: 1, Answer: json.RawMessage(`"internal"`), Fields: []Shown{{"remote", json.RawMessage(`"10.0.0.1"`)}}},
		{Line: 3, Answer: json.RawMessage(`"internal"`), Fields: []Shown{{"internal", json.RawMessage("true")}}},
		{Line: 5, Answer: json.RawMessage("null"), Fields: []Shown{{"remote", json.RawMessage("5")}}},
	}
	for i := range all {
		all[i].Path = ""
	}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("%+v", all)
	}
	if fmt.Sprint(ran.Answers) != "[{kept 1 0} {internal 2 0}]" || ran.Beacons != 3 || ran.Undecodable["not JSON"] != 1 || len(ran.Failed) > 0 || ran.Stats.Fuel == 0 {
		t.Errorf("%+v", ran)
	}
}

// Sources without types, and further names of fields.
func TestRunQuery(t *testing.T) {
	all, ran := run(t, "split", "", "", "p=7.5&x=1\nproduct.price=8\np=200\np=dear\n", RunOptions{
		Config: json.RawMessage(`{"minimum":100}`), Inputs: []Input{{Format: "query", Names: map[string]string{"product.price": "p"}}},
	})
	var got []string
	for _, d := range all {
		got = append(got, string(d.Answer))
	}
	if fmt.Sprint(got) != `["small" null "big" null]` || fmt.Sprint(ran.Answers) != "[{no opinion 2 0} {small 1 0} {big 1 0}]" {
		t.Errorf("%v %v", got, ran.Answers)
	}
}

// process is where the examples' process begins.
const process = "static int ph_process(const ph_batch *b) {"

// A beacon at which it fails is told, and the others are answered.
func TestRunExtract(t *testing.T) {
	all, ran := run(t, "extract", process, process+`
  for (ph_u32 row = 0; row < b->rows; row++) if (ph_equal(ph_entry(b, ph_col(b, IMAGE), row), PH_TEXT("bad"))) __builtin_trap();`,
		`{"type":"click","img":{"id":"a.png","slot":1},"weight":2.5}
{"type":"click","img":{"id":"bad"}}
{"type":"click","weight":1e10}
{"type":"view"}`, RunOptions{})
	for i, want := range []string{
		`[{"point":"image_click","value":1,"attributes":{"image":"a.png","slot":"1"}},{"point":"image_weight","value":2.5}]`,
		"", `[{"point":"image_click","value":1}]`, "[]",
	} {
		if string(all[i].Answer) != want {
			t.Errorf("beacon %d is answered %s, not %s", i, all[i].Answer, want)
		}
	}
	if f := all[1].Failed; f == nil || f.Cause != "trap" || !strings.Contains(f.Stack, "ph_export_process") {
		t.Errorf("%+v", f)
	}
	if all[2].Bad != 1 || ran.Bad != 1 || ran.Failed["trap"] != 1 || fmt.Sprint(ran.Answers) != "[{image_click 2 2} {image_weight 1 2.5}]" ||
		fmt.Sprint(ran.Counters) != "[{without_image 1 0}]" {
		t.Errorf("%+v %+v", all[2], ran)
	}
}

// Golden vectors that do not hold keep a plugin from running, as in a host.
func TestRunRefuses(t *testing.T) {
	dir := begin(t, "c", "filter")
	write(t, filepath.Join(dir, "mine.golden.ndjson"), `{"beacons":[{}],"expect":["internal"]}`)
	built, err := Build(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), built.Path, RunOptions{}); err == nil || !strings.Contains(err.Error(), "beacon 0: answered null, expected \"internal\"") {
		t.Error(err)
	}
}

// Cells are kept from beacon to beacon, and sessions end behind the last one.
func TestRunSessions(t *testing.T) {
	all, ran := run(t, session, "", "", `{"ts":1000,"sid":"a","type":"order","price":2}
{"ts":2000,"sid":"b","type":"view"}
{"ts":5000,"sid":"a","type":"order","price":3}`, RunOptions{})
	var got []string
	for _, d := range all {
		got = append(got, fmt.Sprintf("%d%s %s", d.Line, d.Session, d.Answer))
	}
	want := []string{
		`1 [{"point":"order","value":2}]`,
		`2 []`,
		`3 [{"point":"order","value":3},{"point":"repeat_order","value":1}]`,
		`0a [{"point":"session_spent","value":5},{"point":"session_seconds","value":4}]`,
		`0b []`,
	}
	if !reflect.DeepEqual(got, want) || ran.Beacons != 3 || ran.Sessions != 2 {
		t.Errorf("%q, %+v", got, ran)
	}
}
