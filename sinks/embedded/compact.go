package embedded

import (
	"context"
	"sync"

	"github.com/prometheus/prometheus/tsdb"
)

// compaction keeps writes and compactions apart; writers hold its read lock.
//
// The database can compact beside its writers, but is not safe to kill then: a
// compaction takes each series' chunk of late samples out of memory, the next
// late sample writes a marker of "no chunk" to the log, and a replay takes that
// marker for "all before this is in a chunk file" while the compaction that was
// to put it there never ended. Apart, the log has no such marker before the
// compaction has ended.
type compaction struct {
	sync.RWMutex
	failed bool // the last one: the late samples in memory are not all in a block
}

// span is the head's length in ms from which the database compacts it: one and
// a half of its shortest block.
const span = tsdb.DefaultBlockDuration * 3 / 2

// whenDue compacts if the head is long enough, or the last compaction failed.
func (c *compaction) whenDue(ctx context.Context, db *tsdb.DB) error {
	c.RLock()
	due := c.failed || db.Head().MaxTime()-db.Head().MinTime() > span
	c.RUnlock()
	if !due {
		return nil
	}
	c.Lock()
	defer c.Unlock()
	if c.failed {
		if err := db.CompactOOOHead(ctx); err != nil {
			return err
		}
	}
	err := db.Compact(ctx)
	c.failed = err != nil
	return err
}
