// Package query answers what a chart asks: formulas over the figures of one
// tenant, read from its store in one fetch, with the minutes that are not in
// the store yet laid over from the metrics topic.
//
// A keyspace names metrics (selectors over figures) and formulas (expressions
// over metrics and other formulas). Figures are summed exactly over dimensions
// and over the minutes of a bucket first, and formulas are computed from those
// sums.
package query

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Keyspace is one tenant's view: names for figures, formulas over them, and
// the store that holds what is final.
type Keyspace struct {
	Name        string
	Tenant      string
	Store       Reader
	Timezone    string // IANA name; empty is UTC
	Metrics     []Metric
	Formulas    []Formula // in the order in which they are shown
	Experiments []Experiment
	Dimensions  []string // the tenant's, by which figures can be split
}

// Metric selects the figures of one point and one stat.
type Metric struct {
	Name  string
	Point string
	Stat  string // hits, sum, sessions or sumsq
	// Dims keeps only series whose dimensions have these values.
	Dims map[string]string
	// Attributes selects what is booked under the point with attributes, where
	// each of these has this value. Empty selects what is booked under the
	// point itself. Sessions of several tuples of attributes overlap.
	Attributes map[string]string
}

// Formula is an expression over metrics, other formulas and its own
// parameters, and how a chart shows it.
type Formula struct {
	Name        string
	Expr        string
	Title       string // empty: the name
	Description string
	Format      string // number (default), percent, currency, duration (the value is seconds)
	Currency    string // ISO 4217, with format currency
	Better      string // up, down or empty
	Params      map[string]float64
}

// Experiment is what clients may ask for, with its variants in order; the
// first is the one that others are compared with.
type Experiment struct {
	ID       string
	Variants []string
}

// FormulaError is a fault in the expression of a formula.
type FormulaError struct {
	Keyspace, Formula string
	Line, Column      int // within the expression, from 1, in characters
	Message           string
}

// Error gives the place and what is wrong.
func (e *FormulaError) Error() string {
	return fmt.Sprintf("keyspace %s: formula %s: %d:%d: %s", e.Keyspace, e.Formula, e.Line, e.Column, e.Message)
}

// Keyspaces is a compiled set of keyspaces. It does not change.
type Keyspaces struct {
	list   []*space
	byName map[string]*space
}

// space is a compiled keyspace. The variables of its formulas are numbered:
// metrics, then formulas, then parameters.
type space struct {
	Keyspace
	location *time.Location
	formulas []*formula // as Keyspace.Formulas
	params   []param
	vars     int
}

type formula struct {
	Formula
	slot    int
	eval    number
	uses    []int // slots
	metrics []int // indices of the metrics needed, through other formulas too; ascending
	order   []int // indices of the formulas to compute, in this order, the formula itself last
}

type param struct {
	formula int
	name    string
	value   float64
	slot    int
}

const (
	maxName = 128
	maxExpr = 4096
)

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Compile checks keyspaces and compiles their formulas. Its error joins every
// fault; those of expressions are *FormulaError.
func Compile(keyspaces []Keyspace) (*Keyspaces, error) {
	k := &Keyspaces{byName: map[string]*space{}}
	var faults []error
	for i := range keyspaces {
		s, errs := compileSpace(&keyspaces[i])
		faults = append(faults, errs...)
		if k.byName[s.Name] != nil {
			faults = append(faults, fmt.Errorf("keyspace %s: there are two of that name", s.Name))
		}
		k.list = append(k.list, s)
		k.byName[s.Name] = s
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return k, nil
}

func compileSpace(k *Keyspace) (*space, []error) {
	s := &space{Keyspace: *k}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("keyspace %s: %w", k.Name, fmt.Errorf(format, args...)))
	}
	if k.Name == "" || len(k.Name) > maxName || strings.ContainsAny(k.Name, "/?#%") {
		fault("its name stands in URLs: give it 1 to %d characters without / ? # %%", maxName)
	}
	if k.Tenant == "" {
		fault("it has no tenant")
	}
	if k.Store == nil {
		fault("it has no store")
	}
	var err error
	if s.location, err = time.LoadLocation(k.Timezone); err != nil {
		fault("timezone %q is not an IANA name such as America/Chicago: %w", k.Timezone, err)
		s.location = time.UTC
	}
	names := map[string]int{} // name -> slot
	claim := func(what, name string, slot int) {
		switch {
		case !identifier.MatchString(name) || len(name) > maxName:
			fault("%s %q: a name in formulas is letters, digits and _, and does not begin with a digit", what, name)
		case reserved[name]:
			fault("%s %q: expressions use that word for something else", what, name)
		default:
			if _, twice := names[name]; twice {
				fault("%s %q: metrics and formulas share their names; there is another %q", what, name, name)
			}
		}
		names[name] = slot
	}
	for i, m := range k.Metrics {
		claim("metric", m.Name, i)
		if m.Point == "" {
			fault("metric %s: it names no point", m.Name)
		}
		if _, known := decimalsOf(m.Stat, m.Point); !known {
			fault("metric %s: stat %q is none of hits, sum, sessions, sumsq", m.Name, m.Stat)
		}
	}
	for i := range k.Formulas {
		f := &formula{Formula: k.Formulas[i], slot: len(k.Metrics) + i}
		claim("formula", f.Name, f.slot)
		if f.Title == "" {
			f.Title = f.Name
		}
		if f.Format == "" {
			f.Format = "number"
		}
		for _, err := range checkMeta(&f.Formula) {
			fault("formula %s: %w", f.Name, err)
		}
		s.formulas = append(s.formulas, f)
	}
	s.vars = len(k.Metrics) + len(k.Formulas)
	for i, f := range s.formulas {
		errs := s.compileFormula(i, f, names)
		faults = append(faults, errs...)
	}
	if len(faults) == 0 {
		faults = append(faults, s.link()...)
	}
	return s, faults
}

