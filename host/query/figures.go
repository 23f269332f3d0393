package query

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Bounds of exports of figures, which are held in memory until they are sent.
const (
	maxFigures = 1_000_000       // of one export
	maxExports = 4               // at a time
	exportTime = 5 * time.Minute // that a client may take to fetch one
)

// figures writes every figure of a keyspace's tenant in a range, what is stored
// and what is open, in the form of a replay's output.
func (a *API) figures(w http.ResponseWriter, r *http.Request) error {
	s, err := a.space(r)
	if err != nil {
		return err
	}
	from, to, err := figuresRange(r)
	if err != nil {
		return err
	}
	if !a.o.Live.Ready() {
		return &Error{http.StatusServiceUnavailable, "this host is still reading the open minutes", "try again in a moment"}
	}
	select {
	case a.exports <- struct{}{}:
		defer func() { <-a.exports }()
	case <-r.Context().Done():
		return &Error{http.StatusServiceUnavailable, fmt.Sprintf("%d exports of figures are under way", maxExports), "try again in a moment"}
	}
	all, err := s.figures(r.Context(), a.o.Live, from, to)
	if err != nil {
		return err
	}
	// A client that does not read must not keep others from theirs.
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Now().Add(exportTime)); err == nil {
		defer func() { _ = control.SetWriteDeadline(time.Time{}) }() // of a connection that is gone
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	var line []byte
	for i := range all {
		line = append(metric.AppendSampleJSON(line[:0], &all[i]), '\n')
		if _, err := w.Write(line); err != nil {
			a.o.Logger.Debug("the client went away", "error", err)
			return nil
		}
	}
	return nil
}

// figuresRange reads the minutes asked for: [from, to).
func figuresRange(r *http.Request) (from, to int64, err error) {
	to = metric.MinuteOf(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	for name, at := range map[string]*int64{"from": &from, "to": &to} {
		text := r.FormValue(name)
		if text == "" {
			continue
		}
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return 0, 0, &Error{http.StatusBadRequest, fmt.Sprintf("%s=%.100q is no time", name, text), "write RFC 3339 or epoch ms"}
			}
			ms = t.UnixMilli()
		}
		*at = metric.MinuteOf(ms)
	}
	return from, to, nil
}

// figures gives the figures of a range that are not all zero, sorted by series,
// then minute.
func (s *space) figures(ctx context.Context, live *Live, from, to int64) ([]metric.Sample, error) {
	e := export{rows: map[string]map[int64]*metric.Sample{}}
	sel := metric.Selector{Tenant: s.Tenant, From: from, To: to}
	look := live.lookAll(&sel, func(series *metric.Series, minute int64, f metric.Figure) {
		if row := e.row(series, minute); row != nil {
			*row = f.Sample(series, minute)
		}
	})
	if e.full {
		return nil, e.tooMany()
	}
	err := s.Store.Read(ctx, sel, func(series *metric.Series, stat string, minute int64, v float64) error {
		if look.holds(series, minute) {
			return nil
		}
		row := e.row(series, minute)
		if row == nil {
			return e.tooMany()
		}
		switch stat {
		case metric.StatHits:
			row.Hits = v
		case metric.StatSum:
			row.Sum = v
		case metric.StatSessions:
			row.Sessions = v
		case metric.StatSumSq:
			row.SumSq = v
		}
		return nil
	})
	if e.full {
		return nil, e.tooMany()
	}
	if ctx.Err() != nil {
		return nil, late("the store did not answer in time")
	}
	if err != nil {
		return nil, fmt.Errorf("keyspace %s: reading the store: %w", s.Name, err)
	}
	return e.sorted(), nil
}

// export gathers figures by series key and minute.
type export struct {
	rows map[string]map[int64]*metric.Sample
	n    int
	full bool
	key  []byte
}

// row gives a figure to fill in; nil where there are too many.
func (e *export) row(s *metric.Series, minute int64) *metric.Sample {
	e.key = s.AppendKey(e.key[:0])
	minutes := e.rows[string(e.key)]
	if minutes == nil {
		minutes = map[int64]*metric.Sample{}
		e.rows[string(e.key)] = minutes
	}
	row := minutes[minute]
	if row == nil {
		if e.n++; e.n > maxFigures {
			e.full = true
			return nil
		}
		row = &metric.Sample{Series: s.Clone(), Minute: minute}
		for _, other := range minutes { // share the series
			row.Series = other.Series
			break
		}
		minutes[minute] = row
	}
	return row
}

func (e *export) tooMany() error {
	return &Error{http.StatusRequestEntityTooLarge, fmt.Sprintf("there are more than %d figures in this range", maxFigures), "ask for a shorter range with from and to"}
}

func (e *export) sorted() []metric.Sample {
	all := make([]metric.Sample, 0, e.n)
	for _, minutes := range e.rows {
		for _, row := range minutes {
			if row.Hits != 0 || row.Sum != 0 || row.Sessions != 0 || row.SumSq != 0 {
				all = append(all, *row)
			}
		}
	}
	slices.SortFunc(all, func(a, b metric.Sample) int {
		if c := a.Series.Compare(b.Series); c != 0 {
			return c
		}
		return int(a.Minute - b.Minute)
	})
	return all
}
