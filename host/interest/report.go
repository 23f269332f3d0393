package interest

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Report is all that is said of a sample.
type Report struct {
	InForce  string          `json:"in_force"`
	Beacons  int             `json:"beacons"`
	Sessions int             `json:"sessions"`
	Aside    int             `json:"aside"` // beacons of sessions that the sample's ends cut, and late ones: not looked at
	Summary  *metric.Summary `json:"summary"`
	By       []string        `json:"by"` // what kinds are told apart by
	Why      string          `json:"why"`
	Kinds    []KindReport    `json:"kinds"` // those of most beacons first
	// Dropped are the beacons that filters in force drop, Untouching those that were
	// taken out one by one and touch nothing, Together those that were not.
	Dropped    int         `json:"dropped"`
	Untouching int         `json:"untouching"`
	Together   int         `json:"together"`
	Useless    *RuleReport `json:"useless,omitempty"`     // drops what touches nothing
	BoundsOnly *RuleReport `json:"bounds_only,omitempty"` // drops what touches bounds only, too
	VisitsOnly *RuleReport `json:"visits_only,omitempty"` // drops what touches bounds and assignments only, too
	Warnings   []string    `json:"warnings"`

	Rule  string `json:"-"` // what a file of the rules has
	lists string // of it: the lists of filters
}

// KindReport is what is said of a kind.
type KindReport struct {
	Tenant     string            `json:"tenant,omitempty"`
	Source     string            `json:"source,omitempty"`
	Values     map[string]string `json:"values"` // by field, as people read them
	Beacons    int               `json:"beacons"`
	Dropped    int               `json:"dropped"` // by filters in force
	Refused    int               `json:"dead_lettered"`
	Late       int               `json:"late"` // or one too many for a session
	Looked     int               `json:"looked"`
	Figure     int               `json:"figure"` // of those looked at: how many touch one
	Assignment int               `json:"assignment"`
	Bounds     int               `json:"bounds"`
	Nothing    int               `json:"nothing"`
	// UpToShare is the share that may touch something although none did, with 95 %
	// confidence; 0: some did.
	UpToShare float64 `json:"up_to_share,omitempty"`

	name string
}

// RuleReport is what is said of a rule.
type RuleReport struct {
	Plugins []string `json:"plugins"`
	Kinds   []string `json:"kinds"`
	Beacons int      `json:"beacons"` // that it drops and filters in force do not
	// UpToShare is the share of a kind's beacons, of each, that may touch what none is
	// seen to touch, with 95 % confidence.
	UpToShare float64         `json:"up_to_share"`
	Left      int             `json:"left"` // kinds that touch something when all are gone, and are not dropped
	Later     int             `json:"sessions_begin_later"`
	Sooner    int             `json:"sessions_end_sooner"`
	Other     int             `json:"sessions_cut_otherwise"` // or gone
	Effect    Effect          `json:"effect"`
	Summary   *metric.Summary `json:"summary"` // under the rule
	YAML      string          `json:"yaml"`
}

// Trial is what came of the sample under rules.
type Trial struct {
	Rules   []Rule
	Effect  Effect
	Summary *metric.Summary
}

// Report says what is known of kinds.
func (s *Sample) Report(c Choice) *Report {
	r := &Report{Beacons: len(s.beacons), Sessions: s.spans, By: []string{}, Why: c.why(), Together: s.long, Warnings: []string{}}
	for _, f := range c.By {
		r.By = append(r.By, f.String())
	}
	kinds := s.kinds(c.by)
	several := struct{ tenants, sources bool }{len(s.o.Session.Tenants) > 1, len(s.o.Sources) > 1}
	for _, k := range kinds {
		one := KindReport{
			Values: map[string]string{}, Beacons: k.Beacons, Dropped: k.Filtered, Refused: k.Refused, Late: k.Late, Looked: k.Looked,
			Figure: k.Figure, Assignment: k.Assignment, Bounds: k.Bounds, Nothing: k.Looked - k.Any,
		}
		if several.tenants {
			one.Tenant = k.Tenant
		}
		if several.sources {
			one.Source = k.Source
		}
		for i, v := range k.Values {
			one.Values[c.By[i].String()] = v.String()
		}
		if k.Looked > 0 && k.Any == 0 {
			one.UpToShare = UpperBound(k.Looked)
		}
		one.name = name(k, c.By, several.tenants, several.sources)
		r.Kinds = append(r.Kinds, one)
		r.Dropped += k.Filtered
		r.Untouching += k.Looked - k.Any
	}
	r.warn(s, c)
	return r
}

