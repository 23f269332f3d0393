package session

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/experiment"
)

// at is a beacon of the session s at a minute.
func at(m float64, rest string) string { return of("s", m, rest) }

func of(session string, m float64, rest string) string {
	if rest != "" {
		rest = "," + rest
	}
	return fmt.Sprintf(`{"ts":%d,"sid":%q%s}`, int64(m*minute), session, rest)
}

type figuresCase struct {
	name    string
	config  func(c *Config, shop *Tenant)
	log     []string
	figures []string
	counts  []string // not looked at where nil
}

// trials is a config with the experiments given.
func trials(all ...experiment.Experiment) func(*Config, *Tenant) {
	return func(_ *Config, shop *Tenant) {
		for _, e := range all {
			shop.Experiments = append(shop.Experiments, compile(e))
		}
	}
}

func all(_ *Config, shop *Tenant) { shop.AllTraffic = true }

var (
	plainTrial   = experiment.Experiment{ID: "e"}
	qualifyTrial = experiment.Experiment{ID: "e", Qualify: "view"}
	excludeTrial = experiment.Experiment{ID: "e", Qualify: "view", Exclude: true}
	hourTrial    = experiment.Experiment{ID: "e", Start: 10 * minute, HasStart: true, End: 20 * minute, HasEnd: true}
)

const a, b, z = `"exp":{"e":"a"}`, `"exp":{"e":"b"}`, `"exp":{"e":"z"}`

// both gives the same figure for both statuses.
func both(place, rest string) []string {
	return []string{fmt.Sprintf(place, "assigned") + rest, fmt.Sprintf(place, "qualified") + rest}
}

