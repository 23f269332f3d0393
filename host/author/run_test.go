package author

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
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
	if fmt.Sprint(ran.Answers) != "[{kept 1 0} {internal 2 0}]" || ran.Beacons != 3 || ran.Unasked["not JSON"] != 1 || len(ran.Failed) > 0 || ran.Stats.Fuel == 0 {
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

// Where a plugin traps is said with the names of its functions, in languages whose
// compilers leave them out unless they are asked for.
func TestRunNamesFunctions(t *testing.T) {
	for language, c := range map[string]struct{ file, begin, trap, want string }{
		"as":   {"mine.ts", "  process(batch: Batch): string | null {\n", "unreachable();", "assembly/exports/pharos_process("},
		"rust": {"src/lib.rs", "    fn process(&mut self, batch: &Batch) -> Result<(), Error> {\n", "core::arch::wasm32::unreachable();", "pharos_process("},
	} {
		t.Run(language, func(t *testing.T) {
			dir := begin(t, language, "filter")
			source, err := os.ReadFile(filepath.Join(dir, c.file))
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(source), c.begin, c.begin+c.trap+"\n", 1)
			if changed == string(source) {
				t.Fatalf("the example has no %q", c.begin)
			}
			write(t, filepath.Join(dir, c.file), changed)
			if err := os.Remove(filepath.Join(dir, "mine.golden.ndjson")); err != nil { // which would keep it from being loaded
				t.Fatal(err)
			}
			built, err := Build(t.Context(), dir, "")
			if err != nil {
				t.Fatal(err)
			}
			in := filepath.Join(t.TempDir(), "beacons")
			write(t, in, "{}\n")
			o := RunOptions{Inputs: []Input{{Path: in}}, Decided: func(d Decision) error {
				if d.Failed == nil || !strings.Contains(d.Failed.Stack, c.want) {
					t.Errorf("%+v, want %s", d.Failed, c.want)
				}
				return nil
			}}
			if ran, err := Run(t.Context(), built.Path, o); err != nil || ran.Beacons != 1 {
				t.Errorf("%+v, %v", ran, err)
			}
		})
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

// Beacons out of order, in one file or in several, are answered as if they had come
// in event order; beacons of the same time go by id, then as they stand. A gap ends a
// session, and another tenant's is another one.
func TestRunOutOfOrder(t *testing.T) {
	dir := begin(t, "c", session)
	built, err := Build(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files []string
		gap   time.Duration
		want  []string
	}{
		"within a file": {[]string{order(5000, "a", "", 3) + order(1000, "a", "", 2)}, 0,
			[]string{"1 order=3 repeat_order=1", "2 order=2", "end a session_spent=5 session_seconds=4"}},
		"over files": {[]string{order(5000, "a", "", 3), order(1000, "a", "", 2)}, 0,
			[]string{"1 order=3 repeat_order=1", "1 order=2", "end a session_spent=5 session_seconds=4"}},
		"of the same time": {[]string{order(1000, "a", "y", 3) + order(1000, "a", "x", 2) + order(1000, "a", "x", 4)}, 0,
			[]string{"1 order=3 repeat_order=1", "2 order=2", "3 order=4 repeat_order=1", "end a session_spent=9 session_seconds=0"}},
		"over a gap": {[]string{order(62001, "a", "", 3) + order(1000, "a", "", 2) + order(1500, "b", "", 1) + order(61500, "b", "", 1)}, time.Minute,
			[]string{"1 order=3", "2 order=2", "3 order=1", "4 order=1 repeat_order=1",
				"end a session_spent=2 session_seconds=0", "end b session_spent=2 session_seconds=60", "end a session_spent=3 session_seconds=0"}},
		"of two tenants": {[]string{order(1000, "a", "", 2) + strings.Replace(order(900, "a", "", 3), "{", `{"tenant":"other",`, 1)}, 0,
			[]string{"1 order=2", "2 order=3", "end a session_spent=3 session_seconds=0", "end a session_spent=2 session_seconds=0"}},
		"without time or session": {[]string{`{"sid":"a","type":"order","price":1}` + "\n" + `{"ts":1000,"type":"order","price":1}` + "\n" + order(1000, "a", "", 2)}, 0,
			[]string{"3 order=2", "end a session_spent=2 session_seconds=0"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			o := RunOptions{Gap: c.gap, Decided: func(d Decision) error { got = append(got, decided(t, d)); return nil }}
			for i, text := range c.files {
				path := filepath.Join(t.TempDir(), fmt.Sprint(i))
				write(t, path, text)
				o.Inputs = append(o.Inputs, Input{Path: path})
			}
			ran, err := Run(t.Context(), built.Path, o)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if name == "without time or session" && (ran.Unasked["no time"] != 1 || ran.Unasked["no session"] != 1) {
				t.Errorf("%+v", ran)
			}
		})
	}
}

// order is a beacon of an order, as a line.
func order(at int64, session, id string, price int) string {
	return fmt.Sprintf(`{"ts":%d,"sid":%q,"id":%q,"type":"order","price":%d}`+"\n", at, session, id, price)
}

// decided writes a decision of an extractor in short.
func decided(t *testing.T, d Decision) string {
	t.Helper()
	var list []measured
	if err := json.Unmarshal(d.Answer, &list); err != nil {
		t.Fatalf("%s: %v", d.Answer, err)
	}
	text := fmt.Sprint(d.Line)
	if d.Line == 0 {
		text = "end " + d.Session
	}
	for _, m := range list {
		text += fmt.Sprintf(" %s=%v", m.Point, m.Value)
	}
	return text
}

// Whatever order beacons stand in, each is answered the same, and sessions end the same.
func TestRunOrderDoesNotMatter(t *testing.T) {
	dir := begin(t, "c", session)
	built, err := Build(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	answers := func(t *rapid.T, beacons []string) (byBeacon, ends []string) {
		path := filepath.Join(folder, "in")
		if err := os.WriteFile(path, []byte(strings.Join(beacons, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		o := RunOptions{Gap: 10 * time.Second, Inputs: []Input{{Path: path}}, Decided: func(d Decision) error {
			if d.Line == 0 {
				ends = append(ends, d.Session+string(d.Answer))
			} else {
				byBeacon = append(byBeacon, beacons[d.Line-1]+string(d.Answer))
			}
			return nil
		}}
		if _, err := Run(context.Background(), built.Path, o); err != nil {
			t.Fatal(err)
		}
		slices.Sort(byBeacon)
		return byBeacon, ends
	}
	rapid.Check(t, func(t *rapid.T) {
		var beacons []string
		for i := range rapid.IntRange(1, 30).Draw(t, "beacons") {
			beacons = append(beacons, order(1000+rapid.Int64Range(0, 40).Draw(t, "second")*1000, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "session"),
				fmt.Sprintf("%02d", i), rapid.IntRange(0, 5).Draw(t, "price")))
		}
		shuffled := rapid.Permutation(beacons).Draw(t, "shuffled")
		want, wantEnds := answers(t, beacons)
		got, ends := answers(t, shuffled)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(ends, wantEnds) {
			t.Fatalf("%q %q, in another order %q %q", got, ends, want, wantEnds)
		}
	})
}
