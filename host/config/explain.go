package config

import (
	"fmt"
	"slices"
	"strings"
)

// Explain says in plain words what a config means, and what in it deserves a
// second look.
func Explain(c *Config) string {
	e := &explainer{Config: c}
	e.files()
	e.infrastructure()
	e.beacons()
	for name, t := range c.Tenants.All() {
		e.tenant(name, t)
	}
	e.views()
	e.notes()
	return e.b.String()
}

type explainer struct {
	*Config
	b strings.Builder
}

func (e *explainer) line(format string, args ...any) { fmt.Fprintf(&e.b, format+"\n", args...) }

func (e *explainer) files() {
	e.line("Read %s.", strings.Join(e.Config.files, ", "))
}

func (e *explainer) infrastructure() {
	if k := e.Kafka; k == nil {
		e.line("Broker: the embedded one, below %s.", e.Data)
	} else {
		how := "in plain text"
		if k.TLS != nil {
			how = "by TLS"
		}
		if k.SASL != nil {
			how += ", as " + k.SASL.User + " by " + k.SASL.Mechanism
		}
		e.line("Broker: Kafka at %s, %s; groups and transactions begin with %s.", strings.Join(k.Brokers, ", "), how, e.Group)
	}
	reach := "this machine only"
	if host, _, _ := strings.Cut(e.HTTP.Listen, ":"); e.HTTP.Insecure && !isLoopback(host) {
		reach = "any machine, without tokens and TLS"
	}
	e.line("Page and API: http://%s, for %s.", e.HTTP.Listen, reach)
	e.line("Snapshots of sessions: every %s to %s; of each partition %d are kept.", FormatDuration(e.Snapshots.Every), e.SnapshotBucket(), e.Snapshots.Keep)
}

func (e *explainer) beacons() {
	for _, s := range e.Sources {
		f := s.Fields
		e.line("Source %s: %s beacons of the topic %s; time from %s, tenant from %s, session from %s.", s.Name, s.Format, s.Topic, f.Time, f.Tenant, f.Session)
	}
	d := e.Dispatch
	if len(d.Filters) > 0 {
		e.line("Dropped by, in this order: %s.", strings.Join(d.Filters, ", "))
	}
	for name, r := range d.Routes.All() {
		what := ""
		if name == d.Default {
			what = ", the default"
		}
		e.line("Route %s: the topic %s, %s%s.", name, r.Topic, plural(int(r.Partitions), "partition"), what)
	}
	if d.Split != "" {
		e.line("The splitter %s chooses the route.", d.Split)
	}
	for name, p := range e.Plugins.All() {
		e.trial(name, p)
		if keys, wanted := e.signers(name); wanted {
			e.line("The module of %s must be signed by %s.", name, oneOf(keys))
		}
	}
	s := e.Session
	e.line("A session ends after %s without a beacon. A beacon may come %s behind the watermark, and be %s ahead of the clock; so a minute is final %s after its end.",
		FormatDuration(s.Gap), FormatDuration(s.Lateness), FormatDuration(s.Ahead), FormatDuration(s.Lateness))
}

// trial says how a new version of a plugin is tried before it is live.
func (e *explainer) trial(name string, p *Plugin) {
	var steps []string
	if s := p.Shadow; s != nil {
		steps = append(steps, fmt.Sprintf("runs beside the old one for %s and %s, of which %s may differ",
			FormatDuration(s.For), plural(int(s.MinRows), "beacon"), s.MaxDiff))
	}
	if c := p.Canary; c != nil {
		what := "sessions"
		if c.By != "session" {
			what = "values of " + c.By
		}
		steps = append(steps, fmt.Sprintf("decides of %s of the %s for %s and %s, failing at no more than %s",
			c.Share, what, FormatDuration(c.For), plural(int(c.MinRows), "beacon"), c.MaxTraps))
	}
	if len(steps) > 0 {
		e.line("A new version of %s first %s.", name, strings.Join(steps, ", then "))
	}
}

func (e *explainer) tenant(name string, t *Tenant) {
	e.line("\nTenant %s:", name)
	if len(t.Filters) > 0 {
		e.line("  its beacons are dropped by %s too", strings.Join(t.Filters, ", "))
	}
	switch p := e.Plugins.Get(t.Extract); {
	case p == nil:
		e.line("  only visits are counted: it has no extractor")
	case p.Rules != nil:
		e.line("  %s measures %s", t.Extract, strings.Join(p.points(), ", "))
	default:
		e.line("  the module of %s measures", t.Extract)
	}
	if t.AllTraffic {
		e.line("  all sessions are counted as the experiment _all")
	}
	for _, p := range t.Pairs {
		e.line("  the product of %s and %s is summed, for ratios", p[0], p[1])
	}
	for dim, d := range t.Dimensions.All() {
		values := fmt.Sprintf("up to %d values a partition", d.Limit)
		if len(d.Values) > 0 {
			values = strings.Join(d.Values, ", ")
		}
		e.line("  figures are split by %s, from %s: %s", dim, d.Path, values)
	}
	for id, x := range t.Experiments.All() {
		e.experiment(id, x)
	}
}

