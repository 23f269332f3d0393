package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRulesFileFaults compares what is said of faulty files of rules with the .txt
// beside them.
func TestRulesFileFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			r, err := LoadRules(name)
			var faults Faults
			if r != nil || !errors.As(err, &faults) {
				t.Fatalf("accepted, or no Faults: %v", err)
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}

func TestRulesFile(t *testing.T) {
	const text = `
drop:
  - {reason: asset, when: 'path == "a"'}
tests:
  - {beacon: {price: 1.50, exp: [{id: a}], "no": null}, expect: asset}
  - {beacon: "path=a&b=1", expect: null}
  - beacons:
      - {beacon: {}, expect: [order, {revenue: 3}]}
      - {beacon: {a: "x"}, expect: {point: order}}
`
	r, err := parseRules(&file{name: "dir/noise.rules.yaml", text: []byte(text)}, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "noise" || r.Version != "1.0.0" || len(r.Drop) != 1 || r.Drop[0].Reason != "asset" {
		t.Errorf("%+v", r)
	}
	if got := r.Position("drop", "0", "when"); got != (Pos{"dir/noise.rules.yaml", 3, 27}) {
		t.Errorf("the condition is at %v", got)
	}
	var got []string
	for _, test := range r.Tests {
		for _, b := range test.Beacons {
			got = append(got, b.Pos.String()+" "+string(b.Beacon)+" "+string(b.Expect))
		}
		got = append(got, "")
	}
	if want := `dir/noise.rules.yaml:5:5 {"price":1.50,"exp":[{"id":"a"}],"no":null} "asset"

dir/noise.rules.yaml:6:5 "path=a&b=1" null

dir/noise.rules.yaml:8:9 {} ["order",{"revenue":3}]
dir/noise.rules.yaml:9:9 {"a":"x"} {"point":"order"}
`; strings.Join(got, "\n") != want {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

// FuzzRulesFile: no file makes the reader panic, and what is refused is refused with
// faults.
func FuzzRulesFile(f *testing.F) {
	files, err := filepath.Glob("testdata/rules/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("extract: [{point: p, when: a, attributes: {x: y}}]\ntests: [{beacon: a=1, expect: {p: 1}}]"))
	env := func(name string) (string, bool) { return "value of " + name, true }
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRules(&file{name: "f", dir: ".", text: text}, env)
		var faults Faults
		if (r == nil) == (err == nil) || err != nil && (!errors.As(err, &faults) || len(faults) == 0) {
			t.Fatalf("rules %v, error %v", r, err)
		}
	})
}
