package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestLogReader reads stretches of a log with an aborted transaction and
// markers in it.
func TestLogReader(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t)
	admin := newClient(t, cfg)
	if err := EnsureTopics(t.Context(), admin, Topic{Name: "log", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	cl, err := NewClient(cfg, kgo.TransactionalID("writer"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	write := func(value string, end kgo.TransactionEndTry) {
		t.Helper()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "log", Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	write("a", kgo.TryCommit) // offsets 0 to 2, marker 3
	write("b", kgo.TryAbort)  // 4 to 6, marker 7
	write("c", kgo.TryCommit) // 8 to 10, marker 11

	l := LogReader{cfg}
	read := func(from, to int64) (text string, err error) {
		err = l.Read(t.Context(), "log", 0, from, to, func(records []*kgo.Record) error {
			for _, r := range records {
				text += string(r.Value)
			}
			return nil
		})
		return text, err
	}
	for _, c := range []struct {
		from, to int64
		want     string
	}{{0, 12, "aaaccc"}, {0, 4, "aaa"}, {0, 3, "aaa"}, {1, 9, "aac"}, {2, 8, "a"}, {3, 11, "ccc"}, {5, 5, ""}, {12, 12, ""}} {
		if got, err := read(c.from, c.to); got != c.want || err != nil {
			t.Errorf("%d to %d: %q, %v, want %q", c.from, c.to, got, err, c.want)
		}
	}
	broken := errors.New("broken")
	if err := l.Read(t.Context(), "log", 0, 0, 12, func([]*kgo.Record) error { return broken }); err != broken {
		t.Error(err)
	}

	var to kadm.Offsets
	to.Add(kadm.Offset{Topic: "log", At: 2})
	if _, err := kadm.NewClient(admin).DeleteRecords(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if _, err := read(0, 12); !errors.Is(err, ErrTrimmed) {
		t.Error(err)
	}
	if got, err := read(2, 12); got != "accc" || err != nil {
		t.Error(got, err)
	}
	if b, err := l.Bounds(t.Context(), "log", 0); b != (Bounds{2, 12}) || err != nil {
		t.Error(b, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Read(ctx, "log", 0, 2, 100, func([]*kgo.Record) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
