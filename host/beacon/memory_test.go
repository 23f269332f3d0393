package beacon

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

// TestMemory holds rows of a growing batch against copies, and used memory
// against fresh.
func TestMemory(t *testing.T) {
	c := newComparer(t)
	for round := range 3 {
		var want []refRow
		c.batch.Reset()
		for i := range 3000 {
			format := []Format{JSON, Query}[i%2]
			raw := fmt.Appendf(nil, `{"t":"t\u0041%d","a":{"b":"%d\n"},"exp":{"e":"v%d"},"s":"x"}`, i, i, i)
			if format == Query {
				raw = fmt.Appendf(nil, `t=t%%41%d&a={"b":"%d%%5Cn"}&exp={"e":"v%d"}&s=x`, i, i, i)
			}
			if (i+round)%7 == 0 {
				raw = append(raw, "}%"...)
			}
			row, cause := c.batch.Add(c.of[format], raw)
			if row != i {
				t.Fatalf("row %d is %d", i, row)
			}
			want = append(want, shape(c.batch.Row(row), cause))
			if cause == "" && want[i].Tenant != fmt.Sprintf("tA%d", i) {
				t.Fatalf("tenant %q", want[i].Tenant)
			}
		}
		for i := range want {
			if got := shape(c.batch.Row(i), want[i].Cause); fmt.Sprint(got) != fmt.Sprint(want[i]) {
				t.Fatalf("row %d changed: %v, was %v", i, got, want[i])
			}
		}
	}
}

func TestNoGarbage(t *testing.T) {
	for _, c := range []struct {
		src    *Source
		fields []string
		lines  [][]byte
	}{
		{shopSource, shopFields, assignedLines()},
		{&Source{Format: Query, Time: path("ts"), Tenant: path("tenant"), Session: path("sid", "visitor"), Assignments: path("exp")}, []string{"product.id", "product", "$time"}, queryLines()},
		{logSource, logFields, [][]byte{madeUp(CLF, 1), madeUp(CLF, 2)}},
		{shopSource, shopFields, [][]byte{[]byte(`{"type":"\u0061","type":"\ud800b","exp":{"\u0065":"v","f":"w"}}`), []byte(`{"x`), []byte("\xff")}},
	} {
		p, b := projection(t, c.src, c.fields...)
		var dst abi.Batch
		var columns []abi.Field
		for _, name := range c.fields {
			columns = append(columns, abi.Field{Name: name, Type: abi.Str, Dict: true}, abi.Field{Name: name, Type: abi.F64}, abi.Field{Name: name, Type: abi.Any})
		}
		var sel []int
		run := func() {
			b.Reset()
			sel = sel[:0]
			for i := range 400 {
				row, _ := b.Add(p, c.lines[i%len(c.lines)])
				sel = append(sel, row)
			}
			b.Columns(columns, sel, &dst)
		}
		for range 10 {
			run()
		}
		if n := testing.AllocsPerRun(5, run); n > 0 {
			t.Errorf("%s: %v allocations in 400 beacons", c.src.Format, n)
		}
	}
}

// TestRealFiles compares decoder and reference on the data that the project is
// tried with, and says how many of its lines can be counted.
func TestRealFiles(t *testing.T) {
	query := *shopSource
	query.Format = Query
	for _, c := range []struct {
		file     string
		src      *Source
		fields   []string
		notValid int
	}{
		{"shop.ndjson", shopSource, append([]string{"product", "product.category", "$time", "$source"}, shopFields...), 0},
		{"apache-access.log.gz", logSource, append([]string{"remote", "user", "method", "proto", "bytes", "referer"}, logFields...), 1},
		{"no such file", &query, shopFields, 0},
	} {
		all, real := lines(t, c.file, c.src.Format)
		p, b := projection(t, c.src, c.fields...)
		bad := 0
		for _, l := range all {
			i, cause := b.Add(p, l)
			got, want := shape(b.Row(i), cause), refDecode(c.src, c.fields, l)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: %s\n got %v\nwant %v", c.file, l, got, want)
			}
			if r := b.Row(i); cause != "" || !r.HasTime || len(r.Session) == 0 || len(r.Tenant) == 0 {
				bad++
			}
		}
		if real && bad != c.notValid {
			t.Errorf("%s: %d lines cannot be counted, want %d", c.file, bad, c.notValid)
		}
	}
}

// TestHostile takes texts that a scanner which looks twice would be slow on.
func TestHostile(t *testing.T) {
	const n = 1 << 17
	var experiments bytes.Buffer
	for i := range 40000 {
		fmt.Fprintf(&experiments, `"%d":"v",`, i)
	}
	for _, c := range []struct {
		format Format
		raw    string
	}{
		{JSON, `{"a":"` + strings.Repeat(`\n`, n) + `"}`},
		{JSON, `{"ts":0.` + strings.Repeat("0", n) + `1e` + fmt.Sprint(n+13) + `}`},
		{JSON, `{"ts":1e` + strings.Repeat("9", n) + `}`},
		{JSON, `{"exp":{` + experiments.String() + `"x":"v"}}`},
		{JSON, `{"exp":[` + strings.Repeat("{},", n) + `1]}`},
		{JSON, `{` + strings.Repeat(`"a":{},`, n/4) + `"a":1}`},
		{Query, strings.Repeat("&", n)},
		{Query, "a=" + strings.Repeat("%22", n)},
		{Query, strings.Repeat("a={&", n/2)},
		{CLF, `h - - [x] "` + strings.Repeat(`\"`, n) + `" 1 2`},
		{CLF, `h - - [x] "` + strings.Repeat(`\a`, n) + `" 1 2`},
	} {
		src := fullSource(c.format)
		fields := []string{"a", "a.b", "path", "ts"}
		p, b := projection(t, src, fields...)
		i, cause := b.Add(p, []byte(c.raw))
		got, want := shape(b.Row(i), cause), refDecode(src, fields, []byte(c.raw))
		slices.Sort(got.Assignments)
		want.assignmentsAreSorted = false
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s %.40s…: %.200v, want %.200v", c.format, c.raw, got, want)
		}
	}
}
