package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// change is what differs at one place of two configs, in their canonical form.
type change struct {
	Path   string `json:"path"`          // keys joined with dots
	Before string `json:"was,omitempty"` // JSON, shortened; empty where there was nothing
	After  string `json:"is,omitempty"`  // likewise
}

// String is the change on a line.
func (c change) String() string {
	switch {
	case c.Before == "":
		return fmt.Sprintf("+ %s: %s", c.Path, c.After)
	case c.After == "":
		return fmt.Sprintf("- %s: %s", c.Path, c.Before)
	}
	return fmt.Sprintf("~ %s: %s -> %s", c.Path, c.Before, c.After)
}

// value is a JSON value whose keys keep their order.
type value struct {
	keys   []string // of an object, or the indexes of a list
	fields map[string]*value
	text   string // as it is written
}

// differences are what differs between two texts of JSON.
func differences(before, after []byte) ([]change, error) {
	a, err := parseValue(before)
	if err != nil {
		return nil, err
	}
	b, err := parseValue(after)
	if err != nil {
		return nil, err
	}
	return compare(nil, "", a, b), nil
}

func parseValue(text []byte) (*value, error) {
	v := &value{text: string(text)}
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("a config's JSON: %w", err)
	}
	kind, nested := open.(json.Delim)
	if !nested {
		return v, nil
	}
	v.fields = map[string]*value{}
	for d.More() {
		key := fmt.Sprint(len(v.keys))
		if kind == '{' {
			t, err := d.Token()
			if err != nil {
				return nil, fmt.Errorf("a config's JSON: %w", err)
			}
			key = t.(string) // More has seen a key
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, fmt.Errorf("a config's JSON: %w", err)
		}
		field, err := parseValue(raw)
		if err != nil {
			return nil, err
		}
		v.keys = append(v.keys, key)
		v.fields[key] = field
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("a config's JSON: %w", err)
	}
	return v, nil
}

// compare appends the differences below a path.
func compare(all []change, path string, a, b *value) []change {
	if a.text == b.text {
		return all
	}
	if a.fields == nil || b.fields == nil || a.text[0] != b.text[0] {
		return append(all, change{path, short(a.text), short(b.text)})
	}
	below := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	found := len(all)
	for _, key := range a.keys {
		if b.fields[key] == nil {
			all = append(all, change{Path: below(key), Before: short(a.fields[key].text)})
		} else {
			all = compare(all, below(key), a.fields[key], b.fields[key])
		}
	}
	for _, key := range b.keys {
		if a.fields[key] == nil {
			all = append(all, change{Path: below(key), After: short(b.fields[key].text)})
		}
	}
	if len(all) == found && !slices.Equal(a.keys, b.keys) {
		all = append(all, change{path, fmt.Sprintf("in the order %v", a.keys), fmt.Sprintf("in the order %v", b.keys)})
	}
	return all
}

// shownBytes bounds a value in a change.
const shownBytes = 200

// longDigest is a digest in a change, which is shortened.
var longDigest = regexp.MustCompile(fmt.Sprintf(`(sha256:[0-9a-f]{%d})[0-9a-f]{%d}`, shownDigest-len("sha256:"), 64+len("sha256:")-shownDigest))

func short(text string) string {
	text = longDigest.ReplaceAllString(text, "$1…")
	if len(text) <= shownBytes {
		return text
	}
	return string(bytes.ToValidUTF8([]byte(text[:shownBytes]), nil)) + "…"
}
