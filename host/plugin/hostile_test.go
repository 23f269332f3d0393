package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/metric"
)

// TestHostilePlugins: guests of host/wasm that end whenever they are asked. Each row
// is a dead letter that says who, in which build, where and why; another plugin of the
// same loader, asked beside, answers as ever.
func TestHostilePlugins(t *testing.T) {
	other := load(t, Spec{Name: "other", Module: "testdata/filter.wasm"})
	b, sel := beacons(t, other, doing("yes", "", "trap", "yes")...)
	ended := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
			}
			got, err := ask(context.Background(), other, b, sel)
			if diff := cmp.Diff([]string{"0 yes", "2 plugin other: trap", "3 yes"}, got); diff != "" || err != nil {
				t.Error(err, diff)
				return
			}
		}
	})
	for _, h := range []struct{ guest, cause, detail string }{
		{"names", "trap", "pharos_process: unreachable\n.judge_row(i32)\n.each_row(i32)\n.$8(i32) i32"},
		{"trap-process", "trap", "pharos_process: unreachable\n.$6(i32) i32"},
		{"writes-outside", "trap", "out of bounds memory access"},
		{"exits", "trap", "called proc_exit(0)"},
		{"recurse-wide", "trap", "pharos_process: stack overflow"},
		{"loop-process", "out of fuel", "pharos_process: did more work than its fuel of 100000 allows"},
		{"floods", "out of fuel", "\noutput: \x00\x00"},
		{"error-code", "error", "code -1: it does not say why"},
		{"counts-measurements", "bad output", "says it is done with 1073741824 measurements"},
		{"emits-millions", "bad output", "says it is done with 10000000 measurements"},
		{"needs-absurd", "bad output", "needs 4294967295 bytes of text"},
		{"needs-ever-more", "out of memory", "is too large for a guest"},
		{"row-beyond", "bad output", "measurement 0: row 4294967295 of 1"},
		{"route-beyond", "bad output", "route 65534"},
	} {
		t.Run(h.guest, func(t *testing.T) {
			p := load(t, Spec{Name: "bad", Module: "../../abi/testdata/hostile/" + h.guest + ".wasm", Fuel: 100_000})
			b, sel := beacons(t, p, slices.Repeat([]string{`{"n":1}`}, 3)...)
			drops, err := refused(p, b, sel)
			if err != nil || len(drops) != len(sel) {
				t.Fatalf("%d dead letters of %d: %v", len(drops), len(sel), err)
			}
			d := drops[0]
			if !strings.Contains(d.Detail, h.detail) || len(d.Detail) > maxDetail {
				t.Errorf("detail %q, want %q in it", d.Detail, h.detail)
			}
			d.Detail = ""
			if want := (beacon.Drop{Cause: beacon.Cause("plugin bad: " + h.cause), Plugin: "bad", Version: "1", Digest: p.Digest()}); d != want {
				t.Errorf("%+v, want %+v", d, want)
			}
			if s := p.Stats(); s.Guilty != uint64(len(sel)) || s.Rows != 0 || s.Last == nil || strings.ContainsAny(s.Last.Text, "\n\x00") {
				t.Errorf("%+v, the last failure %+v", s, s.Last)
			}
		})
	}
	close(ended)
	beside.Wait()
}

// refused asks a plugin of any kind, and gives what it refuses; there must be no
// other answer.
func refused(p *Plugin, b *beacon.Batch, sel []int) (drops []beacon.Drop, err error) {
	refuse := func(_ int, d beacon.Drop) { drops = append(drops, d) }
	var other error
	say := func(what string, row int) { other = errors.Join(other, fmt.Errorf("row %d: %s", row, what)) }
	ctx := context.Background()
	switch p.Kind() {
	case abi.Filter:
		err = p.Filter(ctx, b, sel, refuse)
	case abi.Split:
		err = p.Split(ctx, b, sel, func(row int, _ string) { say("a route", row) }, refuse)
	default:
		err = p.Extract(ctx, b, sel, func(m metric.Measurement) { say("a measurement", m.Row) }, func(row int) { say("a bad value", row) }, refuse)
	}
	return drops, errors.Join(err, other)
}
