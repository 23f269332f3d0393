package beacon

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// fullSource asks for something of every kind, in each format.
func fullSource(format Format) *Source {
	if format == CLF {
		return &Source{
			Name: "log", Format: CLF, Time: path("time"), Tenant: Locator{Const: "site", IsConst: true},
			Session: path("remote", "agent"), ID: path("bytes"), Assignments: path("agent"),
			Names: map[string]Locator{"agent": path("path"), "who": path("user", "remote"), "fixed": {Const: "x", IsConst: true}},
		}
	}
	return &Source{
		Name: "site", Format: format, Time: path("ts"), Tenant: path("t"), Session: path("s", "a.b"), ID: path("id"),
		Assignments: path("exp"),
		Names: map[string]Locator{
			"agent": path("h.ua"), "hidden": path("none"), "joined": path("a", "t"), "fixed": {Const: "x", IsConst: true}, "void": {IsConst: true},
		},
	}
}

func path(paths ...string) Locator { return Locator{Paths: paths} }

var fullFields = []string{
	"$time", "$tenant", "$session", "$source", "a", "a.b", "a.b.c", "a.0", "a.1.b", "a.00", "exp", "exp.0.id", "exp.x", "h", "h.ua", "",
	"a.", "longer_than_eight", "longer_than_nine", "agent", Path("agent"), "hidden", Path("hidden"), "joined", "fixed", "void", "ts", "t", "\u00e9",
	"remote", "user", "time", "method", "path", "proto", "status", "bytes", "referer", "who", "remote.x",
}

type comparer struct {
	batch *Batch
	of    map[Format]*Projection
}

func newComparer(t testing.TB) *comparer {
	f := NewFields(fullFields...)
	c := &comparer{batch: NewBatch(f), of: map[Format]*Projection{}}
	for _, format := range []Format{JSON, Query, CLF} {
		p, err := NewProjection(fullSource(format), f)
		if err != nil {
			t.Fatal(err)
		}
		c.of[format] = p
	}
	return c
}

// compare decodes raw both ways and tells the first difference.
func (c *comparer) compare(format Format, raw []byte) error {
	p := c.of[format]
	before := bytes.Clone(raw)
	row, cause := c.batch.Add(p, raw)
	if !bytes.Equal(before, raw) {
		return fmt.Errorf("raw bytes were changed")
	}
	got, want := shape(c.batch.Row(row), cause), refDecode(p.src, fullFields, raw)
	if want.assignmentsAreSorted {
		slices.Sort(got.Assignments)
		want.assignmentsAreSorted = false
	}
	if !reflect.DeepEqual(got, want) {
		for i := range got.Values {
			if got.Values[i] != want.Values[i] {
				return fmt.Errorf("%s %q: %q is %v, want %v", format, raw, fullFields[i], got.Values[i], want.Values[i])
			}
		}
		got.Values, want.Values = nil, nil
		return fmt.Errorf("%s %q:\n got %+v\nwant %+v", format, raw, got, want)
	}
	return nil
}

// shape gives a row in the reference's form.
func shape(r *Row, cause Cause) refRow {
	s := refRow{
		Cause: cause, Time: r.Time, HasTime: r.HasTime, Tenant: string(r.Tenant), Session: string(r.Session), ID: string(r.ID),
		Values: make([]refValue, len(r.Values)),
	}
	for _, a := range r.Assignments {
		s.Assignments = append(s.Assignments, string(a.Experiment)+"="+string(a.Variant))
	}
	for i, v := range r.Values {
		s.Values[i] = refValue{v.Kind, string(v.Text)}
	}
	return s
}
