package pipeline

import (
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/query"
)

func TestWritePlugins(t *testing.T) {
	at := int64(1_767_225_600_123)
	s := &Status{
		Plugins: []query.PluginStatus{{
			Name: "bots", Kind: "filter", Version: "1.0.0", Digest: "sha256:76d5f5af987bee0fa7212ab9879e67bd4afc5b58f09d6b19aed4841a3724402f",
			State: "live", Since: &at, Rows: 200, Fuel: 50_050, Traps: 1, Error: "trap: unreachable",
			Life: []query.Event{{Step: "compile", At: &at, TookMS: 130.25}, {Step: "live", At: &at, Detail: "generation 3\nand more"}},
		}},
		PastPlugins: []query.PluginStatus{{Name: "bots", State: "refused", Life: []query.Event{{Step: "refused", Detail: "fetch: no such file"}}}},
	}
	written := func(write func(*strings.Builder) error) string {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	live := "bots  filter  1.0.0    76d5f5af987b  live   2026-01-01 00:00:00  200   250.2     1\n"
	if got := written(func(b *strings.Builder) error { return WritePlugins(b, s, false) }); !strings.HasSuffix(got, "TRAPS\n"+live) {
		t.Error(got)
	}
	if got := written(func(b *strings.Builder) error { return WritePlugins(b, s, true) }); !strings.HasSuffix(got, "bots  -       -        -             refused  -                    0     -         0\n") {
		t.Error(got)
	}
	want := `bots 1.0.0, a filter, sha256:76d5f5af987bee0fa7212ab9879e67bd4afc5b58f09d6b19aed4841a3724402f: live
last error: trap: unreachable
STEP     AT                       TOOK      DETAIL
compile  2026-01-01 00:00:00.123  130.2 ms  
live     2026-01-01 00:00:00.123  -         generation 3

bots -, a plugin, -: refused
STEP     AT  TOOK  DETAIL
refused  -   -     fetch: no such file
`
	if got := written(func(b *strings.Builder) error { return WriteLives(b, s, "bots", true) }); got != want {
		t.Errorf("got:\n%s", got)
	}
	var b strings.Builder
	if err := WriteLives(&b, s, "botz", false); err == nil || !strings.Contains(err.Error(), `the host has no plugin "botz": it has bots`) {
		t.Error(err)
	}
}
