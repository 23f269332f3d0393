package pipeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummary(t *testing.T) {
	before := `{"plugins": {"bots": {"module": "m1", "digest": "sha256:0123456789abcdef", "config": 1}, "old": {"module": "m", "digest": "sha256:1"},
		"same": {"rules": 1}, "points": {"rules": 2}, "tuned": {"module": "m", "digest": "sha256:2", "config": 1, "limits": 1}},
		"tenants": {"shop": {"extract": "a", "experiments": {"a": 1, "b": 1, "c": 1}}, "gone": {}},
		"keyspaces": {"shop": {"metrics": {"m": 1}, "formulas": {"f": 1, "g": 1}}}}`
	after := `{"plugins": {"bots": {"module": "m2", "digest": "sha256:fedcba9876543210", "config": 1}, "new": {"module": "m", "digest": "sha256:3"},
		"same": {"rules": 1}, "points": {"rules": 3}, "tuned": {"module": "m", "digest": "sha256:2", "config": 2, "limits": 2}, "drops": {"rules": 1}},
		"tenants": {"shop": {"extract": "b", "experiments": {"a": 1, "b": 2, "d": 1}}, "news": {"experiments": {"x": 1}}},
		"keyspaces": {"shop": {"metrics": {"m": 2}, "formulas": {"f": 2, "h": 1}}, "news": {}}}`
	got, err := summarize([]byte(before), []byte(after), map[string]string{"bots": "1.0.0"}, map[string]string{"bots": "1.1.0", "new": "0.1.0"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"plugin bots changes: 1.0.0 (sha256:0123456789ab…) becomes 1.1.0 (sha256:fedcba987654…)",
		"plugin drops is new: rules",
		"plugin new is new: 0.1.0 (sha256:3…)",
		"plugin old goes: (sha256:1…)",
		"plugin points changes: other rules",
		"plugin tuned changes: other config, limits",
		"tenant gone goes", "tenant news is new", "experiment news/x is new",
		"experiment shop/b changes", "experiment shop/c goes", "experiment shop/d is new",
		"keyspace news is new", "metric shop/m changes", "formula shop/f changes", "formula shop/g goes", "formula shop/h is new",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := summarize([]byte("{"), []byte(after), nil, nil); err == nil {
		t.Error("no JSON is taken")
	}
}
