package pipeline

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"

	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/interest"
)

// sampleHead is how many beacons of a sample are asked for the fields that they have.
const sampleHead = 2000

// fields are the fields that could tell kinds apart, beside those that are known:
// top-level ones with texts, further names of sources, and of log lines what they
// have few of.
func (s *sample) fields(g *Generation, known []interest.Field) (all []interest.Field) {
	add := func(f interest.Field) {
		if !slices.Contains(known, f) && !slices.Contains(all, f) && !g.isLogical(f.Name) {
			all = append(all, f)
		}
	}
	for _, source := range g.sources {
		if source.Format == beacon.CLF {
			for _, f := range []interest.Field{{Name: "path", Extension: true}, {Name: "method"}, {Name: "status"}, {Name: "proto"}} {
				add(f)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(source.Names)) {
			add(interest.Field{Name: name})
		}
	}
	names := map[string]bool{}
	for i := range min(len(s.values), sampleHead) {
		switch s.source(g, i).Format {
		case beacon.JSON:
			addTexts(names, s.values[i])
		case beacon.Query:
			if values, err := url.ParseQuery(string(s.values[i])); err == nil {
				for name := range values {
					names[name] = true
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		add(interest.Field{Name: name})
	}
	return all
}

// addTexts adds the top-level fields of a JSON object that have texts.
func addTexts(names map[string]bool, raw []byte) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return // it is no object: dispatch refuses it
	}
	for name, value := range fields {
		if bytes.HasPrefix(value, []byte(`"`)) {
			names[name] = true
		}
	}
}
