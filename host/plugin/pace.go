package plugin

import "sync/atomic"

// pace is how many rows a call of a plugin takes: so many that one that works much
// stays well within its fuel. The zero value is chunkRows. It changes no answer:
// those are of each row alone.
type pace struct {
	less atomic.Int64 // than chunkRows
}

// paceShare is the share of its rows that a plugin gets in its next call where they
// took more fuel than there is.
const paceShare = 16

func (p *pace) rows() int { return chunkRows - int(p.less.Load()) }

func (p *pace) set(rows int) { p.less.Store(int64(chunkRows - min(max(rows, 1), chunkRows))) }

// ranOut takes note that a call was too large.
func (p *pace) ranOut(rows int) {
	if rows > 1 { // of one row it tells nothing
		p.set(min(p.rows(), rows/paceShare))
	}
}

// answered takes note that a call was answered: twice as many rows may be, where
// that leaves three quarters of the fuel.
func (p *pace) answered(rows int, used, fuel uint64) {
	if used < fuel/8 && p.less.Load() > 0 {
		p.set(max(p.rows(), 2*rows))
	}
}