func join(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var figuresCases = []figuresCase{
	{
		name: "assigned and at once qualified without qualify", config: trials(plainTrial),
		log:     []string{at(1.5, a)},
		figures: both("e a %s visit", " @1: 1 1 1 1"),
		counts:  []string{"shop counted  1"},
	},
	{
		name: "measurements count from A on, those of A's beacon too", config: trials(plainTrial),
		log: []string{at(0, `"m":[["order",5]]`), at(1, a+`,"m":[["order",2]]`), at(2, `"m":[["order",3],["order"]]`)},
		figures: join(both("e a %s visit", " @1: 1 1 1 1"), both("e a %s order", " @1: 1 2 1 4"),
			both("e a %s order", " @2: 2 4 0 32")), // 6^2 - 2^2
	},
	{
		name: "Q is the first measurement of the point at or after A", config: trials(qualifyTrial),
		log: []string{at(0, `"m":[["view"]]`), at(1, a+`,"m":[["order"]]`), at(2, `"m":[["order",2],["view"]]`), at(3, `"m":[["view"]]`)},
		figures: []string{
			"e a assigned visit @1: 1 1 1 1", "e a assigned order @1: 1 1 1 1", "e a assigned order @2: 1 2 0 8", // 9 - 1
			"e a assigned view @2: 1 1 1 1", "e a assigned view @3: 1 1 0 3",
			"e a qualified visit @2: 1 1 1 1", "e a qualified order @2: 1 2 1 4",
			"e a qualified view @2: 1 1 1 1", "e a qualified view @3: 1 1 0 3",
		},
	},
	{
		name: "an unknown variant is no assignment and counted", config: trials(plainTrial),
		log:     []string{at(0, z), at(1, `"exp":[{"id":"e","variant":"z"},{"id":"e","variant":"b"},{"id":"e","variant":"a"},{"id":"f","variant":"a"}]`), at(2, z)},
		figures: both("e b %s visit", " @1: 1 1 1 1"),
		counts:  []string{"shop counted  3", "shop unknown  3"},
	},
	{
		name: "start is in, end is out, assigned before end counts on", config: trials(hourTrial),
		log: []string{
			of("early", 9.99, a), of("early", 10, b), of("last", 19.99, a), of("last", 20, `"m":[["order"]]`), of("after", 20, a),
		},
		figures: join(both("e b %s visit", " @10: 1 1 1 1"), both("e a %s visit", " @19: 1 1 1 1"), both("e a %s order", " @20: 1 1 1 1")),
	},
	{
		name: "a crossover is kept, counted once, also after end", config: trials(hourTrial),
		log: []string{at(19, a), at(21, b+`,"m":[["order"]]`), at(22, b), at(23, z)},
		figures: join(both("e a %s visit", " @19: 1 1 1 1"), both("e a %s order", " @21: 1 1 1 1"),
			[]string{"e a assigned crossover @21: 1 1 1 1"}),
	},
	{
		name: "a crossover is taken out: all is taken back in its minute",
		config: func(c *Config, shop *Tenant) {
			trials(excludeTrial)(c, shop)
			shop.Pairs = [][2]string{{"order", "view"}, {"order", "order"}}
		},
		log: []string{
			at(1, a+`,"m":[["order",2]]`), at(2, `"m":[["view"],["click",3,{"image":"i"}]]`),
			at(3, `"m":[["order",4]]`), at(4, b+`,"m":[["order",7],["view"]]`), at(5, a+`,"m":[["order",9]]`),
		},
		figures: []string{
			"e a assigned visit @1: 1 1 1 1", "e a assigned order @1: 1 2 1 4", "e a assigned order*order @1: 0 4 0 0",
			"e a assigned view @2: 1 1 1 1", "e a assigned click @2: 1 3 1 9", "e a assigned click[image=i] @2: 1 3 1 9",
			"e a assigned order*view @2: 0 2 0 0",
			"e a qualified visit @2: 1 1 1 1", "e a qualified view @2: 1 1 1 1", "e a qualified click @2: 1 3 1 9",
			"e a qualified click[image=i] @2: 1 3 1 9",
			"e a assigned order @3: 1 4 0 32", "e a assigned order*view @3: 0 4 0 0", "e a assigned order*order @3: 0 32 0 0",
			"e a qualified order @3: 1 4 1 16", "e a qualified order*view @3: 0 4 0 0", "e a qualified order*order @3: 0 16 0 0",
			"e a assigned crossover @4: 1 1 1 1",
			"e a assigned visit @4: -1 -1 -1 -1", "e a qualified visit @4: -1 -1 -1 -1",
			"e a assigned order @4: -2 -6 -1 -36", "e a qualified order @4: -1 -4 -1 -16",
			"e a assigned view @4: -1 -1 -1 -1", "e a qualified view @4: -1 -1 -1 -1",
			"e a assigned click @4: -1 -3 -1 -9", "e a qualified click @4: -1 -3 -1 -9",
			"e a assigned click[image=i] @4: -1 -3 -1 -9", "e a qualified click[image=i] @4: -1 -3 -1 -9",
			"e a assigned order*view @4: 0 -6 0 0", "e a qualified order*view @4: 0 -4 0 0",
			"e a assigned order*order @4: 0 -36 0 0", "e a qualified order*order @4: 0 -16 0 0",
		},
	},
	{
		name: "taken out before Q", config: trials(excludeTrial),
		log: []string{at(1, a), at(2, b+`,"m":[["view"]]`), at(3, `"m":[["view"]]`)},
		figures: []string{
			"e a assigned visit @1: 1 1 1 1", "e a assigned visit @2: -1 -1 -1 -1", "e a assigned crossover @2: 1 1 1 1",
		},
	},
	{
		name: "taken out within one minute leaves the crossover alone", config: trials(excludeTrial),
		log:     []string{at(1, a), at(1.5, b+`,"m":[["view"]]`)},
		figures: []string{"e a assigned crossover @1: 1 1 1 1"},
	},
	{
		name: "one experiment's exclusion is not another's", config: trials(excludeTrial, experiment.Experiment{ID: "f"}),
		log: []string{at(1, `"exp":{"e":"a","f":"b"}`), at(2, b+`,"m":[["order"]]`)},
		figures: join([]string{
			"e a assigned visit @1: 1 1 1 1", "e a assigned visit @2: -1 -1 -1 -1", "e a assigned crossover @2: 1 1 1 1",
		}, both("f b %s visit", " @1: 1 1 1 1"), both("f b %s order", " @2: 1 1 1 1")),
	},
	{
		name: "crossovers only within the phase of A",
		config: trials(experiment.Experiment{ID: "e", Phases: []experiment.Phase{
			{From: 5 * minute, Variants: []experiment.Variant{{Name: "a", Weight: 1}, {Name: "b", Weight: 3}}},
		}}),
		log:     []string{of("s", 4, a), of("r", 4, a), of("r", 4.9, b), of("s", 5, b), of("t", 5, a), of("t", 6, b)},
		figures: join(both("e a %s visit", " @4: 2 2 2 2"), both("e a %s visit", " @5: 1 1 1 1"), []string{"e a assigned crossover @4: 1 1 1 1", "e a assigned crossover @6: 1 1 1 1"}),
	},
	{
		// With salt aa-2026 and equal weights v1 and v2 get a, v3 and v4 b
		// (computed with Python's hashlib).
		name: "the engine assigns by the session id, and ignores what beacons carry",
		config: trials(
			experiment.Experiment{ID: "e", Hash: true, Salt: "aa-2026"}),
		log:     []string{of("v1", 1, b), of("v3", 1, a), of("v3", 2, b+`,"m":[["order"]]`)},
		figures: join(both("e a %s visit", " @1: 1 1 1 1"), both("e b %s visit", " @1: 1 1 1 1"), both("e b %s order", " @2: 1 1 1 1")),
		counts:  []string{"shop counted  3"},
	},
	{
		name:   "the engine assigns by a field from the first beacon that has it; another unit is a crossover, none is not",
		config: trials(experiment.Experiment{ID: "e", Hash: true, Salt: "aa-2026", Unit: "visitor"}),
		log: []string{
			at(1, `"m":[["order"]]`), at(2, `"visitor":null`), at(3, `"visitor":"v1"`), at(4, `"visitor":""`),
			at(5, `"visitor":"v2"`), at(6, `"visitor":"v3"`), at(7, `"visitor":["v3"]`),
		},
		figures: join(both("e a %s visit", " @3: 1 1 1 1"), []string{"e a assigned crossover @6: 1 1 1 1"}),
	},
	{
		// Bucket of v1 in the layer c-2026: 2081; of v2 6470.
		name: "only units within the layer's buckets; phases may widen them",
		config: trials(experiment.Experiment{ID: "e", Hash: true, Salt: "aa-2026", Layer: &experiment.Layer{Name: "l", Salt: "c-2026"},
			Buckets: &[2]int64{0, 2082}, Phases: []experiment.Phase{{From: 5 * minute, Buckets: &[2]int64{0, 10000}}}}),
		log:     []string{of("v1", 1, ""), of("v2", 1, ""), of("v2", 4.9, ""), of("v2", 5, ""), of("v1", 5, "")},
		figures: join(both("e a %s visit", " @1: 1 1 1 1"), both("e a %s visit", " @5: 1 1 1 1")),
	},
	{
		name: "exactly the gap apart is one session, more is two", config: all,
		log:     []string{of("s", 0, ""), of("s", 30, `"m":[["order"]]`), of("r", 30.5, `"m":[["order"]]`), of("r", 60.6, `"m":[["order"]]`)},
		figures: join(both("_all _all %s visit", " @0: 1 1 1 1"), both("_all _all %s visit", " @30: 1 1 1 1"), both("_all _all %s order", " @30: 2 2 2 2"), both("_all _all %s visit", " @60: 1 1 1 1"), both("_all _all %s order", " @60: 1 1 1 1")),
	},
	{
		name: "a session begins anew with its own assignment", config: trials(plainTrial),
		log:     []string{at(0, a), at(31, `"m":[["order"]]`), at(32, b)},
		figures: join(both("e a %s visit", " @0: 1 1 1 1"), both("e b %s visit", " @32: 1 1 1 1")),
	},
	{
		name: "duplicates: exactly the gap apart still, copies do not prolong, and bridge nothing", config: all,
		log: []string{
			at(0, `"id":"x"`), at(0, `"id":"x","m":[["order"]]`), at(30, `"id":"x"`), at(30, `"id":"y"`), at(30.5, `"id":"x"`),
			of("r", 40, `"id":"x"`), of("r", 41, `"m":[["order"]]`), of("r", 41, `"m":[["order"]]`),
			of("q", 50, `"id":"x"`), of("q", 79, `"id":"x"`), of("q", 81, `"id":"z"`),
		},
		figures: join(both("_all _all %s visit", " @0: 1 1 1 1"), both("_all _all %s visit", " @40: 1 1 1 1"),
			both("_all _all %s order", " @41: 2 2 1 4"), both("_all _all %s visit", " @50: 1 1 1 1"), both("_all _all %s visit", " @81: 1 1 1 1")),
		counts: []string{"shop counted  8", "shop duplicate  3"},
	},
	{
		name: "another session's id makes no duplicate", config: all,
		log:     []string{of("s", 0, `"id":"x"`), of("r", 0, `"id":"x"`)},
		figures: both("_all _all %s visit", " @0: 2 2 2 2"),
	},
	{
		name: "dimensions come from the session's first beacon",
		config: func(c *Config, shop *Tenant) {
			shop.AllTraffic = true
			shop.Dimensions = []Dimension{
				{Name: "platform", Path: "p", Values: []string{"web", "ios"}, Default: "none"}, {Name: "dc", Path: "d.c"},
			}
		},
		log: []string{
			of("s", 0, `"p":"ios","d":{"c":1.50}`), of("s", 1, `"p":"web","m":[["order"]]`),
			of("q", 2, `"p":"tv","d":{"c":true}`), of("r", 3, `"p":"","d":{"c":null}`), of("t", 4, `"p":["web"],"d":5`),
		},
		figures: join(both("_all _all %s visit{dc=1.50 platform=ios}", " @0: 1 1 1 1"), both("_all _all %s order{dc=1.50 platform=ios}", " @1: 1 1 1 1"),
			both("_all _all %s visit{dc=true platform=_other}", " @2: 1 1 1 1"), both("_all _all %s visit{platform=none}", " @3: 1 1 1 1"),
			both("_all _all %s visit{platform=none}", " @4: 1 1 1 1")),
		counts: []string{"shop counted  5"},
	},
	{
		name: "values of a dimension beyond the limit, which only a session's first beacon counts against",
		config: func(c *Config, shop *Tenant) {
			c.MaxValues, shop.AllTraffic = 2, true
			shop.Dimensions = []Dimension{{Name: "p", Path: "p", Default: "d"}}
		},
		log: []string{
			of("1", 0, `"p":"x"`), of("1", 0, `"p":"y"`), of("2", 1, `"p":"z"`), of("3", 2, `"p":"y"`), of("4", 3, `"p":"x"`),
			of("5", 4, ""), of("6", 5, `"p":"_other"`),
		},
		figures: join(both("_all _all %s visit{p=x}", " @0: 1 1 1 1"), both("_all _all %s visit{p=z}", " @1: 1 1 1 1"),
			both("_all _all %s visit{p=_other}", " @2: 1 1 1 1"), both("_all _all %s visit{p=x}", " @3: 1 1 1 1"),
			both("_all _all %s visit{p=d}", " @4: 1 1 1 1"), both("_all _all %s visit{p=_other}", " @5: 1 1 1 1")),
		counts: []string{"shop counted  7", "shop other p 1"},
	},
	{
		name: "a dimension's own limit goes before that of all",
		config: func(c *Config, shop *Tenant) {
			c.MaxValues, shop.AllTraffic = 2, true
			shop.Dimensions = []Dimension{{Name: "p", Path: "p", Limit: 1}, {Name: "q", Path: "q", Limit: 3}}
		},
		log: []string{of("1", 0, `"p":"x","q":"x"`), of("2", 1, `"p":"y","q":"y"`), of("3", 2, `"p":"x","q":"z"`), of("4", 3, `"q":"w"`)},
		figures: join(both("_all _all %s visit{p=x q=x}", " @0: 1 1 1 1"), both("_all _all %s visit{p=_other q=y}", " @1: 1 1 1 1"),
			both("_all _all %s visit{p=x q=z}", " @2: 1 1 1 1"), both("_all _all %s visit{q=_other}", " @3: 1 1 1 1")),
		counts: []string{"shop counted  4", "shop other p 1", "shop other q 1"},
	},
	{
		name: "attributes are booked beside the point, with sessions and squares of their own", config: all,
		log: []string{
			at(0, `"m":[["click",2,{"image":"i"}],["click",3,{"image":"i","slot":"l"}],["click",1,{"slot":""}]]`),
			at(1, `"m":[["click",1,{"image":"i"}]]`),
		},
		figures: join(both("_all _all %s visit", " @0: 1 1 1 1"), both("_all _all %s click", " @0: 3 6 1 36"),
			both("_all _all %s click[image=i]", " @0: 1 2 1 4"), both("_all _all %s click[image=i slot=l]", " @0: 1 3 1 9"),
			both("_all _all %s click", " @1: 1 1 0 13"), both("_all _all %s click[image=i]", " @1: 1 1 0 5")),
	},
	{
		name: "an attribute's values beyond the limit",
		config: func(c *Config, shop *Tenant) {
			c.MaxValues, shop.AllTraffic = 1, true
		},
		log: []string{at(0, `"m":[["click",1,{"image":"i"}],["click",1,{"image":"j"}],["click",1,{"image":"k"}]]`)},
		figures: join(both("_all _all %s visit", " @0: 1 1 1 1"), both("_all _all %s click", " @0: 3 3 1 9"),
			both("_all _all %s click[image=i]", " @0: 1 1 1 1"), both("_all _all %s click[image=_other]", " @0: 2 2 1 4")),
		counts: []string{"shop counted  1", "shop other image 2"},
	},
	{
		name: "a pair is the changes of the product of the points' own totals",
		config: func(c *Config, shop *Tenant) {
			shop.AllTraffic = true
			shop.Pairs = [][2]string{{"order", "click"}}
		},
		log: []string{
			at(0, `"m":[["order",2]]`), at(1, `"m":[["click",3,{"image":"i"}],["click",1,{"image":"j"}]]`), at(2, `"m":[["order",0.5],["click",-1]]`),
		},
		figures: join(both("_all _all %s visit", " @0: 1 1 1 1"), both("_all _all %s order", " @0: 1 2 1 4"),
			both("_all _all %s click", " @1: 2 4 1 16"), both("_all _all %s click[image=i]", " @1: 1 3 1 9"), both("_all _all %s click[image=j]", " @1: 1 1 1 1"),
			both("_all _all %s order*click", " @1: 0 8 0 0"), both("_all _all %s order", " @2: 1 0.5 0 2.25"),
			both("_all _all %s click", " @2: 1 -1 0 -7"), both("_all _all %s order*click", " @2: 0 -0.5 0 0")), // 2.5*3 - 8
	},
	{
		name: "values are the nearest millionth, half to even; what is no number is counted", config: all,
		log: []string{at(0, `"m":[["order",0.0000015],["order",0.0000005],["order",1e9],["order",1.1e9],["order","x"],["order",null]]`)},
		figures: join(both("_all _all %s visit", " @0: 1 1 1 1"),
			both("_all _all %s order", " @0: 3 1.000000000000002e+09 1 1.000000000000004e+18")), // 2 and 0 millionths
		counts: []string{"shop counted  1", "shop bad  3"},
	},
	{
		name: "a trap gives no measurements and the beacon counts", config: all,
		log:     []string{at(0, `"trap":"boom","m":[["order"]]`), at(1, `"m":[["order"]]`)},
		figures: join(both("_all _all %s visit", " @0: 1 1 1 1"), both("_all _all %s order", " @1: 1 1 1 1")),
		counts:  []string{"shop counted  2", "shop trap list 1"},
	},
	{
		name: "equal times go by id, then by position; a missing id is first", config: trials(plainTrial),
		log:     []string{of("s", 1, `"id":"2",`+a), of("s", 1, `"id":"10",`+b), of("r", 1, `"id":"0",`+a), of("r", 1, b), of("q", 1, a), of("q", 1, b)},
		figures: join(both("e b %s visit", " @1: 2 2 2 2"), both("e a %s visit", " @1: 1 1 1 1"), []string{"e b assigned crossover @1: 2 2 2 2", "e a assigned crossover @1: 1 1 1 1"}),
	},
}

func TestFigures(t *testing.T) {
	for _, c := range figuresCases {
		t.Run(c.name, func(t *testing.T) {
			for _, batch := range []int{0, 1} {
				s, _ := run(t, testConfig(c.config), log(c.log...), batch*1+(1-batch)*len(c.log))
				check(t, fmt.Sprintf("figures, batch %d", batch), s.figures(), c.figures)
				if c.counts != nil {
					check(t, "counts", s.countLines(), c.counts)
				}
			}
		})
	}
}

// What comes out of order within the lateness ends as if it had come in order:
// each pair of logs holds the same beacons.
func TestOutOfOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		config func(*Config, *Tenant)
		log    []string // the last one comes first in time
	}{
		{"an assignment moves, and the variant", trials(plainTrial), []string{at(5, a+`,"m":[["order"]]`), at(6, b+`,"m":[["order"]]`), at(4, b+`,"m":[["order"]]`)}},
		{"a qualification moves", trials(qualifyTrial), []string{at(1, a), at(5, `"m":[["order"],["view"]]`), at(2, `"m":[["view"]]`)}},
		{"a first occurrence moves", all, []string{at(1, ""), at(5, `"m":[["order",3]]`), at(2, `"m":[["order",2]]`)}},
		{"two sessions become one", all, []string{at(0, `"m":[["order"]]`), at(35, `"m":[["order"]]`), at(28, "")}},
		{"an exclusion moves to an earlier minute", trials(excludeTrial), []string{at(0, a), at(5, b), at(6, a), at(2, b+`,"m":[["view"]]`)}},
		{"a beacon becomes a duplicate", all, []string{at(0, ""), at(5, `"id":"x","m":[["order",2]]`), at(4, `"id":"x","m":[["order",3]]`)}},
		{"a duplicate becomes counted", func(c *Config, shop *Tenant) {
			shop.AllTraffic, c.Gap = true, 5*time.Minute
		}, []string{at(4, `"id":"x","m":[["order",2]]`), at(8, `"id":"x","m":[["order",3]]`), at(1, `"id":"x","m":[["order",4]]`)}},
		{"the dimensions change", func(c *Config, shop *Tenant) {
			shop.AllTraffic, shop.Dimensions = true, []Dimension{{Name: "p", Path: "p"}}
		}, []string{at(5, `"p":"x","m":[["order"]]`), at(4, `"p":"y"`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := run(t, testConfig(c.config), log(c.log...))
			n := len(c.log) - 1
			var sorted []string
			placed := false
			for _, line := range c.log[:n] {
				if !placed && timeOf(line) > timeOf(c.log[n]) {
					sorted, placed = append(sorted, c.log[n]), true
				}
				sorted = append(sorted, line)
			}
			if !placed {
				t.Fatal("the last one is in order")
			}
			want, _ := run(t, testConfig(c.config), log(sorted...))
			check(t, "figures", got.figures(), want.figures())
			check(t, "counts", got.countLines(), want.countLines())
		})
	}
}

func timeOf(line string) (ms int64) {
	if _, err := fmt.Sscanf(line, `{"ts":%d`, &ms); err != nil {
		panic(err)
	}
	return ms
}
