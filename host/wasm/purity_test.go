package wasm

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
)

func subject(p *Pool) tck.Subject {
	return tck.Subject{Kind: p.Module().Manifest().Kind, Plan: p.Plan(), New: func(ctx context.Context) (tck.Guest, func() error, error) {
		i, err := p.Fresh(ctx)
		if err != nil {
			return nil, nil, err
		}
		return i, func() error { return p.Put(ctx, i) }, nil
	}}
}

func TestGuestsArePure(t *testing.T) {
	for _, guest := range []string{"filter", "empty", "split", "extract"} {
		t.Run(guest, func(t *testing.T) {
			p := newPool(t, compile(t, guest), "", 1)
			rows := make([]string, 200)
			for r := range rows {
				rows[r] = fmt.Sprintf(`{"n":%d,"path":"/%d","platform":"%c","img":"%0*d","price":%d}`, r, r, "wmx"[r%3], r%20, 0, r)
			}
			rows[3], rows[70] = `{}`, `{}`
			failures, err := tck.Purity(t.Context(), subject(p), batch(t, p.Module().Manifest().Kind, p.Plan(), rows...), 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range failures {
				t.Error(f)
			}
		})
	}
}

func TestImpureGuestIsFound(t *testing.T) {
	p := newPool(t, compile(t, "bad"), `"#t"`, 1)
	failures, err := tck.Purity(t.Context(), subject(p), batch(t, abi.Extract, p.Plan(), `{}`, `{}`), 3)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(failures, func(f tck.Failure) bool { return f.Check == "repeated" }) {
		t.Errorf("%v", failures)
	}
}
