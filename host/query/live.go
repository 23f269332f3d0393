package query

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// LiveOptions configures a live view.
type LiveOptions struct {
	Partitions int32         // of the metrics topic
	Lateness   time.Duration // session.lateness
	Generation uint64        // in force at the start; Use gives others
	Routes     []string      // all routes of that generation
	Ahead      time.Duration // session.ahead; 0 is 5 minutes, its default
	// Keep is how long a minute stays after it became final (live_keep); 0 is
	// 15 minutes. It stays longer while its store is known not to have it.
	Keep time.Duration
	// MaxFigures is how many figures are held before final minutes go that the
	// store has, and after Keep those that it has not; 0 is 2 million.
	MaxFigures int
	Now        func() time.Time // the wall clock; nil is time.Now
}

// Live keeps the minutes of the metrics topic that are open, and final ones for
// a while. For the minutes that it holds of a partition it holds every figure,
// so it replaces what a store says of them.
//
// Its memory is about 100 bytes a figure and 500 a series that has one: a
// figure is held for each series and minute with a booking from lateness plus
// Keep ago until now. Safe for concurrent use.
type Live struct {
	keep  time.Duration
	ahead time.Duration
	limit int
	now   func() time.Time

	mu       sync.RWMutex
	parts    []livePart
	groups   map[group]map[string]*liveSeries // by the series' key
	figures  int
	newest   map[string]int64 // by tenant: newest minute with a figure
	complete int64            // first minute that is not final, never falls
	final    bool             // something is final
	counts   metric.Counts
	resumed  bool      // reading began at a safe point: what was there already is not counted
	since    time.Time // append time of the first record counted
	buf      []byte
}

// group is what a request selects series by.
type group struct{ tenant, experiment, status, point string }

type liveSeries struct {
	series    *metric.Series
	partition int32
	minutes   []minuteFigure // ascending
}

type minuteFigure struct {
	minute int64
	figure metric.Figure
}

// livePart is one partition of the metrics topic.
type livePart struct {
	started bool
	next    int64 // offset; lower ones have been seen
	caught  int64 // the end as of the start
	from    int64 // minutes from here on are held, all of them
	cut     bool  // records before the first to come are gone: no minute is held until it is seen
	awaits  bool  // shipped is told
	shipped int64 // minutes up to it are in the store; NoMinute: none
	horizon *metric.Horizon
	final   int64 // minutes before it are final; NoMinute: unknown
	became  []finalSince
}

// finalSince says when the minutes before one became final.
type finalSince struct {
	before int64
	at     time.Time
}

// unheld is the from of a partition that holds no minute.
const unheld = math.MaxInt64

// NewLive returns a view that has seen nothing.
func NewLive(o LiveOptions) *Live {
	l := &Live{keep: o.Keep, ahead: o.Ahead, limit: o.MaxFigures, now: o.Now, parts: make([]livePart, o.Partitions), groups: map[group]map[string]*liveSeries{}, newest: map[string]int64{}}
	if l.keep == 0 {
		l.keep = 15 * time.Minute
	}
	if l.ahead == 0 {
		l.ahead = 5 * time.Minute
	}
	if l.limit == 0 {
		l.limit = 2_000_000
	}
	if l.now == nil {
		l.now = time.Now
	}
	for i := range l.parts {
		l.parts[i] = livePart{from: unheld, shipped: metric.NoMinute, final: metric.NoMinute, horizon: metric.NewHorizon(o.Lateness)}
		l.parts[i].horizon.Generation(o.Generation, o.Routes)
	}
	return l
}

// Use makes a generation known, with all its routes. What is final stays so; what
// names a newer generation than is known holds back what becomes final. It may be
// called at any time.
func (l *Live) Use(generation uint64, routes []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.parts {
		p := &l.parts[i]
		p.horizon.Generation(generation, routes)
		l.advance(i)
	}
}

// Start says where reading of a partition begins, and its end now: the view is
// ready when it has come to the end of every partition. Minutes up to the safe
// point's horizon are the store's; without one all are the view's, until the
// first of them goes. A partition is started once.
func (l *Live) Start(partition int32, at metric.SafePoint, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.parts[partition]
	p.started, p.next, p.caught = true, at.Offset, end
	if at.Horizon == metric.NoMinute {
		p.from = metric.NoMinute
		return
	}
	l.resumed = l.resumed || at.Offset > 0
	p.from, p.final, p.shipped = at.Horizon+1, at.Horizon+1, at.Horizon
	l.advance(int(partition))
}

// Cut says of a started partition that records before the first to come are
// gone, and no store is known to have them: minutes that they may have been of
// are left to the store.
func (l *Live) Cut(partition int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts[partition].cut = true
}

// Observe books a record of a started partition; appended is its append time.
// A record that has been seen changes nothing.
func (l *Live) Observe(partition int32, offset int64, appended time.Time, f *metric.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.parts[partition]
	if offset < p.next {
		return
	}
	p.next = offset + 1
	if p.cut {
		p.cut, p.from = false, max(p.from, metric.WholeAfter(appended, l.ahead)+1)
	}
	var e *liveSeries // of the delta before: those of a series come together
	for i := range f.Deltas {
		if i > 0 && f.Deltas[i].Series != f.Deltas[i-1].Series {
			e = nil
		}
		e = l.book(partition, &f.Deltas[i], e)
	}
	l.count(p, offset, appended, f.Counts)
	for _, g := range f.Progress {
		p.horizon.Observe(f.Generation, g)
	}
	if len(f.Progress) > 0 {
		l.advance(int(partition))
		l.expire(partition)
	}
}

