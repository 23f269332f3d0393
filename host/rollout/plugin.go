package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// Plugin is a plugin of a generation, in the version that the config names and,
// where that is not live, the version before it. Its state says which of them decides.
type Plugin struct {
	*plugin.Plugin                // new
	old            *plugin.Plugin // nil where it is not called
	state          State
	settings       Settings
	watch          *Watch // nil: nobody watches, as in a replay

	points []abi.Point // of an extractor's versions, as far as they are called
	oldAt  []int       // where the points of old are in points
	kept   kept        // likewise, its cells

	seed     uint64 // of the canary's share
	byFields bool   // the canary's sessions are known by fields: beacons are looked at again, of which there is nothing else
}

// New makes a plugin of its versions, which are of one kind; old is nil where it
// NeedsOld not.
func New(s State, settings Settings, new, old *plugin.Plugin, watch *Watch) (*Plugin, error) {
	if old != nil && old.Kind() != new.Kind() {
		return nil, fmt.Errorf("the version before is of the kind %s, and this one of the kind %s: give it another name", old.Kind(), new.Kind())
	}
	if old == nil && s.Phase.oldDecides() {
		return nil, fmt.Errorf("the version before is to decide (%s), and there is none", s.Phase)
	}
	if s.Phase == Shadow && settings.Shadow == nil || s.Phase == Canary && settings.Canary == nil {
		return nil, fmt.Errorf("it is in the phase %s, and the config does not say what that is to be", s.Phase)
	}
	if c := settings.Canary; c != nil && c.By != "" && (len(new.Cells()) > 0 || new.Closes()) {
		return nil, fmt.Errorf("canary: by: %s: it keeps something with sessions, so a session must be with one version: write by: session", c.By)
	}
	p := &Plugin{Plugin: new, old: old, state: s, settings: settings, watch: watch}
	p.points = new.Points()
	if s.Phase.oldDecides() {
		p.points = slices.Clone(p.points)
		for _, point := range old.Points() {
			p.oldAt = append(p.oldAt, p.place(point))
		}
	}
	p.kept = keep(s.Phase, new, old)
	p.byFields = s.Phase == Canary && len(p.kept.all) > 0
	p.seed = xxhash.Sum64String(new.Name() + "\x00" + s.New)
	return p, nil
}

// place is where a point is in p.points, added if it is not there.
func (p *Plugin) place(point abi.Point) int {
	i := slices.IndexFunc(p.points, func(have abi.Point) bool {
		return have.Name == point.Name && slices.Equal(have.Attributes, point.Attributes)
	})
	if i < 0 {
		i = len(p.points)
		p.points = append(p.points, point)
	}
	return i
}

// State is what the generation says of the plugin.
func (p *Plugin) State() State { return p.state }

// New is the version that the config names.
func (p *Plugin) New() *plugin.Plugin { return p.Plugin }

// Versions are those that the generation calls, or may: new, then old.
func (p *Plugin) Versions() []*plugin.Plugin {
	if p.old == nil {
		return []*plugin.Plugin{p.Plugin}
	}
	return []*plugin.Plugin{p.Plugin, p.old}
}

// Old is the version before; nil where it is not called.
func (p *Plugin) Old() *plugin.Plugin { return p.old }

// Points are the points of an extractor's versions; measurements refer to them by
// index.
func (p *Plugin) Points() []abi.Point { return p.points }

// Fields are the names of the fields that the versions ask for.
func (p *Plugin) Fields() (names []string) {
	for _, v := range p.Versions() {
		for _, f := range v.Plan().Fields {
			names = append(names, f.Name)
		}
	}
	if p.byFields {
		names = append(names, beacon.FieldTenant, beacon.FieldSession)
	}
	if p.state.Phase == Canary && p.settings.Canary.By != "" {
		names = append(names, p.settings.Canary.By)
	}
	return names
}

// call is one call of a stage: of any kind of plugin.
type call struct {
	ctx context.Context
	looks
	ask    func(ctx context.Context, v *plugin.Plugin, sel []int) error
	refuse func(row int, d beacon.Drop)
	failed func(row int) // nil: nobody is to hear of guilty rows
}

