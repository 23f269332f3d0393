package words

import "testing"

func TestDistance(t *testing.T) {
	for _, d := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"abc", "acb", 1}, {"fromat", "format", 1}, {"kitten", "sitting", 3}} {
		if got := distance(d.a, d.b); got != d.want {
			t.Errorf("%q %q: %d", d.a, d.b, got)
		}
	}
}
