package author

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

// FuzzExpected: whatever a test expects and whatever its beacon is, it is refused, or
// becomes a golden vector.
func FuzzExpected(f *testing.F) {
	file := filepath.Join(f.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(`extract: [{point: order, when: 'a == 1', value: b.c, attributes: {x: d}}, {point: view, when: 'true'}]`), 0o600); err != nil {
		f.Fatal(err)
	}
	sets, err := LoadRules(file, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`"order"`, `{"a": 1, "b": {"c": 1e400}}`)
	f.Add(`[{"order": 3, "view": null}, {"point": "order", "value": 1, "attributes": {"x": 2}}]`, `"a=1&d=%ff"`)
	f.Add(`null`, `{"ts": "2026-01-01T00:00:00Z", "d": [1, {"é": "<&>"}]}`)
	f.Fuzz(func(t *testing.T, expect, beacon string) {
		if !json.Valid([]byte(expect)) || !json.Valid([]byte(beacon)) {
			return // the reader of the file gives JSON only
		}
		want, err := sets[0].expected(json.RawMessage(strings.TrimSpace(expect)))
		raw := json.RawMessage(strings.TrimSpace(beacon))
		if err != nil || raw[0] != '{' && raw[0] != '"' {
			return
		}
		flat, untyped, err := sets[0].flat(raw)
		if err != nil {
			return
		}
		line, err := json.Marshal(map[string]any{"beacons": []any{flat}, "untyped": untyped, "expect": []any{want}})
		if err != nil {
			t.Fatal(err)
		}
		vectors, err := abi.ParseVectors(abi.Extract, line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if _, err := vectors[0].Rows(sets[0].Program.Plan().Fields); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	})
}
