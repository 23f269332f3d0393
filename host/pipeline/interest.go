package pipeline

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/interest"
)

// InterestOptions say what sample to look at, and how.
type InterestOptions struct {
	Inputs []Input // files; none: Live
	Live   *LiveSample
	Max    int      // beacons of the sample
	By     []string // fields that kinds are told apart by; none: that is chosen
	Least  int      // beacons of a kind that must have been looked at before it is dropped
	Whole  bool     // only sessions that lie whole within the sample
	Now    time.Time
	Rule   string // file for the rule; "": none
	JSON   bool

	Stdin    io.Reader
	Stdout   io.Writer
	Progress func(format string, args ...any)
	Log      hclog.Logger
}

// Interest tells which kinds of a sample's beacons touch figures, and writes the rule
// that drops the others.
func Interest(ctx context.Context, cfg *config.Config, o InterestOptions) (err error) {
	if len(o.By) > interest.MaxBy {
		return usagef("--by: %d fields, and %d are the most", len(o.By), interest.MaxBy)
	}
	p := newPace(o.Progress)
	f, err := o.inForce(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close(context.WithoutCancel(ctx))) }()
	g, err := f.generation(ctx, nil)
	if err != nil {
		return err
	}
	for _, in := range o.Inputs {
		if err := g.checkInput(in); err != nil {
			return err
		}
	}
	s := &sample{max: o.Max}
	if o.Live != nil {
		err = o.Live.read(ctx, g, f.kafka, s, p)
	} else {
		err = s.files(ctx, g, o.Inputs, o.Stdin, p)
	}
	if err != nil {
		return err
	}
	if len(s.values) == 0 && o.Live != nil {
		return errors.New("no beacon is in the topics of the sources, or came meanwhile: wait longer with --for, or begin earlier with --since")
	} else if len(s.values) == 0 {
		return usagef("the sample has no beacons: there is nothing to tell from it")
	}
	t := study{o: o, force: f, g: g, s: s, pace: p}
	report, err := t.report(ctx)
	if err != nil {
		return err
	}
	p.end()
	return o.write(report)
}

// write writes the report, and the rule to its file.
func (o *InterestOptions) write(r *interest.Report) error {
	if o.Rule != "" {
		if r.Rule == "" {
			o.Log.Warn("there is nothing to drop: no rule was written", "file", o.Rule)
		} else if err := toFile(o.Rule, o.Stdout, func(w *bufio.Writer) error {
			_, err := w.WriteString(r.Rule)
			return err
		}); err != nil {
			return err
		}
	}
	return buffered(o.Stdout, func(w *bufio.Writer) error {
		if o.JSON {
			return r.WriteJSON(w)
		}
		return r.WriteText(w)
	})
}

// study is the way from a sample to what is said of it.
type study struct {
	o     InterestOptions
	force *force
	g     *Generation
	s     *sample
	pace  *pace

	before *replay
	sample *interest.Sample
	aside  int // beacons that are not looked at, see wholeOnly
}

func (t *study) report(ctx context.Context) (*interest.Report, error) {
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	if t.o.Whole {
		if err := t.wholeOnly(ctx); err != nil {
			return nil, err
		}
	}
	summary, err := t.before.summary()
	if err != nil {
		return nil, err
	}
	if err := t.sample.Look(ctx); err != nil {
		return nil, err
	}
	choice := t.sample.Choose()
	r := t.sample.Report(choice)
	r.InForce, r.Summary, r.Aside = t.force.name, summary, t.aside
	if t.s.full != "" {
		r.Warn("%s", t.s.full)
	}
	if !t.o.Whole {
		r.Warn("sessions that the sample's ends cut are taken as they are; --whole leaves them aside")
	}
	return r, t.propose(ctx, choice, r)
}

// propose adds the rules to the report, each on top of those before.
func (t *study) propose(ctx context.Context, choice interest.Choice, r *interest.Report) error {
	var before []*interest.Proposal
	for _, class := range []interest.Class{interest.Useless, interest.BoundsOnly, interest.VisitsOnly} {
		p, err := t.sample.Propose(ctx, choice, class, before...)
		if err != nil {
			return err
		}
		var trial *interest.Trial
		if class == interest.Useless {
			p, trial, err = t.harmless(ctx, p)
		} else if p.Beacons() > 0 {
			trial, err = t.try(ctx, append(before, p)...)
		}
		if err != nil {
			return err
		}
		r.Add(p, trial, t.filters)
		before = append(before, p)
	}
	return nil
}

// begin replays the sample, and adds its beacons with what became of them.
func (t *study) begin(ctx context.Context) (err error) {
	if t.before, err = t.s.replay(ctx, t.g, t.replayOptions(), t.pace); err != nil {
		return err
	}
	cfg, err := t.g.sessionConfig(true)
	if err != nil {
		return err
	}
	asked := t.g.askedFields()
	fields := slices.Concat(asked, t.s.fields(t.g, asked))
	by := make([]interest.Field, len(t.o.By))
	for i, name := range t.o.By {
		by[i] = interest.ParseField(name)
	}
	t.sample, err = interest.New(interest.Options{
		Sources: t.g.sources, Session: cfg, By: by, Fields: fields[:min(len(fields), interest.MaxFields)], Asked: len(asked), Least: t.o.Least,
		Progress: func(done, all int) { t.pace.say("looked at %d of %d beacons", done, all) },
	})
	if err != nil {
		return err
	}
	f := t.before.fates
	for i, value := range t.s.values {
		t.sample.Add(int(t.s.sources[i]), value, f.of[i], f.route[i])
	}
	return nil
}