func (e *explainer) experiment(id string, x *Experiment) {
	who := "beacons carry the assignments"
	if x.Assign == "hash" {
		unit := x.Unit
		if unit == "" {
			unit = "the session id"
		}
		who = "Pharos assigns by " + unit
		if x.Layer != "" {
			who += ", in " + buckets(x.Buckets) + " of the layer " + x.Layer
		}
	}
	e.line("  experiment %s: %s; %s", id, shares(x.Variants), who)
	if x.Qualify != "" {
		e.line("    a session qualifies by %s", x.Qualify)
	}
	if x.Crossover == "exclude" {
		e.line("    sessions that show two variants are taken out")
	}
	if x.Start.Set {
		e.line("    starts %s", x.Start)
	}
	for _, p := range x.Phases {
		var change []string
		if p.Variants != nil {
			change = append(change, shares(p.Variants))
		}
		if p.Buckets != nil {
			change = append(change, buckets(p.Buckets))
		}
		e.line("    from %s: %s", p.From, strings.Join(change, "; "))
	}
	if x.End.Set {
		e.line("    ends %s", x.End)
	}
}

func buckets(r *Range) string {
	if r == nil {
		return "all buckets"
	}
	return fmt.Sprintf("buckets %d to %d (%.4g %%)", r.From, r.To-1, float64(r.To-r.From)*100/Buckets)
}

// shares are variants with their part of the whole.
func shares(list Shares) string {
	var total int64
	for _, s := range list {
		total += s.Weight
	}
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = fmt.Sprintf("%s %.4g %%", s.Name, float64(s.Weight)*100/float64(total))
	}
	return strings.Join(parts, ", ")
}

func (e *explainer) views() {
	if len(e.Stores)+len(e.Keyspaces) > 0 {
		e.line("")
	}
	for name, s := range e.Stores.All() {
		where := s.URL
		if s.Type == "embedded" {
			where = s.Dir.String()
		}
		e.line("Store %s: %s in %s, kept %s.", name, s.Type, where, FormatDuration(s.Retention))
	}
	for name, k := range e.Keyspaces.All() {
		e.line("Keyspace %s: tenant %s from the store %s, days of %s; %s and %s.", name, k.Tenant, k.Store, k.Timezone,
			plural(len(k.Metrics), "metric"), plural(len(k.Formulas), "formula"))
	}
}

// notes are what is not wrong but may not be meant.
func (e *explainer) notes() {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	for _, p := range e.empty {
		note("include: %s matches no file", p)
	}
	for _, p := range e.clear {
		note("%s: the secret stands in the file in clear; take ${NAME} or ${file:PATH}", p)
	}
	for name := range e.Plugins.All() {
		if !e.uses(name) {
			note("%s: the plugin %s is not used", e.KeyPosition("plugins", name), name)
		}
	}
	if e.Dispatch.Split == "" && len(e.Dispatch.Routes) > 1 {
		note("%s: without split every beacon takes the route %s", e.Position("dispatch"), e.Dispatch.Default)
	}
	for name, t := range e.Tenants.All() {
		points := e.Plugins.Get(t.Extract).points()
		for i, p := range t.Pairs {
			for _, point := range p {
				if len(points) > 0 && !slices.Contains(points, point) {
					note("%s: the rules of %s give no point %s", e.Position("tenants", name, "pairs", fmt.Sprint(i)), t.Extract, point)
				}
			}
		}
	}
	for name, t := range e.Tenants.All() {
		for _, pair := range t.overlaps() {
			note("%s: the experiments %s and %s run at one time in the same buckets of the layer %s: they can share units; give them buckets that do not overlap to keep them apart",
				e.KeyPosition("tenants", name, "experiments", pair[0]), pair[0], pair[1], t.Experiments.Get(pair[0]).Layer)
		}
	}
	withoutEffect := func(why string, keys ...string) {
		if _, given := e.at[keyPath(keys).id()]; given {
			note("%s: %s", e.KeyPosition(keys...), why)
		}
	}
	for name := range e.Tenants.All() {
		withoutEffect("series_limit is not enforced yet", "tenants", name, "series_limit")
	}
	if len(notes) > 0 {
		e.line("\nNotes:")
		for _, n := range notes {
			e.line("  %s", n)
		}
	}
}

// uses tells whether anything names a plugin.
func (c *Config) uses(name string) bool {
	if slices.Contains(c.Dispatch.Filters, name) || c.Dispatch.Split == name {
		return true
	}
	for _, t := range c.Tenants.All() {
		if t.Extract == name || slices.Contains(t.Filters, name) {
			return true
		}
	}
	return false
}
