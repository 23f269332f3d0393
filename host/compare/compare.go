// Package compare reads two stores and says where they differ: every series and every
// minute of a range, exact to the last bit but for the rounding that a store is known
// for, which is counted apart.
package compare

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Reader is a store as a comparison sees it.
type Reader interface {
	Read(ctx context.Context, sel metric.Selector, each func(s *metric.Series, stat string, minute int64, v float64) error) error
}

// Side is one of the two.
type Side struct {
	Name   string
	Reader Reader
	Rounds float64 // by how much of itself a value may come back changed
}

// Range says what is compared.
type Range struct {
	Tenants  []string
	From, To int64 // minutes, [From, To)
}

const (
	maxHeld     = 400_000 // values of one side that are held at once
	maxExamples = 20
	firstSlice  = 60 // minutes
	maxSlice    = 24 * 60
)

// Example is a value on which the two differ.
type Example struct {
	Series *metric.Series `json:"-"`
	Figure string         `json:"figure"` // the series as JSON
	Stat   string         `json:"stat"`
	Time   time.Time      `json:"time"`
	A      *float64       `json:"a"` // nil: it is not there
	B      *float64       `json:"b"`
}

// Result is what came out.
type Result struct {
	A         string    `json:"a"`
	B         string    `json:"b"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Equal     int64     `json:"equal"`   // values that are the same
	Rounded   int64     `json:"rounded"` // that differ by a known rounding
	Different int64     `json:"different"`
	MissingA  int64     `json:"missing_a"` // in B only
	MissingB  int64     `json:"missing_b"`
	Examples  []Example `json:"examples,omitempty"` // the first of each kind
}

// Agree tells whether the two have the same values.
func (r *Result) Agree() bool { return r.Different+r.MissingA+r.MissingB == 0 }

// Run compares a range, slice of time by slice, so that what is held is bounded: a
// slice with too many values is halved, down to a minute. It tells progress after each
// with the minute up to which all is compared.
func Run(ctx context.Context, a, b Side, of Range, progress func(tenant string, through int64)) (*Result, error) {
	r := &Result{A: a.Name, B: b.Name, From: at(of.From), To: at(of.To)}
	for _, tenant := range of.Tenants {
		length := int64(firstSlice)
		for from := of.From; from < of.To; {
			to := min(of.To, from+length)
			full, err := r.slice(ctx, &a, &b, metric.Selector{Tenant: tenant, From: from, To: to}, to-from > 1)
			if err != nil {
				return nil, err
			}
			if full {
				length = max(1, (to-from)/2)
				continue
			}
			from, length = to, min(2*length, maxSlice)
			progress(tenant, to)
		}
	}
	return r, nil
}

func at(minute int64) time.Time { return time.Unix(minute*60, 0).UTC() }

// place is where a value is.
type place struct {
	series, stat string
	minute       int64
}

// held is a value of side A.
type held struct {
	series *metric.Series
	v      float64
}

// errFull ends a reading of too many values.
var errFull = fmt.Errorf("more than %d values", maxHeld)

// slice compares one slice of a tenant. It is full where the first side has more values
// than may be held and the slice can be halved.
func (r *Result) slice(ctx context.Context, a, b *Side, sel metric.Selector, divisible bool) (full bool, err error) {
	values := map[place]held{}
	var key []byte
	err = a.Reader.Read(ctx, sel, func(s *metric.Series, stat string, minute int64, v float64) error {
		if divisible && len(values) >= maxHeld {
			return errFull
		}
		key = s.AppendKey(key[:0])
		values[place{string(key), stat, minute}] = held{s, v}
		return nil
	})
	if err == errFull {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("store %s: %w", a.Name, err)
	}
	rounds := a.Rounds + b.Rounds
	err = b.Reader.Read(ctx, sel, func(s *metric.Series, stat string, minute int64, v float64) error {
		key = s.AppendKey(key[:0])
		k := place{string(key), stat, minute}
		of, ok := values[k]
		delete(values, k)
		switch {
		case !ok:
			r.MissingA++
			r.example(r.MissingA, s, k, nil, &v)
		case of.v == v:
			r.Equal++
		case math.Abs(of.v-v) <= rounds*max(math.Abs(of.v), math.Abs(v)):
			r.Rounded++
		default:
			r.Different++
			r.example(r.Different, s, k, &of.v, &v)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("store %s: %w", b.Name, err)
	}
	for _, k := range slices.SortedFunc(maps.Keys(values), func(x, y place) int { return int(x.minute - y.minute) }) {
		of := values[k]
		r.MissingB++
		r.example(r.MissingB, of.series, k, &of.v, nil)
	}
	return false, nil
}

// example keeps the first of a kind.
func (r *Result) example(n int64, s *metric.Series, k place, a, b *float64) {
	if n > maxExamples {
		return
	}
	r.Examples = append(r.Examples, Example{Series: s, Figure: string(metric.AppendSeriesJSON(nil, s)), Stat: k.stat, Time: at(k.minute), A: a, B: b})
}
