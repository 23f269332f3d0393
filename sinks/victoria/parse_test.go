package victoria

import (
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// FuzzLines looks for exports that break the reader.
func FuzzLines(f *testing.F) {
	for _, text := range []string{
		`{"metric":{"__name__":"pharos_hits","tenant":"shop"},"values":[1,2.5],"timestamps":[60000,120000]}` + "\n", "", "\n", `{}`, `{"values":[1]}`, `{"metric":{"x":"y"}}`, `[]`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values := 0
		err := readLines(strings.NewReader(text), func(*metric.Series, string, int64, float64) error { values++; return nil })
		if err == nil && values > len(text) {
			t.Fatal("more values than bytes")
		}
	})
}

func TestSelector(t *testing.T) {
	sel := metric.Selector{Tenant: `s"h\op`, Status: "assigned", Experiments: []string{"a|b", "c.d"}, Points: []string{"order"}, Stats: []string{"sum"}}
	want := `{__name__=~"pharos_(sum)",tenant="s\"h\\op",status="assigned",experiment=~"a\\|b|c\\.d",point=~"order"}`
	if got := selector(&sel); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