// Filter asks a filter; see plugin.Plugin.
func (p *Plugin) Filter(ctx context.Context, b *beacon.Batch, sel []int, drop func(row int, d beacon.Drop)) error {
	r := p.record(b.Len())
	if r == nil {
		return p.answer(&call{ctx: ctx, looks: looks{batch: b}, refuse: drop, ask: func(ctx context.Context, v *plugin.Plugin, sel []int) error {
			return v.Filter(ctx, b, sel, drop)
		}}, sel)
	}
	defer r.done()
	dropped := func(row int, d beacon.Drop) {
		r.old.drop(row, d)
		drop(row, d)
	}
	err := p.answer(&call{ctx: ctx, looks: looks{batch: b}, refuse: dropped, failed: r.old.fail, ask: func(ctx context.Context, v *plugin.Plugin, sel []int) error {
		return v.Filter(ctx, b, sel, dropped)
	}}, sel)
	if err != nil {
		return err
	}
	p.shadow(ctx, r, looks{batch: b}, sel, func(ctx context.Context) error { return p.Plugin.Filter(ctx, b, sel, r.new.drop) })
	return nil
}

// Split asks a splitter; see plugin.Plugin.
func (p *Plugin) Split(ctx context.Context, b *beacon.Batch, sel []int, route func(row int, name string), drop func(row int, d beacon.Drop)) error {
	r := p.record(b.Len())
	if r == nil {
		return p.answer(&call{ctx: ctx, looks: looks{batch: b}, refuse: drop, ask: func(ctx context.Context, v *plugin.Plugin, sel []int) error {
			return v.Split(ctx, b, sel, route, drop)
		}}, sel)
	}
	defer r.done()
	routed := func(row int, name string) {
		r.old.route(row, name)
		route(row, name)
	}
	dropped := func(row int, d beacon.Drop) {
		r.old.drop(row, d)
		drop(row, d)
	}
	err := p.answer(&call{ctx: ctx, looks: looks{batch: b}, refuse: dropped, failed: r.old.fail, ask: func(ctx context.Context, v *plugin.Plugin, sel []int) error {
		return v.Split(ctx, b, sel, routed, dropped)
	}}, sel)
	if err != nil {
		return err
	}
	p.shadow(ctx, r, looks{batch: b}, sel, func(ctx context.Context) error { return p.Plugin.Split(ctx, b, sel, r.new.route, r.new.drop) })
	return nil
}

// Extract asks an extractor; see plugin.Plugin.
func (p *Plugin) Extract(ctx context.Context, b *beacon.Batch, sel []int, emit func(m metric.Measurement), bad func(row int), fail func(row int, d beacon.Drop)) error {
	return p.extract(ctx, b, sel, asking{emit: emit, bad: bad, fail: fail}, func(ctx context.Context, v *plugin.Plugin, sel []int, a asking) error {
		return v.Extract(ctx, b, sel, a.emit, a.bad, a.fail)
	})
}

// asking is where an extractor's answers go, and where the cells are that it keeps.
type asking struct {
	emit  func(m metric.Measurement)
	bad   func(row int)
	fail  func(row int, d beacon.Drop)
	cells []int // in Plugin.kept
}

// ofOld is where answers of the version before go.
func (p *Plugin) ofOld(a asking) asking {
	emit := a.emit
	a.emit = func(m metric.Measurement) {
		m.Point = p.oldAt[m.Point]
		emit(m)
	}
	a.cells = p.kept.old
	return a
}