// count adds up counts. Safe points of partitions lie far apart, so where reading
// began at them only what came after the start is counted.
func (l *Live) count(p *livePart, offset int64, appended time.Time, counts []metric.Count) {
	if l.resumed && offset < p.caught {
		return
	}
	if l.since.IsZero() || appended.Before(l.since) {
		l.since = appended
	}
	for _, c := range counts {
		l.counts.Add(c)
	}
}

// Position says that nothing more comes of a partition below an offset.
func (l *Live) Position(partition int32, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.parts[partition]
	p.next = max(p.next, next)
}

// Shipped says up to which minute the store has a partition's figures
// (metric.NoMinute: it has none). Once said, minutes wait for it.
func (l *Live) Shipped(partition int32, horizon int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.parts[partition]
	p.awaits, p.shipped = true, max(p.shipped, horizon)
	l.expire(partition)
}

// Expire lets go of what need not be held any longer. Observe does so too;
// without it nothing would be let go while the topic is silent.
func (l *Live) Expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.parts {
		l.expire(int32(i))
	}
}

// Ready tells whether every partition has been read to its end as of the
// start. Before, open minutes can be too low.
func (l *Live) Ready() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := range l.parts {
		if p := &l.parts[i]; !p.started || p.next < p.caught {
			return false
		}
	}
	return true
}

// FinalBefore returns the first minute that is not final; false while nothing
// is known to be. It never falls.
func (l *Live) FinalBefore() (minute int64, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.complete, l.final
}

// partitions counts the partitions of the metrics topic.
func (l *Live) partitions() int32 { return int32(len(l.parts)) }

// Figures returns how many figures are held.
func (l *Live) Figures() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.figures
}

// crowded returns a fault while more figures are held than MaxFigures: they are
// open, or no store has them yet, so none can be let go. "" otherwise.
func (l *Live) crowded() string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.figures <= l.limit {
		return ""
	}
	return fmt.Sprintf("the live view holds %d figures, more than %d, and grows: its minutes are open, or a store is behind; see the stores, or have fewer dimensions, values or experiments", l.figures, l.limit)
}

// Beacons returns what became of the beacons of the tenants, those given and
// those seen, as counted from the topic's start, or since the view began to read
// where it began at safe points, and when the first record counted was appended.
// The latter can begin between the count of a beacon as in and that of its outcome.
func (l *Live) Beacons(tenants []string) (*metric.Summary, time.Time) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.counts.Summary(tenants), l.since
}

// beside counts, by tenant, an outcome that is counted beside those of Beacons.
func (l *Live) beside(o metric.Outcome) map[string]int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := map[string]int64{}
	for _, c := range l.counts.All() {
		if c.Outcome == o {
			n[c.Tenant] += c.N
		}
	}
	return n
}

// Counts returns all counts of beacons, as Beacons sums them up.
func (l *Live) Counts() []metric.Count {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.counts.All()
}

// book books a delta of a series, which is e where that is known, and returns it.
func (l *Live) book(partition int32, d *metric.Delta, e *liveSeries) *liveSeries {
	p := &l.parts[partition]
	if d.Minute < p.from {
		return e
	}
	s := d.Series
	if e == nil {
		e = l.find(partition, s)
	}
	at, found := slices.BinarySearchFunc(e.minutes, d.Minute, func(m minuteFigure, minute int64) int {
		return int(m.minute - minute)
	})
	if !found {
		e.minutes = slices.Insert(e.minutes, at, minuteFigure{minute: d.Minute})
		l.figures++
	}
	e.minutes[at].figure.Add(d.Figure)
	if newest, ok := l.newest[s.Tenant]; !ok || d.Minute > newest {
		l.newest[s.Tenant] = d.Minute
	}
	return e
}

// find finds a series, or begins it.
func (l *Live) find(partition int32, s *metric.Series) *liveSeries {
	g := group{s.Tenant, s.Experiment, s.Status, s.Point}
	members := l.groups[g]
	if members == nil {
		members = map[string]*liveSeries{}
		l.groups[g] = members
	}
	l.buf = s.AppendKey(l.buf[:0])
	e := members[string(l.buf)]
	if e == nil {
		e = &liveSeries{series: s, partition: partition}
		members[string(l.buf)] = e
	}
	return e
}

// advance takes note of what became final by the partition's progress.
func (l *Live) advance(partition int) {
	p := &l.parts[partition]
	if m, ok := p.horizon.FinalBefore(); ok && m > p.final {
		p.final = m
		p.became = append(p.became, finalSince{m, l.now()})
	}
	if low, ok := l.lowest(); ok && (!l.final || low > l.complete) {
		l.complete, l.final = low, true
	}
}

func (l *Live) expire(partition int32) {
	p := &l.parts[partition]
	old := l.now().Add(-l.keep)
	before := int64(metric.NoMinute)
	for _, m := range p.became {
		if m.at.After(old) {
			break
		}
		before = m.before
	}
	crowded := l.figures >= l.limit
	switch {
	case crowded && p.awaits:
		before = max(before, min(p.final, p.shipped+1))
	case p.awaits:
		before = min(before, p.shipped+1)
	}
	if before <= metric.NoMinute+1 {
		return
	}
	p.became = slices.DeleteFunc(p.became, func(m finalSince) bool { return m.before <= before })
	if p.from >= before {
		return
	}
	p.from = before
	for g, members := range l.groups {
		for key, e := range members {
			if e.partition != partition {
				continue
			}
			n := 0
			for n < len(e.minutes) && e.minutes[n].minute < before {
				n++
			}
			l.figures -= n
			if e.minutes = slices.Delete(e.minutes, 0, n); len(e.minutes) == 0 {
				delete(members, key)
			}
		}
		if len(members) == 0 {
			delete(l.groups, g)
		}
	}
}
