package metric

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFigureJSON(t *testing.T) {
	minute := time.Date(2019, 10, 1, 0, 2, 0, 0, time.UTC).Unix() / 60
	s := &Series{Tenant: "shop", Experiment: "aa-test", Variant: "a", Status: Assigned, Point: "order", Dims: []Label{{"platform", "web"}}}
	f := Figure{Hits: 2, Sum: NewInt(120_500_000), Sessions: 1, SumSq: NewInt(120_500_000).Mul(NewInt(120_500_000))}
	check := func(want string) {
		t.Helper()
		if got := string(AppendFigureJSON(nil, s, minute, f)); got != want {
			t.Errorf("got\n%s, want\n%s", got, want)
		}
	}
	check(`{"tenant":"shop","experiment":"aa-test","variant":"a","status":"assigned","point":"order","dims":{"platform":"web"},"minute":"2019-10-01T00:02:00Z","hits":2,"sum":120.5,"sessions":1,"sumsq":14520.25}`)
	s.Dims, s.Attributes = nil, []Label{{"slot", "\"2\"\n"}, {"image", "<é>"}}
	f = Figure{Hits: -1, Sum: NewInt(-1), SumSq: NewInt(1)}
	check(`{"tenant":"shop","experiment":"aa-test","variant":"a","status":"assigned","point":"order","dims":{},"attributes":{"image":"<é>","slot":"\"2\"\u000a"},"minute":"2019-10-01T00:02:00Z","hits":-1,"sum":-0.000001,"sessions":0,"sumsq":1e-12}`)
}

// Any line is JSON that reads back as what went in.
func TestFigureJSONReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySeries().Draw(t, "series")
		s.Tenant = rapid.String().Draw(t, "tenant")
		f := Figure{Hits: rapid.Int64().Draw(t, "hits"), Sum: IntOfBig(bigs().Draw(t, "sum")), SumSq: IntOfBig(bigs().Draw(t, "sumsq"))}
		var got struct {
			Tenant     string
			Hits       int64
			Sum, Sumsq float64
			Minute     time.Time
			Dims       map[string]string
		}
		d := json.NewDecoder(strings.NewReader(string(AppendFigureJSON(nil, s, 29_000_000, f))))
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Tenant != s.Tenant || got.Hits != f.Hits || got.Sum != f.Sum.Float64(6) || got.Sumsq != f.SumSq.Float64(12) ||
			got.Minute.Unix() != 29_000_000*60 || len(got.Dims) != len(s.Dims) {
			t.Fatalf("got %+v of %+v, %+v", got, s, f)
		}
	})
}

func TestSummary(t *testing.T) {
	var c Counts
	for _, d := range []Count{
		{"shop", In, "", 1000}, {"shop", Counted, "", 991}, {"shop", Counted, "", -1}, {"shop", Filtered, "asset", 3},
		{"shop", Filtered, "bot", 1}, {"shop", Filtered, "bot", -1}, {"shop", Duplicate, "", 2},
		{"shop", DeadLettered, "no session", 5}, {"", Undecodable, "not JSON", 1}, {"shop", BadValue, "", 4},
		{"shop", PluginError, "x", 7}, {"shop", UnknownVariant, "", 7},
	} {
		c.Add(d)
	}
	s := c.Summary([]string{"shop", "a<b"})
	want := `{"tenants":{"a<b":{"in":0,"counted":0,"filtered":{},"duplicate":0,"late":0,"dead_lettered":{}},` +
		`"shop":{"in":1000,"counted":990,"filtered":{"asset":3},"duplicate":2,"late":0,"dead_lettered":{"no session":5}}},` +
		`"undecodable":{"not JSON":1},"bad_value":{"shop":4}}`
	if got := string(s.JSON()); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if err := s.Conserved(); err != nil {
		t.Error(err)
	}
	if c.Get("shop", Filtered, "asset") != 3 || c.Total("shop", Filtered) != 3 || len(c.All()) != 9 || c.All()[0].N != 1 {
		t.Errorf("counts %+v", c.All())
	}
	c.Add(Count{"shop", LateBeacon, "", 1})
	if err := c.Summary(nil).Conserved(); err == nil || !strings.Contains(err.Error(), "shop: in 1000, accounted for 1001") {
		t.Errorf("a beacon too many: %v", err)
	}
}
