package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/config"
)

// identity is what of an experiment can not change under its id: it says what a
// variant's name means, and which session has it. Shares change by phases.
type identity struct {
	generation uint64 // the first that has it
	values     map[string]string
}

// fixedKeys are the keys of an experiment that make its identity.
var fixedKeys = []string{"assign", "variants", "salt", "unit", "layer", "buckets", "qualify"}

// identities gathers the experiments of generations, those that are gone too: a
// session may remember one.
type identities map[string]identity // by tenant, a 0, and id

func (all identities) add(cfg *config.Config, generation uint64) {
	for tenant, t := range cfg.Tenants.All() {
		for id, e := range t.Experiments.All() {
			key := tenant + "\x00" + id
			if _, known := all[key]; !known {
				all[key] = identity{generation, fixed(t, id, e)}
			}
		}
	}
}

// fixed are the values of an experiment's fixed keys, as text.
func fixed(t *config.Tenant, id string, e *config.Experiment) map[string]string {
	var variants []string
	for _, v := range e.Variants {
		variants = append(variants, fmt.Sprintf("%s: %d", v.Name, v.Weight))
	}
	m := map[string]string{
		"variants": "{" + strings.Join(variants, ", ") + "}", "assign": e.Assign, "salt": e.Salt, "unit": e.Unit,
		"layer": e.Layer, "qualify": e.Qualify,
	}
	if e.Assign == "hash" && e.Salt == "" {
		m["salt"] = id
	}
	if l := t.Layers.Get(e.Layer); l != nil && l.Salt != "" && l.Salt != e.Layer {
		m["layer"] = fmt.Sprintf("%s (salt %s)", e.Layer, l.Salt)
	}
	if e.Buckets != nil {
		m["buckets"] = fmt.Sprintf("[%d, %d]", e.Buckets.From, e.Buckets.To)
	}
	return m
}

// check finds experiments whose identity an earlier generation had otherwise.
func (all identities) check(cfg *config.Config) (faults config.Faults) {
	for tenant, t := range cfg.Tenants.All() {
		for id, e := range t.Experiments.All() {
			was, known := all[tenant+"\x00"+id]
			if !known {
				continue
			}
			is := fixed(t, id, e)
			for _, key := range fixedKeys {
				if is[key] == was.values[key] {
					continue
				}
				hint := "take a new id"
				if key == "variants" || key == "buckets" {
					hint = "change shares by phases, or take a new id"
				}
				faults = append(faults, cfg.Faultf([]string{"tenants", tenant, "experiments", id, key},
					"the experiment %s had %s in generation %d, and can not have %s: %s", id, orNone(was.values[key]), was.generation, orNone(is[key]), hint))
				break // the others follow from it, or are said once it is mended
			}
		}
	}
	return faults
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// checkFixed finds what can not change as long as a group lives.
func checkFixed(before, next *config.Config) (faults config.Faults) {
	fault := func(keys []string, was, is any) {
		faults = append(faults, next.Faultf(keys, "it is %v in the running generation, and can not be %v as long as the group lives: put it back, or begin anew with another group and topics (or, with the embedded broker, another data directory)", was, is))
	}
	if before.Group != next.Group {
		fault([]string{"group"}, before.Group, next.Group)
	}
	for _, t := range []struct {
		key     string
		was, is config.Topic
	}{
		{"metrics", before.Topics.Metrics, next.Topics.Metrics}, {"dead_letters", before.Topics.DeadLetters, next.Topics.DeadLetters},
		{"generations", before.Topics.Generations, next.Topics.Generations}, {"decisions", before.Topics.Decisions, next.Topics.Decisions},
	} {
		if t.was != t.is {
			fault([]string{"topics", t.key}, t.was, t.is)
		}
	}
	if a, b := before.Session, next.Session; a.Gap != b.Gap {
		fault([]string{"session", "gap"}, config.FormatDuration(a.Gap), config.FormatDuration(b.Gap))
	}
	if a, b := before.Session, next.Session; a.Lateness != b.Lateness {
		fault([]string{"session", "lateness"}, config.FormatDuration(a.Lateness), config.FormatDuration(b.Lateness))
	}
	for _, s := range before.Sources {
		i := slices.IndexFunc(next.Sources, func(n config.Source) bool { return n.Topic == s.Topic })
		if i < 0 {
			faults = append(faults, next.Faultf([]string{"sources"}, "the source %s is missing: sessions still hold beacons of its topic %s, keep it", s.Name, s.Topic))
			continue
		}
		if was, is := sourceText(before, s.Topic), sourceText(next, s.Topic); was != is {
			fault([]string{"sources", fmt.Sprint(i)}, was, is)
		}
	}
	return faults
}

// sourceText is a source as the canonical form has it.
func sourceText(cfg *config.Config, topic string) string {
	one := *cfg
	one.Sources = slices.DeleteFunc(slices.Clone(cfg.Sources), func(s config.Source) bool { return s.Topic != topic })
	text := string(one.Section("sources"))
	return strings.TrimSuffix(strings.TrimPrefix(text, `{"sources":[`), "]}")
}

// checkRestart finds sections that a host which runs with one file does not take
// from another.
func checkRestart(running, next *config.Config) (faults config.Faults) {
	for _, key := range config.RestartKeys() {
		if !bytes.Equal(running.Section(key), next.Section(key)) {
			if key == "stores" && running.Data != next.Data {
				continue // they lie below data where nothing is said
			}
			faults = append(faults, next.Faultf([]string{key}, "a change of it needs a restart of the host: put it back, or restart the host with it, then reload"))
		}
	}
	return faults
}

// follows checks that a config may follow the generations so far, and gives its
// routes.
func (j *journal) follows(ctx context.Context, current *generationRecord, cfg *config.Config) ([]route, error) {
	before, err := current.parse("")
	if err != nil {
		return nil, err
	}
	faults := checkFixed(before, cfg)
	routes, more := nextRoutes(cfg, current.Routes, current.Number+1)
	faults = append(faults, more...)
	if len(cfg.Stores) == 0 && len(before.Stores) > 0 {
		faults = append(faults, cfg.Faultf([]string{"stores"}, "this file names no store, and the running generation has %v: publish from a file that has them", before.Stores.Names()))
	}
	known, err := j.identities(ctx)
	if err != nil {
		return nil, err
	}
	if faults = append(faults, known.check(cfg)...); len(faults) > 0 {
		return nil, faults
	}
	return routes, nil
}

// identities are those of all generations so far.
func (j *journal) identities(ctx context.Context) (identities, error) {
	j.idMu.Lock()
	defer j.idMu.Unlock()
	if j.ids == nil {
		j.ids = identities{}
	}
	err := j.each(ctx, j.idOf+1, func(r *generationRecord) error {
		cfg, err := r.parse("")
		if err == nil {
			j.ids.add(cfg, r.Number)
			j.idOf = r.Number
		}
		return err
	})
	return maps.Clone(j.ids), err
}
