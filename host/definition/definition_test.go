package definition

import (
	"fmt"
	"testing"
)

// The example is worked by hand: two sessions of one key, a duplicate, a late
// beacon, a crossover that is taken out.
func TestByHand(t *testing.T) {
	const minute = 60_000
	cfg := Config{
		Source: Source{
			Format: "json", Time: Locator{Paths: []string{"ts"}}, Tenant: Locator{Const: "shop"}, Session: Locator{Paths: []string{"sid"}},
			ID: Locator{Paths: []string{"id"}}, Assignments: Locator{Paths: []string{"exp"}},
		},
		Gap: 30 * minute, Lateness: 10 * minute, Ahead: 5 * minute, Now: 1_000 * minute, Default: "all",
		Tenants: map[string]Tenant{"shop": {
			AllTraffic:  true,
			Experiments: []Experiment{{ID: "x", Variants: []Variant{{"a", 1}, {"b", 1}}, Exclude: true}},
			Extract: func(b Beacon) []Measurement {
				if v, ok := b.Field("price").Number(); ok {
					return []Measurement{{Point: "order", Value: v}}
				}
				return nil
			},
		}},
	}
	beacon := func(id string, at int, rest string) string {
		return fmt.Sprintf(`{"id":%q,"sid":"s","ts":%d%s}`, id, at*minute, rest)
	}
	var lines []Line
	for i, raw := range []string{
		beacon("1", 10, `,"exp":{"x":"a"},"price":1.5`),
		beacon("2", 12, `,"price":2`),
		beacon("1", 40, ``),                 // 30 minutes after 1: a duplicate
		beacon("3", 41, `,"exp":{"x":"b"}`), // disagrees: x is taken out; 29 after 2: the same session
		beacon("4", 100, `,"price":0.5`),    // another session
		beacon("5", 89, ``),                 // 11 behind: late
		beacon("6", 2000, ``),               // future
		`{"ts":1}`, `nonsense`,
	} {
		lines = append(lines, Line{Topic: "t", Offset: int64(i), Raw: []byte(raw)})
	}
	r := Compute(cfg, lines)
	s := r.Tenants["shop"]
	if s.In != 9 || s.Counted != 4 || s.Duplicate != 1 || s.Late != 1 || s.DeadLettered["future"] != 1 || s.DeadLettered["no session"] != 1 || s.DeadLettered["not JSON"] != 1 {
		t.Errorf("summary: %+v", s)
	}
	want := map[string]string{
		"_all _all visit 10": "1 1000000 1 1000000000000", "_all _all visit 100": "1 1000000 1 1000000000000",
		"_all _all order 10": "1 1500000 1 2250000000000", "_all _all order 12": "1 2000000 0 10000000000000",
		"_all _all order 100": "1 500000 1 250000000000",
		"x a visit 10":        "1 1000000 1 1000000000000", "x a order 10": "1 1500000 1 2250000000000", "x a order 12": "1 2000000 0 10000000000000",
		"x a visit 41": "-1 -1000000 -1 -1000000000000", "x a order 41": "-2 -3500000 -1 -12250000000000",
		"x a crossover 41": "1 1000000 1 1000000000000",
	}
	for key, f := range r.Figures {
		name := fmt.Sprintf("%s %s %s %d", key.Experiment, key.Variant, key.Point, key.Minute)
		if got := fmt.Sprint(f.Hits, f.Sum, f.Sessions, f.SumSq); got != want[name] {
			t.Errorf("%s %s: %s, want %s", key.Status, name, got, want[name])
		}
	}
	if len(r.Figures) != 2*len(want)-1 { // crossover is booked for assigned only
		t.Errorf("%d figures, want %d", len(r.Figures), 2*len(want)-1)
	}
}

func TestCauses(t *testing.T) {
	for format, cases := range map[string]map[string]string{
		"json":  {`{}`: "", `[]`: "not an object", `{`: "not JSON", `{} {}`: "not JSON", "{\"a\":\"\xff\"}": "not UTF-8", `{"a":NaN}`: "not JSON"},
		"query": {"a=1&b": "", "a=%4": "bad escape", "a=%zz": "bad escape", "a=%ff": "not UTF-8"},
		"clf":   {"x": "not CLF", `1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1`: ""},
	} {
		for raw, want := range cases {
			if _, cause := Decode(Source{Format: format}, []byte(raw)); cause != want {
				t.Errorf("%s %q: %q, want %q", format, raw, cause, want)
			}
		}
	}
}
