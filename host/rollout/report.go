package rollout

import (
	"slices"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// Report is what a host knows of how the versions of a plugin differ.
type Report struct {
	Plugin     string         `json:"plugin"`
	Kind       string         `json:"kind"`
	Phase      Phase          `json:"phase"`
	Since      int64          `json:"since"`      // epoch ms
	Generation uint64         `json:"generation"` // that began the phase
	By         string         `json:"by"`
	Reason     string         `json:"reason,omitempty"`
	New        *VersionReport `json:"new"`
	Old        *VersionReport `json:"old"` // null: there is none
	// FuelRatio is the fuel per row of new by that of old; null: it is not known, or
	// neither uses any, as rules do not.
	FuelRatio *float64       `json:"fuel_ratio"`
	Compared  int64          `json:"compared"` // rows, in the shadow
	Differing int64          `json:"differing"`
	Changes   []ChangeReport `json:"changes"` // most frequent first
}

// VersionReport is a version, and what it has done in the phase on this host.
type VersionReport struct {
	Version string `json:"version"`
	Digest  string `json:"digest"`
	Rows    int64  `json:"rows"`
	Traps   int64  `json:"traps"`
	Fuel    uint64 `json:"fuel"`
	BusyNS  int64  `json:"busy_ns"`
}

// ChangeReport is one kind of difference.
type ChangeReport struct {
	Change  Change   `json:"change"`
	Rows    int64    `json:"rows"`
	Samples []Sample `json:"samples"`
}

// Report says how the plugin's versions differ.
func (p *Plugin) Report() *Report {
	s := p.state
	r := &Report{
		Plugin: p.Name(), Kind: string(p.Kind()), Phase: s.Phase, Since: s.Since, Generation: s.Generation, By: s.By, Reason: s.Reason,
		New: reportOf(p.Plugin), Changes: []ChangeReport{},
	}
	if p.old != nil {
		r.Old = reportOf(p.old)
	}
	if p.watch == nil {
		return r
	}
	deciding, new := p.watch.Usage()
	switch {
	case s.Phase == Shadow || s.Phase == Canary:
		r.Old.add(&deciding)
		r.New.add(&new)
		if deciding.Rows > 0 && deciding.Fuel > 0 && new.Rows > 0 {
			ratio := float64(new.Fuel) / float64(new.Rows) / (float64(deciding.Fuel) / float64(deciding.Rows))
			r.FuelRatio = &ratio
		}
	case s.Phase.oldDecides():
		r.Old.add(&deciding)
	default:
		r.New.add(&deciding)
	}
	p.watch.comparison.report(r)
	return r
}

// Compared is how many rows a shadow has answered on this host, and how many of them
// otherwise.
func (p *Plugin) Compared() (rows, differing int64) {
	if p.watch == nil {
		return 0, 0
	}
	return p.watch.comparison.counts()
}

func reportOf(p *plugin.Plugin) *VersionReport {
	return &VersionReport{Version: p.Version(), Digest: p.Digest()}
}

func (v *VersionReport) add(u *Usage) {
	v.Rows, v.Traps, v.Fuel, v.BusyNS = u.Rows, u.Traps, u.Fuel, int64(u.Busy/time.Nanosecond)
}

// report fills in what was compared.
func (c *Comparison) report(r *Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Compared, r.Differing = c.rows, c.differing
	for change, of := range c.changes {
		r.Changes = append(r.Changes, ChangeReport{change, of.rows, slices.Clone(of.samples)})
	}
	slices.SortFunc(r.Changes, func(a, b ChangeReport) int {
		if a.Rows != b.Rows {
			return int(b.Rows - a.Rows)
		}
		return strings.Compare(string(a.Change), string(b.Change))
	})
}