// name is a kind for people.
func name(k *Kind, by []Field, tenant, source bool) string {
	var parts []string
	if tenant {
		parts = append(parts, or(k.Tenant, "(no tenant)"))
	}
	if source {
		parts = append(parts, k.Source)
	}
	for i, v := range k.Values {
		parts = append(parts, by[i].String()+" "+v.String())
	}
	return or(strings.Join(parts, ", "), "all")
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// why says why kinds are told apart as they are.
func (c Choice) why() string {
	switch {
	case c.Asked:
		return "as asked for"
	case len(c.by) == 0:
		return fmt.Sprintf("no field has between 2 and %d values; name some with --by", MaxValues)
	}
	asked := ""
	if c.Plugin {
		asked = ", plugins in force ask for it"
	}
	switch {
	case c.Among == 1:
		return "the only field with few values" + asked
	case c.Separated == 0:
		return fmt.Sprintf("the first of %d fields with few values%s; none tells beacons that touch no figure from others", c.Among, asked)
	}
	return fmt.Sprintf("of %d fields with few values the one that tells most beacons that touch no figure from others%s", c.Among, asked)
}

// Warn adds something that a reader should know.
func (r *Report) Warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// warn says what the sample can not tell.
func (r *Report) warn(s *Sample, c Choice) {
	for _, f := range c.By {
		if !f.CanWrite() {
			r.Warn("no condition can be written of %s: give it a further name in the fields of its source", f)
		}
	}
	rare := 0
	for _, g := range s.groups(c.by) {
		if g.Looked > 0 && g.Looked < s.o.Least && g.Figure == 0 {
			rare++
		}
	}
	if rare > 0 {
		r.Warn("%s with no figure touched and fewer than %d beacons: too few to be dropped (--least)", counted(rare, "kind"), s.o.Least)
	}
	if s.long > 0 {
		r.Warn("%s of sessions of more than %d were not taken out one by one, only with all of their kind", counted(s.long, "beacon"), MaxRun)
	}
	late := 0
	for i := range r.Kinds {
		late += r.Kinds[i].Late
	}
	if late > 0 {
		r.Warn("%s late or too many for a session: here they touch nothing, in another order they may", counted(late, "beacon"))
	}
}

// Add adds the rule of a proposal, which was tried on top of the ones before.
func (r *Report) Add(p *Proposal, t *Trial, filters func(tenant string) []string) {
	if p.Left > 0 {
		r.Warn("%s left alone: no beacon touches more by itself than others of the rule %s, but all of them together do, or by what is late without them",
			counted(p.Left, "kind"), p.Class.reason())
	}
	if t == nil {
		return
	}
	rule := p.report(t, filters)
	switch p.Class {
	case Useless:
		r.Useless = rule
	case BoundsOnly:
		r.BoundsOnly = rule
	case VisitsOnly:
		r.VisitsOnly = rule
	}
	r.put(p.Class, rule, t, filters)
}

func (p *Proposal) report(t *Trial, filters func(tenant string) []string) *RuleReport {
	r := &RuleReport{
		Beacons: p.Beacons(), Left: p.Left, Later: p.Sessions.Later, Sooner: p.Sessions.Sooner, Other: p.Sessions.Other,
		Effect: t.Effect, Summary: t.Summary, YAML: Snippet(t.Rules, filters),
	}
	several := len(p.s.o.Session.Tenants) > 1
	for _, g := range p.groups {
		r.Kinds = append(r.Kinds, name(&g.Kind, p.by, several, false))
		r.UpToShare = max(r.UpToShare, UpperBound(g.Looked))
	}
	for _, rule := range t.Rules {
		r.Plugins = append(r.Plugins, rule.Plugin)
	}
	return r
}

// put makes the text of the file one with a rule. The filters of all but what is of no
// use are a comment: somebody must want them.
func (r *Report) put(of Class, rule *RuleReport, t *Trial, filters func(tenant string) []string) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by pharos interest from %d beacons under %s.\n", r.Beacons, r.InForce)
	b.WriteString("# The lists of filters stand for those of the config: put these in their place.\n")
	b.WriteString(Plugins(t.Rules))
	list := Filters(t.Rules, filters)
	if of == Useless {
		r.lists = list
	} else {
		r.lists += fmt.Sprintf("# To drop what touches %s, too, which %s:\n", of.touches(), rule.says())
		for line := range strings.Lines(list) {
			r.lists += "# " + line
		}
	}
	r.Rule = b.String() + r.lists
}

// WriteJSON writes the report as one object.
func (r *Report) WriteJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