// wholeOnly begins anew with what says something of whole sessions.
func (t *study) wholeOnly(ctx context.Context) error {
	all := len(t.s.values)
	t.s = t.s.only(t.sample.Whole())
	t.aside = all - len(t.s.values)
	if err := t.begin(ctx); err != nil {
		return err
	}
	if session := t.g.Config.Session; t.sample.Keys() == 0 && t.aside > 0 {
		return usagef("the ends of the sample cut all of its sessions, or might: one ends %s after its last beacon, which may come %s late. Take a sample of some times %s (a live one with --since), or all as they are with --whole=false",
			session.Gap, session.Lateness, 2*(session.Gap+session.Lateness))
	}
	return nil
}

// mostReplays bounds the kinds of a rule that are tried one after the other.
const mostReplays = 32

// harmless tries what touches nothing key by key on the whole sample, and leaves out
// the kinds with which a figure changes all the same: which beacons are late hangs on
// all that come, and so does which values are within a limit.
func (t *study) harmless(ctx context.Context, p *interest.Proposal) (*interest.Proposal, *interest.Trial, error) {
	if p.Beacons() == 0 {
		return p, nil, nil
	}
	trial, err := t.try(ctx, p)
	if err != nil || trial.Effect.Changed == 0 {
		return p, trial, err
	}
	best, least := p.None(), (*interest.Trial)(nil)
	for i := range min(len(p.Kinds()), mostReplays) {
		next, err := p.With(ctx, best, i)
		if err != nil {
			return nil, nil, err
		}
		if trial, err = t.try(ctx, next); err != nil {
			return nil, nil, err
		}
		if trial.Effect.Changed == 0 {
			best, least = next, trial
		}
	}
	return best, least, nil
}

// try replays the sample under rules that drop all that is proposed.
func (t *study) try(ctx context.Context, all ...*interest.Proposal) (*interest.Trial, error) {
	trial := &interest.Trial{}
	for _, p := range all {
		trial.Rules = append(trial.Rules, p.Rules(t.g.tenants(), func(name string) bool { return t.g.Config.Plugins.Get(name) != nil })...)
	}
	g, err := t.force.generation(ctx, trial.Rules)
	if err != nil {
		return nil, fmt.Errorf("a rule that was written is refused, which is a fault of Pharos: %w", err)
	}
	after, err := t.s.replay(ctx, g, t.replayOptions(), t.pace)
	if err != nil {
		return nil, err
	}
	for i, route := range t.before.fates.route {
		goes := route != "" && !slices.ContainsFunc(all, func(p *interest.Proposal) bool { return p.Drops(i) })
		if goes != (after.fates.route[i] != "") {
			return nil, fmt.Errorf("the rule does not drop what it was written for (beacon %d of the sample), which is a fault of Pharos:\n%s",
				i+1, interest.Snippet(trial.Rules, t.filters))
		}
	}
	if trial.Summary, err = after.summary(); err != nil {
		return nil, err
	}
	trial.Effect = interest.Compare(&t.before.totals, &after.totals)
	return trial, nil
}

// filters are the filters of a tenant, or of dispatch.
func (t *study) filters(tenant string) []string {
	if tenant == "" {
		return t.g.Config.Dispatch.Filters
	}
	return t.g.Config.Tenants.Get(tenant).Filters
}

func (t *study) replayOptions() ReplayOptions {
	return ReplayOptions{Now: t.o.Now, Progress: t.o.Progress, Log: t.o.Log}
}

// askedFields are what plugins in force ask for.
func (g *Generation) askedFields() (fields []interest.Field) {
	add := func(plugin string) {
		p := g.plugins[plugin]
		if p == nil {
			return
		}
		for _, name := range p.Fields() {
			f := interest.Field{Name: name}
			if !strings.HasPrefix(name, "$") && !g.isLogical(name) && !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
	}
	for _, t := range g.Config.Tenants.All() {
		add(t.Extract)
	}
	for _, name := range g.Config.Dispatch.Filters {
		add(name)
	}
	add(g.Config.Dispatch.Split)
	for _, t := range g.Config.Tenants.All() {
		for _, name := range t.Filters {
			add(name)
		}
	}
	return fields
}

// isLogical tells whether a path is that of a logical field of a source.
func (g *Generation) isLogical(path string) bool {
	for _, s := range g.sources {
		if _, named := s.Names[path]; named {
			continue
		}
		for _, l := range [][]string{s.Time.Paths, s.Tenant.Paths, s.Session.Paths, s.ID.Paths, s.Assignments.Paths} {
			if slices.Contains(l, path) {
				return true
			}
		}
	}
	return false
}

// pace says how far a long job is: from two seconds on, every two.
type pace struct {
	next  time.Time
	shown bool
	out   func(format string, args ...any)
}

const paceEvery = 2 * time.Second

func newPace(out func(format string, args ...any)) *pace {
	return &pace{next: time.Now().Add(paceEvery), out: out}
}

func (p *pace) say(format string, args ...any) {
	if now := time.Now(); now.After(p.next) {
		p.next, p.shown = now.Add(paceEvery), true
		p.out(format, args...)
	}
}

// end ends the line on which it was said.
func (p *pace) end() {
	if p.shown {
		p.out("done\n")
	}
}
