package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// The canonical form is a config that means the same.
func TestJSONRoundTrip(t *testing.T) {
	c := mustLoad(t, "testdata/example/now.yaml")
	again, err := Parse("json", filepath.Join("testdata", "example"), c.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if string(again.JSON()) != string(c.JSON()) {
		t.Errorf("got:\n%s\nwant:\n%s", again.JSON(), c.JSON())
	}
	if again.Digests() != c.Digests() {
		t.Error("the digests differ")
	}
	if again.Kafka.SASL.Password.Reveal() != "hunter2" {
		t.Error("the reference to the secret is lost")
	}
}

func TestJSONEscapes(t *testing.T) {
	t.Setenv("PHAROS_TEST_TEXT", "${x}\n\u2028")
	c, err := Parse("x", ".", []byte(`
sources: [{name: site, fields: {time: 'a"b', x: {const: "$${x}"}}}]
plugins: {p: {module: "file://a b", config: {"${k}": "$${v}", n: "${PHAROS_TEST_TEXT}"}}}
tenants: {shop: {experiments: {e: {variants: {"on": 1, "${v}": 2}}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("json", ".", c.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if string(again.JSON()) != string(c.JSON()) {
		t.Errorf("got:\n%s\nwant:\n%s", again.JSON(), c.JSON())
	}
	if got := string(again.Plugins[0].Value.Config); got != "{\"${k}\":\"${v}\",\"n\":\"${x}\\u000a\\u2028\"}" {
		t.Errorf("config %s", got)
	}
}

func TestDigests(t *testing.T) {
	const base = "kafka: {brokers: ['a:1'], sasl: {mechanism: PLAIN, user: u, password: ${PHAROS_TEST_SECRET}}}\nsources: [{name: site}]\ntenants: {shop: {all_traffic: true}}\n"
	load := func(text string) Digests {
		t.Helper()
		c, err := Parse("x", ".", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c.Digests()
	}
	t.Setenv("PHAROS_TEST_SECRET", "one")
	first := load(base)
	t.Setenv("PHAROS_TEST_SECRET", "two")
	if load(base) != first {
		t.Error("a secret changes a digest")
	}
	if load(base+"session: {gap: 30m}\n") != first {
		t.Error("a default that is written out changes a digest")
	}
	for text, want := range map[string][2]bool{ // whether figures and rest differ
		base + "session: {gap: 29m}\n":                                   {true, false},
		base + "plugins: {p: {module: 'file://x'}}\n":                    {true, false},
		base + "stores: {local: {type: embedded}}\n":                     {false, true},
		base + "group: other\n":                                          {false, true},
		strings.Replace(base, "site", "other", 1):                        {true, false},
		strings.Replace(base, "all_traffic: true", "", 1):                {true, false},
		strings.Replace(base, "all_traffic: true", "pairs: [[a, b]]", 1): {true, false},
	} {
		got := load(text)
		if (got.Figures != first.Figures) != want[0] || (got.Rest != first.Rest) != want[1] {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestClearSecretIsLeftOut(t *testing.T) {
	c, err := Parse("x", ".", []byte("kafka: {brokers: ['a:1'], sasl: {mechanism: PLAIN, user: u, password: hunter2}}\nsources: [{name: site}]\ntenants: {shop: }\n"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(c.JSON()), "hunter2") || strings.Contains(string(c.JSON()), "password") {
		t.Errorf("%s", c.JSON())
	}
	if !strings.Contains(Explain(c), "x:1:71: the secret stands in the file in clear") {
		t.Errorf("%s", Explain(c))
	}
}

// 0% is a share like others: it is not taken for the default when it is read again.
func TestShares(t *testing.T) {
	const text = `sources: [{name: a}]
plugins:
  p:
    rules: {drop: [{reason: r, when: a}]}
    shadow: {max_diff: 0%}
    canary: {share: 12.05%, max_traps: 0%}
tenants: {t: {all_traffic: true}}
`
	c, err := Parse("x", "", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("x", "", c.JSON())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Config{c, again} {
		p := c.Plugins.Get("p")
		if p.Shadow.MaxDiff != 0 || p.Shadow.MinRows != 1000 || p.Canary.Share != 120_500 || p.Canary.MaxTraps != 0 || p.Breaker.Traps.String() != "50%" {
			t.Errorf("%+v %+v", p.Shadow, p.Canary)
		}
	}
	want := "A new version of p first runs beside the old one for 10m and 1000 beacons, of which 0% may differ, then decides of 12.05% of the sessions for 10m and 1000 beacons, failing at no more than 0%."
	if !strings.Contains(Explain(c), want) {
		t.Error(Explain(c))
	}
}
