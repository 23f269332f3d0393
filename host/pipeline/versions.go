package pipeline

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/query"
)

// maxPast is how many versions of plugins are kept in mind that are no longer there.
const maxPast = 20

// past is what is known of versions that were closed or refused, the oldest first.
type past struct {
	mu   sync.Mutex
	list []query.PluginStatus
}

// add notes a version. One that is refused again and again is there once.
func (p *past) add(s query.PluginStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = slices.DeleteFunc(p.list, func(o query.PluginStatus) bool {
		return o.State == plugin.Refused && s.State == plugin.Refused && o.Name == s.Name && o.Digest == s.Digest
	})
	if p.list = append(p.list, s); len(p.list) > maxPast {
		p.list = slices.Delete(p.list, 0, 1)
	}
}

// refused notes a version that could not be loaded.
func (p *past) refused(err error) {
	var e *plugin.LoadError
	if errors.As(err, &e) {
		s := query.PluginStatus{Name: e.Name, Kind: string(e.Kind), Version: e.Version, Digest: e.Digest}
		setLife(&s, e.Life)
		p.add(s)
	}
}

// newestFirst gives what is kept.
func (p *past) newestFirst() []query.PluginStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Clone(p.list)
	slices.Reverse(list)
	return list
}

// pluginStatus says how one version is doing on this host.
func pluginStatus(p *plugin.Plugin) query.PluginStatus {
	st := p.Stats()
	s := query.PluginStatus{
		Name: p.Name(), Kind: string(p.Kind()), Version: p.Version(), Digest: p.Digest(),
		Rows: int64(st.Rows), Fuel: int64(st.Fuel), Traps: int64(st.Guilty),
	}
	setLife(&s, p.Life())
	if st.Last != nil {
		s.Failed(st.Last.At, st.Last.Text, time.Now())
	}
	return s
}

func setLife(s *query.PluginStatus, l *plugin.Life) {
	state, since := l.State()
	s.State, s.Since = state, query.Millis(since)
	for _, step := range l.Steps() {
		s.Life = append(s.Life, query.Event{Step: step.Name, At: query.Millis(step.At), TookMS: float64(step.Took.Microseconds()) / 1000, Detail: step.Detail})
	}
}

// versions are those of the generation, in the order of its config, and those that
// are loaded for others, or were of late.
func (s *shelf) versions(g *Generation) (present, before []query.PluginStatus) {
	inForce := map[*plugin.Plugin]bool{}
	for name := range g.Config.Plugins.All() {
		for _, p := range g.plugins[name].Versions() {
			inForce[p] = true
			present = append(present, pluginStatus(p))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.loaded {
		if !inForce[p.Plugin] {
			before = append(before, pluginStatus(p.Plugin))
		}
	}
	slices.SortFunc(before, func(a, b query.PluginStatus) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Digest, b.Digest))
	})
	return present, append(before, s.past.newestFirst()...)
}
