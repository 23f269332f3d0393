package snapshot

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	s := New(open(t, "file://"+dir), "shop", 1)
	i := at(10, 1)
	i.Taken = time.UnixMilli(1_700_000_000_500)
	put(t, s, i)
	h := i
	h.Handover = true
	put(t, s, h)
	if err := s.Put(t.Context(), at(20, 1), func(io.Writer) error { return errors.New("mine") }); err == nil {
		t.Fatal("no error")
	}
	list, err := s.List(t.Context(), web)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	want := `
# HELP pharos_snapshot_failures_total What failed: to write a snapshot or a handover, to delete those beyond retention, to read or list; or one that was read was broken.
# TYPE pharos_snapshot_failures_total counter
pharos_snapshot_failures_total{operation="broken"} 0
pharos_snapshot_failures_total{operation="handover"} 0
pharos_snapshot_failures_total{operation="list"} 0
pharos_snapshot_failures_total{operation="read"} 0
pharos_snapshot_failures_total{operation="retention"} 0
pharos_snapshot_failures_total{operation="write"} 1
# HELP pharos_snapshot_timestamp_seconds When the newest snapshot of the partition that this host wrote or read was taken.
# TYPE pharos_snapshot_timestamp_seconds gauge
pharos_snapshot_timestamp_seconds{partition="3",topic="pharos.web"} 1.7000000005e+09
`
	if err := testutil.CollectAndCompare(s, strings.NewReader(want), "pharos_snapshot_failures_total", "pharos_snapshot_timestamp_seconds"); err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(s.metrics.size); int64(got) != list[0].Size {
		t.Errorf("%v bytes of %d", got, list[0].Size)
	}
	if got := testutil.CollectAndCount(s, "pharos_snapshot_duration_seconds"); got != 2 {
		t.Errorf("%d durations", got)
	}
	// A host that starts from a snapshot knows its age.
	other := New(open(t, "file://"+dir), "shop", 1)
	if _, err := other.Verify(t.Context(), at(10, 1)); err != nil {
		t.Fatal(err)
	}
	if got := testutil.ToFloat64(other.metrics.taken); got != 1_700_000_000.5 {
		t.Errorf("taken %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(s.name(at(10, 1)))), []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(t.Context(), at(10, 1)); !errors.Is(err, ErrBroken) {
		t.Error(err)
	}
	if _, err := s.Verify(t.Context(), at(11, 1)); err == nil {
		t.Error("one that is missing was verified")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s.List(t.Context(), web)
	s.Verify(t.Context(), at(10, 1))
	for op, want := range map[string]float64{opBroken: 1, opRead: 1, opList: 1, opWrite: 1} {
		if got := testutil.ToFloat64(s.metrics.failures.WithLabelValues(op)); got != want {
			t.Errorf("%s: %v", op, got)
		}
	}
}
