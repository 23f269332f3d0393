package kafka

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A worker that dies with an open transaction holds up all who read committed
// behind it, until the broker ends the transaction: after its timeout, and when
// the broker next looks (transaction.abort.timed.out.transaction.cleanup.interval.ms,
// 10 s by default), so up to 20 s. The other workers of its group are faster:
// each looks for transactions of the group that have been open for longer than
// a living worker keeps one, and ends them by taking over their ids.

const (
	lookEvery = 2 * time.Second // for transactions of the dead
	groupTag  = 8               // characters of a transactional id that say its group
	idRandom  = 26              // rand.Text
)

// newID returns a transactional id that nobody else has. Its end says the group.
func (c LoopConfig) newID() string {
	return c.TransactionalID + "-" + tagOf(c.Group) + rand.Text()
}

func tagOf(group string) string {
	sum := sha256.Sum256([]byte(group))
	return base32.StdEncoding.EncodeToString(sum[:])[:groupTag]
}

// isOf says whether an id was made by newID of a worker of the group.
func isOf(group, id string) bool {
	at := len(id) - groupTag - idRandom
	return at > 0 && id[at-1] == '-' && strings.HasPrefix(id[at:], tagOf(group))
}

// fenceAfter is how long a transaction is open when its worker counts as dead.
// A living one ends it after a third of the timeout and the batch in hand; if it
// is slower than that, it loses the transaction and does its work again.
func (c LoopConfig) fenceAfter() time.Duration { return c.TransactionTimeout * 6 / 10 }

// settle ends the transaction that a former client of this worker may have left
// open: it is committed or aborted then, and the committed offsets, which were
// not stable until then, say which.
func (l *Loop) settle(ctx context.Context, cl *kgo.Client) {
	id := l.open.Load()
	if id == nil {
		return
	}
	if err := fence(ctx, cl, *id, l.cfg.TransactionTimeout); err == nil {
		l.open.Store(nil)
	} else if ctx.Err() == nil {
		l.log.Warn("a transaction of this worker stays open for now", "group", l.cfg.Group, "transactional_id", *id, "error", err)
	}
}

// fenceDead ends the transaction that a former client may have left open, and
// until ctx ends those of dead workers of the group.
func (l *Loop) fenceDead(ctx context.Context, cl *kgo.Client, own string) {
	ticker := time.NewTicker(min(lookEvery, l.cfg.TransactionTimeout/5))
	defer ticker.Stop()
	for {
		l.settle(ctx, cl)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		ids, err := openLongerThan(ctx, cl, l.cfg.fenceAfter())
		if err != nil && ctx.Err() == nil {
			l.log.Debug("whether dead workers left transactions open is not known", "error", err)
		}
		for _, id := range ids {
			if id == own || !isOf(l.cfg.Group, id) {
				continue
			}
			if err := fence(ctx, cl, id, l.cfg.TransactionTimeout); err == nil {
				l.log.Warn("ended the transaction of a worker that is gone", "group", l.cfg.Group, "transactional_id", id)
			} else if ctx.Err() == nil {
				l.log.Warn("the transaction of a worker that is gone stays open until its timeout", "group", l.cfg.Group, "transactional_id", id, "error", err)
			}
		}
	}
}

// openLongerThan returns the ids of transactions that have been open for so
// long, by the clocks of the brokers, as far as they tell. Brokers before Kafka
// 3.8 can not be asked this, and are left out.
func openLongerThan(ctx context.Context, cl *kgo.Client, age time.Duration) (ids []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req := kmsg.NewPtrListTransactionsRequest()
	req.StateFilters = []string{"Ongoing"}
	req.DurationFilterMillis = age.Milliseconds()
	for _, shard := range cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			err = errors.Join(err, shard.Err)
			continue
		}
		resp := shard.Resp.(*kmsg.ListTransactionsResponse)
		if e := kerr.ErrorForCode(resp.ErrorCode); e != nil {
			err = errors.Join(err, e)
			continue
		}
		if resp.Version < 1 {
			continue // it took no notice of the age
		}
		for _, t := range resp.TransactionStates {
			ids = append(ids, t.TransactionalID)
		}
	}
	return ids, err
}

// fence takes over a transactional id: when it returns nil, a transaction of it
// that was open is aborted, one whose commit the broker had taken is committed,
// and whoever else has the id can not go on with it.
func fence(ctx context.Context, cl *kgo.Client, id string, timeout time.Duration) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = &id
	req.TransactionTimeoutMillis = int32(timeout.Milliseconds())
	req.ProducerID, req.ProducerEpoch = -1, -1
	for {
		resp, err := req.RequestWith(ctx, cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err == nil {
			return nil
		}
		// The broker is still ending the transaction, or another worker is at it,
		// or the id's coordinator moves.
		again := kerr.IsRetriable(err) || errors.Is(err, kerr.ConcurrentTransactions) || errors.Is(err, kerr.ProducerFenced) ||
			errors.Is(err, kerr.InvalidProducerEpoch)
		if !again || pause(ctx) != nil {
			return fmt.Errorf("kafka: take over the transactional id %s: %w", id, err)
		}
	}
}
