package plugin

import (
	"sync/atomic"
	"time"
)

// How time is spent on rows at which a plugin takes too long. A row of a full
// call that loops costs two and a half timeouts: the call's, a quarter, a
// sixteenth and so on of the parts that it is in, and its own.
const (
	hurryParts  = 16                    // a batch that timed out is split into
	hurryShare  = 4                     // a part has this share of the batch's time
	leastTime   = 50 * time.Millisecond // that a call has, if the timeout is not shorter
	fullProofs  = 4                     // rows of a batch that have the whole timeout before they are blamed
	laterProofs = 8                     // those after them have this share of it
)

// pace is how many rows a call of a plugin takes: so many that a slow plugin
// stays well within its timeout. The zero value is chunkRows.
type pace struct {
	less atomic.Int64 // than chunkRows
}

func (p *pace) rows() int { return chunkRows - int(p.less.Load()) }

func (p *pace) set(rows int) { p.less.Store(int64(chunkRows - min(max(rows, 1), chunkRows))) }

// timedOut takes note that a call was too large.
func (p *pace) timedOut(rows int) {
	if rows > 1 { // of one row it tells nothing
		p.set(min(p.rows(), rows/hurryParts))
	}
}

// answered takes note that a call was answered: twice as many rows may be, where
// that leaves three quarters of the time.
func (p *pace) answered(rows int, took, timeout time.Duration) {
	if took < timeout/8 && p.less.Load() > 0 {
		p.set(max(p.rows(), 2*rows))
	}
}
