package kafka

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestTakenOnAgain: partitions that the client gives a second time are taken from
// the stage between transactions, and begin at what is committed by then.
func TestTakenOnAgain(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 40)
	stage := &ordered{newCopier("a")}
	l := testLoop(cfg, stage)
	l.cfg.CommitInterval, l.cfg.TransactionTimeout = time.Hour, 5*time.Minute // transactions end for a reason only
	stop := run(t, l)
	eventually(t, "all records", func() bool { return l.Stats().Records == 40 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	assigned, err := l.takeOn(ctx, []TopicPartition{{"in", 0}, {"in", 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range assigned {
		if a.Committed != 10 || a.Metadata != "10" || a.Start != 10 {
			t.Errorf("assigned again: %+v", a)
		}
	}
	stage.mu.Lock()
	open := false
	for _, call := range stage.order {
		if call == "batch" {
			open = true
		} else if call == "committed" {
			open = false
		} else if call == "revoke" && open {
			t.Errorf("revoked within a transaction: %v", stage.order)
		}
	}
	stage.mu.Unlock()
	feed(t, cl, 40, 80)
	eventually(t, "all records", func() bool { return l.Stats().Records == 80 })
	stop()
	copies(t, cfg, 80)
	report(t, stage.copier)
}

// TestTakeBackGivesUp: who waits for the end of a transaction waits no longer than
// the client does.
func TestTakeBackGivesUp(t *testing.T) {
	l := testLoop(Config{}, newCopier("a"))
	tp := TopicPartition{"in", 0}
	ctx, cancel := context.WithCancel(context.Background())
	l.tx, l.owned[tp] = &Tx{ctx: ctx}, &Assigned{} // a transaction that nobody ends
	done := make(chan error)
	go func() { done <- l.takeBack(ctx, []TopicPartition{tp}) }()
	eventually(t, "that it waits", l.rebalanceIsWaiting)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("takeBack: %v", err)
	}
}