// extract has an extractor's versions asked, as ask does.
func (p *Plugin) extract(ctx context.Context, b *beacon.Batch, sel []int, a asking, ask func(ctx context.Context, v *plugin.Plugin, sel []int, a asking) error) error {
	r := p.record(b.Len())
	c := &call{ctx: ctx, looks: looks{batch: b}, refuse: a.fail}
	a.cells = p.kept.new
	if r != nil {
		defer r.done()
		a, c.failed = r.old.listen(a), r.old.fail
	}
	c.ask = func(ctx context.Context, v *plugin.Plugin, sel []int) error {
		if v == p.old {
			return ask(ctx, v, sel, p.ofOld(a))
		}
		return ask(ctx, v, sel, a)
	}
	if err := p.answer(c, sel); err != nil || r == nil {
		return err
	}
	shadow := asking{r.new.measure, r.new.bad, func(int, beacon.Drop) {}, p.kept.new}
	p.shadow(ctx, r, looks{batch: b}, sel, func(ctx context.Context) error { return ask(ctx, p.Plugin, sel, shadow) })
	return nil
}

// answer has the version that decides answer. A canary's share is new's.
func (p *Plugin) answer(c *call, sel []int) error {
	switch {
	case p.state.Phase == Canary:
		ours, theirs := p.divide(c.batch, sel)
		if err := p.asked(c, p.Plugin, newSide, ours); err != nil {
			return err
		}
		return p.asked(c, p.old, decidingSide, theirs)
	case p.state.Phase == Out:
		p.Refuse(sel, p.state.Reason, c.refuse)
		return nil
	case p.state.Phase.oldDecides():
		return p.asked(c, p.old, decidingSide, sel)
	}
	return p.asked(c, p.Plugin, decidingSide, sel)
}

// divide gives the rows of a canary's sessions, and the others.
func (p *Plugin) divide(b *beacon.Batch, sel []int) (ours, theirs []int) {
	theirs = make([]int, 0, len(sel))
	for _, i := range sel {
		if p.inCanary(b, i) {
			ours = append(ours, i)
		} else {
			theirs = append(theirs, i)
		}
	}
	return ours, theirs
}

// inCanary tells whether a beacon's session is the canary's: a function of the
// generation and the session, so that a replay decides the same.
func (p *Plugin) inCanary(b *beacon.Batch, row int) bool {
	r := b.Row(row)
	tenant, session := r.Tenant, r.Session
	if p.byFields {
		tenant, session = r.Values[b.Fields().Index(beacon.FieldTenant)].Text, r.Values[b.Fields().Index(beacon.FieldSession)].Text
	}
	if by := p.settings.Canary.By; by != "" && !p.byFields {
		if value := r.Values[b.Fields().Index(by)].Text; len(value) > 0 {
			session = value
		}
	}
	var d xxhash.Digest
	d.ResetWithSeed(p.seed)
	_, _ = d.Write(tenant) // it never fails
	_, _ = d.Write([]byte{0})
	_, _ = d.Write(session)
	return d.Sum64()%whole < uint64(p.settings.Canary.Share)
}

// asked asks a version, and takes note of what came of it. A filter or splitter that
// is to be taken out is not asked any more, before a generation says so: what
// dispatch decides is in its log. Of an extractor the generation must say it.
func (p *Plugin) asked(c *call, v *plugin.Plugin, s side, sel []int) error {
	breaks := s == decidingSide && p.Kind() != abi.Extract
	if len(sel) == 0 || breaks && p.watch.breaks(p, 0) {
		p.Refuse(sel, takenOut, c.refuse)
		return nil
	}
	ctx, stop := context.WithCancel(c.ctx)
	defer stop()
	rest, traps := len(sel), 0 // from rest on the rows are not asked about
	t := plugin.Tally{Failed: func(row int) {
		if c.failed != nil {
			c.failed(row)
		}
		if c.isAgain(row) {
			return
		}
		traps++
		if s == decidingSide && p.watch.breaks(p, traps) && breaks {
			rest = slices.Index(sel, row) + 1 // rows are asked about in their order
			stop()
		}
	}}
	err := c.ask(plugin.WithTally(ctx, &t), v, sel)
	if err != nil && (rest == len(sel) || c.ctx.Err() != nil) {
		return err
	}
	p.Refuse(sel[rest:], takenOut, c.refuse)
	p.watch.took(p, s, c.new(sel[:rest]), traps, &t)
	return nil
}

// takenOut is what dead letters say of beacons that nobody was asked about.
const takenOut = "it kept failing, and is about to be taken out"
