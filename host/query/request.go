package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Request is what a client asks of a keyspace. Everything but Formulas may be
// left out.
type Request struct {
	From       *Instant           `json:"from"` // left out: the first figure
	To         *Instant           `json:"to"`   // left out: the newest minute known, included
	Step       *Step              `json:"step"` // left out: such that Points are not exceeded
	Points     int                `json:"points"`
	Formulas   []string           `json:"formulas"`
	Params     map[string]float64 `json:"params"`
	Experiment string             `json:"experiment"`
	By         *[]string          `json:"by"` // left out: ["variant"]
	Status     string             `json:"status"`
}

// Bounds of a request.
const (
	maxBody     = 64 << 10
	maxPoints   = 2000 // a series
	maxSeries   = 1000
	maxFormulas = 50
	maxValues   = 1_000_000 // that are computed: formulas, those that they need too, times series times points
	autoPoints  = 300
)

// byVariant in a request's by splits by variant; other names are dimensions.
const byVariant = "variant"

// Error is an answer that is no result: what is wrong and what to do.
type Error struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	Hint    string `json:"hint"`
}

// Error gives both.
func (e *Error) Error() string { return e.Message + " (" + e.Hint + ")" }

// late is the error of a request whose time is up.
func late(what string) *Error {
	return &Error{http.StatusGatewayTimeout, what, "ask for a shorter range, or see the store's state in /api/v1/status"}
}

func refuse(hint, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// parseRequest reads a request strictly: one JSON object, known keys.
func parseRequest(body io.Reader) (*Request, error) {
	const see = "the form of a query is in /api/v1/openapi.json"
	raw, err := io.ReadAll(body)
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, &Error{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is larger than %d bytes", maxBody), see}
		}
		return nil, refuse("send it again", "the request's body broke off: %v", err)
	}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, refuse(see, "the request is no JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var r Request
	if err := d.Decode(&r); err != nil {
		var kind *json.UnmarshalTypeError
		switch name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); {
		case unknown:
			return nil, refuse("the keys are from, to, step, points, formulas, params, experiment, by, status", "there is no key %s", name)
		case errors.As(err, &kind):
			return nil, refuse(see, "%s cannot be a JSON %s", kind.Field, kind.Value)
		}
		return nil, refuse(see, "the request cannot be read: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(see, "something follows the request's JSON object")
	}
	return &r, nil
}

// question is a request that has been checked against its keyspace.
type question struct {
	space      *space
	experiment *Experiment
	status     string
	formulas   []*formula
	order      []int // formulas to compute, indices in space
	metrics    []int // metrics to fetch, indices in space
	params     map[string]float64
	by         []string
	points     int
	step       *Step
	from       *int64 // minute; nil: the first figure
	to         int64  // minute, not included
}

// resolve checks a request; edge is the newest minute known.
func (s *space) resolve(r *Request, edge int64) (*question, error) {
	q := &question{space: s, status: r.Status, params: r.Params, points: r.Points, step: r.Step}
	for _, check := range []func(*question, *Request) error{s.resolveFormulas, s.resolveExperiment, s.resolveBy, s.resolveParams} {
		if err := check(q, r); err != nil {
			return nil, err
		}
	}
	switch q.status {
	case "":
		q.status = metric.Assigned
	case metric.Assigned, metric.Qualified:
	default:
		return nil, refuse("take assigned or qualified", "there is no status %q", q.status)
	}
	switch {
	case q.points == 0:
		q.points = autoPoints
	case q.points < 0 || q.points > maxPoints:
		return nil, refuse(fmt.Sprintf("take 1 to %d", maxPoints), "points is %d", q.points)
	}
	return q, q.span(r, edge)
}

// span finds the minutes asked for.
func (q *question) span(r *Request, edge int64) error {
	q.to = edge + 1
	if r.To != nil {
		if r.To.Back > 0 {
			return refuse("give to as a time, or leave it out for the newest minute", "to is a duration")
		}
		q.to = ceilDiv(r.To.Millis, minute)
	}
	if r.From == nil {
		return nil
	}
	from := r.From.Millis / minute
	if r.From.Back > 0 {
		from = max(0, q.to-int64(r.From.Back/time.Minute))
	}
	q.from = &from
	if from >= q.to {
		if r.To != nil {
			return refuse("from is before to", "the range is empty: from %s to %s", clock(from), clock(q.to))
		}
		q.to = from + 1 // a range that has not begun yet
	}
	return nil
}

func (s *space) resolveFormulas(q *question, r *Request) error {
	if len(r.Formulas) == 0 || len(r.Formulas) > maxFormulas {
		return refuse("keyspace "+s.Name+" has "+list(s.formulaNames()), "formulas has %d names, not 1 to %d", len(r.Formulas), maxFormulas)
	}
	for _, name := range r.Formulas {
		f := s.formula(name)
		if f == nil {
			return refuse("keyspace "+s.Name+" has "+list(s.formulaNames()), "there is no formula %q", name)
		}
		if slices.Contains(q.formulas, f) {
			return refuse("name it once", "formula %q is asked for twice", name)
		}
		q.formulas = append(q.formulas, f)
		q.order = appendNew(q.order, f.order...)
		q.metrics = appendNew(q.metrics, f.metrics...)
	}
	return nil
}

func (s *space) resolveExperiment(q *question, r *Request) error {
	var ids []string
	for _, e := range s.Experiments {
		ids = append(ids, e.ID)
	}
	switch {
	case r.Experiment != "":
		if q.experiment = s.experiment(r.Experiment); q.experiment == nil {
			return refuse("keyspace "+s.Name+" has "+list(ids), "there is no experiment %q", r.Experiment)
		}
	case len(s.Experiments) == 1:
		q.experiment = &s.Experiments[0]
	default:
		if q.experiment = s.experiment(metric.AllExperiment); q.experiment == nil {
			return refuse("take one of "+list(ids), "no experiment is given")
		}
	}
	return nil
}

func (s *space) resolveBy(q *question, r *Request) error {
	q.by = []string{byVariant}
	if r.By != nil {
		q.by = *r.By
	}
	for i, name := range q.by {
		if name != byVariant && !slices.Contains(s.Dimensions, name) {
			return refuse("take "+list(append([]string{byVariant}, s.Dimensions...)), "figures cannot be split by %q", name)
		}
		if slices.Contains(q.by[:i], name) {
			return refuse("name it once", "by has %q twice", name)
		}
	}
	return nil
}

func (s *space) resolveParams(q *question, r *Request) error {
	for name, value := range r.Params {
		used := func(p param) bool { return p.name == name && slices.Contains(q.order, p.formula) }
		if !slices.ContainsFunc(s.params, used) {
			return refuse("GET /api/v1/keyspaces lists the parameters of each formula", "no formula asked for has a parameter %q", name)
		}
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return refuse("take a finite number", "parameter %q is %v", name, value)
		}
	}
	return nil
}

func (s *space) formulaNames() (names []string) {
	for _, f := range s.formulas {
		names = append(names, f.Name)
	}
	return names
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	const most = 20
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

func clock(m int64) string { return time.Unix(m*60, 0).UTC().Format(time.RFC3339) }
