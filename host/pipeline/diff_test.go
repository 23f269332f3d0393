package pipeline

import (
	"slices"
	"strings"
	"testing"
)

func TestDifferences(t *testing.T) {
	long := strings.Repeat("ü", shownBytes)
	for _, test := range []struct {
		before, after string
		want          []string
	}{
		{`{}`, `{}`, nil},
		{`{"a":1,"b":{"c":"x"}}`, `{"a":1,"b":{"c":"y"}}`, []string{`~ b.c: "x" -> "y"`}},
		{`{"a":1}`, `{"b":{"c":1}}`, []string{`- a: 1`, `+ b: {"c":1}`}},
		{`{"a":{"b":1,"c":2}}`, `{"a":{"c":2,"b":1}}`, []string{`~ a: in the order [b c] -> in the order [c b]`}},
		{`{"a":["x","y"]}`, `{"a":["x","z","y"]}`, []string{`~ a.1: "y" -> "z"`, `+ a.2: "y"`}},
		{`{"a":[]}`, `{"a":{}}`, []string{`~ a: [] -> {}`}},
		{`{"a":null}`, `{"a":"null"}`, []string{`~ a: null -> "null"`}},
		{`{}`, `{"a":"` + long + `"}`, []string{`+ a: "` + long[:shownBytes-2] + "…"}},
	} {
		all, err := differences([]byte(test.before), []byte(test.after))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range all {
			got = append(got, c.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s and %s: %q, want %q", test.before, test.after, got, test.want)
		}
	}
	if _, err := differences([]byte(`{`), []byte(`{}`)); err == nil {
		t.Error("half a text of JSON is compared")
	}
}
