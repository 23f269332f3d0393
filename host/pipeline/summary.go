package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// summary says in a line each which plugins, rules, experiments and formulas differ
// between two configs in their canonical form.
type summary struct {
	was, is func(plugin string) string // the versions of plugins; empty: not known
	lines   []string
}

// summarize makes a summary. Versions are by plugin, of before and of after.
func summarize(before, after []byte, was, is map[string]string) ([]string, error) {
	a, err := parseValue(before)
	if err != nil {
		return nil, err
	}
	b, err := parseValue(after)
	if err != nil {
		return nil, err
	}
	s := &summary{was: func(name string) string { return was[name] }, is: func(name string) string { return is[name] }}
	s.each(a.at("plugins"), b.at("plugins"), s.plugin)
	s.each(a.at("tenants"), b.at("tenants"), func(tenant string, a, b *value) {
		s.whole("tenant "+tenant, a, b)
		s.each(a.at("experiments"), b.at("experiments"), func(id string, a, b *value) { s.say("experiment "+tenant+"/"+id, a, b) })
	})
	s.each(a.at("keyspaces"), b.at("keyspaces"), func(keyspace string, a, b *value) {
		s.whole("keyspace "+keyspace, a, b)
		for _, kind := range []string{"metric", "formula"} {
			s.each(a.at(kind+"s"), b.at(kind+"s"), func(name string, a, b *value) { s.say(kind+" "+keyspace+"/"+name, a, b) })
		}
	})
	return s.lines, nil
}

// at is the value under a key; nil where there is none.
func (v *value) at(key string) *value {
	if v == nil {
		return nil
	}
	return v.fields[key]
}

// each calls do for what differs under a name, by name.
func (s *summary) each(a, b *value, do func(name string, a, b *value)) {
	names := map[string]bool{}
	for _, v := range []*value{a, b} {
		if v != nil {
			for name := range v.fields {
				names[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was, is := a.at(name), b.at(name); was == nil || is == nil || was.text != is.text {
			do(name, was, is)
		}
	}
}

// whole says that something has come or gone.
func (s *summary) whole(what string, a, b *value) {
	if a == nil || b == nil {
		s.say(what, a, b)
	}
}

func (s *summary) say(what string, a, b *value) {
	how := "changes"
	switch {
	case a == nil:
		how = "is new"
	case b == nil:
		how = "goes"
	}
	s.lines = append(s.lines, what+" "+how)
}

func (s *summary) plugin(name string, a, b *value) {
	switch {
	case a == nil:
		s.lines = append(s.lines, fmt.Sprintf("plugin %s is new: %s", name, buildName(s.is(name), b)))
	case b == nil:
		s.lines = append(s.lines, fmt.Sprintf("plugin %s goes: %s", name, buildName(s.was(name), a)))
	case digest(a) != digest(b):
		s.lines = append(s.lines, fmt.Sprintf("plugin %s changes: %s becomes %s", name, buildName(s.was(name), a), buildName(s.is(name), b)))
	default:
		var parts []string
		s.each(a, b, func(key string, _, _ *value) { parts = append(parts, key) })
		s.lines = append(s.lines, fmt.Sprintf("plugin %s changes: other %s", name, strings.Join(parts, ", ")))
	}
}

// digest is that of a plugin's module; empty of rules.
func digest(plugin *value) string {
	if d := plugin.at("digest"); d != nil {
		return strings.Trim(d.text, `"`)
	}
	return ""
}

// shownDigest is how much of a digest tells modules apart.
const shownDigest = len("sha256:") + 12

// buildName names what a plugin is made of: its version and its module's digest.
func buildName(version string, plugin *value) string {
	d := digest(plugin)
	if d == "" {
		return "rules"
	}
	return strings.TrimSpace(version + " (" + d[:min(len(d), shownDigest)] + "…)")
}
