package metric

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

func TestStoreLabels(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)
	rapid.Check(t, func(t *rapid.T) {
		s := anySeries().Draw(t, "series")
		s.Dims = append(s.Dims, Label{rapid.StringMatching(`[a_.é]{1,6}`).Draw(t, "name"), "x"})
		var back Series
		labels := s.StoreLabels()
		for i, l := range labels {
			if !name.MatchString(l.Name) || l.Value == "" || i > 0 && l.Name < labels[i-1].Name {
				t.Fatalf("labels %q", labels)
			}
			if err := back.SetStoreLabel(l.Name, l.Value); err != nil {
				t.Fatal(err)
			}
		}
		if key(&back) != key(s) {
			t.Fatalf("%+v came back as %+v", s, back)
		}
	})
	if err := new(Series).SetStoreLabel("job", "x"); err == nil {
		t.Error("a label that no figure has is taken")
	}
}

func TestLabelName(t *testing.T) {
	for name, want := range map[string]string{
		"platform": "platform", "data_center": "data_center", "_x": "_x", "x_": "x_",
		"headers.ua": "headers__2eua", "a__b": "a__5f_b", "a_.b": "a__5f__2eb", "é": "__c3__a9", "": "", "a__2e": "a__5f_2e",
	} {
		if got := LabelName(name); got != want || ParseLabelName(got) != name {
			t.Errorf("LabelName(%q) = %q, want %q; back %q", name, got, want, ParseLabelName(got))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a2e_.]{0,8}`).Draw(t, "name")
		if ParseLabelName(LabelName(name)) != name {
			t.Fatalf("%q becomes %q", name, LabelName(name))
		}
	})
}
