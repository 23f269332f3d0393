package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commit ends the transaction in hand: the stage's last words, all records
// written, the offsets, the end. An error that is not fatal means that this
// client can abort it and go on. l.mu is held and no rebalance can happen.
func (l *Loop) commit(ctx context.Context) error {
	tx := l.tx
	if c, ok := l.stage.(Committer); ok {
		if err := c.BeforeCommit(ctx, tx); err != nil {
			return err
		}
	}
	tx.dirty = false
	if tx.ctx != nil && len(tx.commits) == 0 && tx.failed() == nil {
		return errors.New("the stage gave a transaction no offsets: it is the group that refuses those of a worker that is no member any more")
	}
	if tx.ctx != nil {
		if err := l.cl.Flush(tx.ctx); err != nil {
			return &fatalError{fmt.Errorf("write out the transaction: %w", err)}
		}
	}
	if err := tx.failed(); err != nil {
		return &fatalError{err}
	}
	if tx.ctx == nil {
		return nil // nothing was produced: the offsets wait
	}
	if err := l.commitOffsets(tx.ctx); isRebalance(err) {
		return fmt.Errorf("commit offsets: %w", err)
	} else if err != nil {
		// Also where the group took this worker for gone: its partitions are
		// lost, and are not assigned anew by itself.
		return &fatalError{fmt.Errorf("commit offsets: %w", err)}
	}
	if err := l.cl.EndTransaction(tx.ctx, kgo.TryCommit); err != nil {
		// Whether it was committed may be unknown now. Taking over the id ends
		// it one way or the other (settle), and then the offsets say which.
		return &fatalError{fmt.Errorf("end the transaction: %w", err)}
	}
	l.commits.Add(1)
	l.care.committed()
	tx.reset()
	if c, ok := l.stage.(AfterCommitter); ok {
		c.Committed(ctx)
	}
	return nil
}

// abortTimeout bounds an abort. What is not aborted then, the next client
// settles, or else another worker of the group, or the broker's own timeout.
func (c LoopConfig) abortTimeout() time.Duration { return min(5*time.Second, c.TransactionTimeout/2) }

// abort ends the transaction in hand without a trace, unless the broker has
// taken its commit. An error means that the client is of no more use. l.mu is
// held and no rebalance can happen.
func (l *Loop) abort(why error) error {
	l.aborts.Add(1)
	l.log.Warn("transaction aborted, its work is done again", "group", l.cfg.Group, "error", why)
	ctx, cancel := context.WithTimeout(context.Background(), l.cfg.abortTimeout())
	defer cancel()
	err := l.cl.AbortBufferedRecords(ctx)
	if err == nil {
		err = l.cl.EndTransaction(ctx, kgo.TryAbort)
	}
	if err == nil && l.tx.ctx != nil {
		// After an unanswered end, it is taking over its own id that ends the
		// transaction, and the client may have put that off.
		_, _, err = l.cl.ProducerID(ctx)
	}
	if err != nil {
		if l.tx.ctx != nil {
			id := l.txnID
			l.open.Store(&id)
		}
		return fmt.Errorf("abort after %q: %w", why, err)
	}
	l.tx.reset()
	return nil
}

// assignAgain revokes all partitions and assigns them from what is committed,
// so that the stage's state is as if the aborted transaction had never been.
// An error means that the client is of no more use. l.mu is held and no
// rebalance can happen.
func (l *Loop) assignAgain() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*l.cfg.TransactionTimeout)
	defer cancel()
	parts, taken := l.ownedParts(), maps.Clone(l.taken)
	l.revoke(parts)
	assigned, err := l.lookUp(ctx, parts)
	if err == nil {
		err = l.assign(ctx, assigned)
	}
	if err != nil {
		return fmt.Errorf("assign partitions anew: %w", err)
	}
	maps.Copy(l.taken, taken)
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, a := range assigned {
		if offsets[a.Topic] == nil {
			offsets[a.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[a.Topic][a.Partition] = kgo.EpochOffset{Epoch: -1, Offset: a.Start}
	}
	l.cl.SetOffsets(offsets)
	return nil
}

// commitOffsets adds the offsets to the transaction. A rebalance under way is
// waited for: the loop holds its partitions until it lets go, so its commit
// under the new generation is as good as under the old one. Not so where the group
// took this worker for gone: the client joins again as another member, and others
// may have had the partitions meanwhile, of which it says nothing where they are
// given to it again.
func (l *Loop) commitOffsets(ctx context.Context) error {
	id, epoch, err := l.cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = l.txnID, id, epoch, l.cfg.Group
	for {
		resp, err := add.RequestWith(ctx, l.cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) || pause(ctx) != nil {
			return err
		}
	}

	member, err := l.member()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.SessionTimeout/2)
	defer cancel()
	for {
		now, generation := l.cl.GroupMetadata()
		if now != member {
			return errGone
		}
		err := l.txnOffsetCommit(ctx, id, epoch, member, generation)
		if !errors.Is(err, kerr.RebalanceInProgress) && !errors.Is(err, kerr.IllegalGeneration) {
			return err
		}
		if pause(ctx) != nil {
			return err
		}
	}
}

// errGone says that the group has given the partitions to others, or could have.
var errGone = fmt.Errorf("the group took this worker for gone: %w", kerr.UnknownMemberID)

// member is what this worker was in the group when it took on what the transaction
// is of.
func (l *Loop) member() (string, error) {
	now, _ := l.cl.GroupMetadata()
	for tp := range l.tx.commits {
		if l.taken[tp] != now {
			return "", errGone
		}
	}
	return now, nil
}

func (l *Loop) txnOffsetCommit(ctx context.Context, id int64, epoch int16, member string, generation int32) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = l.txnID, id, epoch
	req.Group, req.MemberID, req.Generation = l.cfg.Group, member, generation
	at := map[string]int{}
	for tp, c := range l.tx.commits {
		i, ok := at[tp.Topic]
		if !ok {
			i = len(req.Topics)
			at[tp.Topic] = i
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = tp.Topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = tp.Partition, c.Offset, -1, &c.Metadata
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	resp, err := req.RequestWith(ctx, l.cl)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// isRebalance says whether the group refused the offsets because of a rebalance
// that lasted too long.
func isRebalance(err error) bool {
	return errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.RebalanceInProgress)
}

// pause waits a little before the next try.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}