func checkMeta(f *Formula) (faults []error) {
	if !slices.Contains([]string{"number", "percent", "currency", "duration"}, f.Format) {
		faults = append(faults, fmt.Errorf("format %q is none of number, percent, currency, duration", f.Format))
	}
	if f.Format == "currency" && !regexp.MustCompile(`^[A-Z]{3}$`).MatchString(f.Currency) {
		faults = append(faults, fmt.Errorf("currency %q is no ISO 4217 code such as USD", f.Currency))
	}
	if f.Format != "currency" && f.Currency != "" {
		faults = append(faults, fmt.Errorf("a currency is given, but the format is %s: say format: currency", f.Format))
	}
	if !slices.Contains([]string{"", "up", "down"}, f.Better) {
		faults = append(faults, fmt.Errorf("better %q is neither up nor down", f.Better))
	}
	return faults
}

// compileFormula compiles one expression; the names it may use are those of
// metrics and formulas, and its own parameters.
func (s *space) compileFormula(index int, f *formula, names map[string]int) (faults []error) {
	own := map[string]int{}
	for name, slot := range names {
		own[name] = slot
	}
	for _, name := range sortedKeys(f.Params) {
		value := f.Params[name]
		switch _, taken := names[name]; {
		case !identifier.MatchString(name) || len(name) > maxName || reserved[name]:
			faults = append(faults, fmt.Errorf("keyspace %s: formula %s: parameter %q is no usable name: take letters, digits and _", s.Name, f.Name, name))
		case taken:
			faults = append(faults, fmt.Errorf("keyspace %s: formula %s: parameter %q has the name of a metric or formula", s.Name, f.Name, name))
		case math.IsNaN(value) || math.IsInf(value, 0):
			faults = append(faults, fmt.Errorf("keyspace %s: formula %s: parameter %q has no finite default", s.Name, f.Name, name))
		}
		s.params = append(s.params, param{formula: index, name: name, value: value, slot: s.vars})
		own[name] = s.vars
		s.vars++
	}
	eval, uses, err := compileExpr(f.Expr, own)
	if err != nil {
		err.Keyspace, err.Formula = s.Name, f.Name
		return append(faults, err)
	}
	f.eval, f.uses = eval, uses
	return faults
}

// decimalsOf says in which power of ten a stat is an integer, and whether
// there is such a stat. A pair's sum ("a*b") is a product of two sums.
func decimalsOf(stat, point string) (decimals int, known bool) {
	switch stat {
	case metric.StatHits, metric.StatSessions:
		return 0, true
	case metric.StatSum:
		if strings.Contains(point, "*") {
			return 12, true
		}
		return 6, true
	case metric.StatSumSq:
		return 12, true
	}
	return 0, false
}

// experiment finds an experiment by its id.
func (s *space) experiment(id string) *Experiment {
	for i := range s.Experiments {
		if s.Experiments[i].ID == id {
			return &s.Experiments[i]
		}
	}
	return nil
}

func (s *space) formula(name string) *formula {
	for _, f := range s.formulas {
		if f.Name == name {
			return f
		}
	}
	return nil
}
