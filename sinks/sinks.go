// Package sinks says what stores have in common: what whoever writes to one
// must know of it, and how it tells what became of a write.
//
// A store has a package of its own below this one, with a writer and a reader.
package sinks

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// Traits are what a store can, and what it does to samples.
type Traits struct {
	// MaxAge is how old a sample may be, by the clock, when it is written: an older one
	// is refused by the store, or lost without a word. 0: any age.
	MaxAge time.Duration
	// Batch is how many samples one Write has at most.
	Batch int
	// MultiRead says that one request reads several stats at once.
	MultiRead bool
	// Rounds is by how much of itself a value may come back changed; 0: not at all.
	Rounds float64
	// FirstStays says that a second value for the same minute of a series is not taken.
	FirstStays bool
}

// class is what is to be done about a write that failed.
type class uint8

const (
	again   class = iota // the same write may succeed later
	smaller              // a part of the write may succeed: of one sample alone, it is that sample that the store refuses
	never                // a person must help
)

// Error tells that a store has not taken a write, or not answered a read.
type Error struct {
	Doing  string // "write", "read"
	Status int    // HTTP's; 0: there was no answer
	Text   string // the beginning of the answer, or of what went wrong
	class  class
}

// Again is an error after which the same may succeed later.
func Again(doing string, status int, text string) *Error {
	return &Error{doing, status, text, again}
}

// Smaller is an error of some sample of the write, or of its size.
func Smaller(doing string, status int, text string) *Error {
	return &Error{doing, status, text, smaller}
}

// Never is an error that only a person can mend.
func Never(doing string, status int, text string) *Error {
	return &Error{doing, status, text, never}
}

// Error says what the store has answered.
func (e *Error) Error() string {
	text := strings.TrimSpace(e.Text)
	if e.Status == 0 {
		return fmt.Sprintf("%s: %s", e.Doing, text)
	}
	return fmt.Sprintf("%s: the store answers %d: %s", e.Doing, e.Status, text)
}

// Permanent says that trying again cannot help.
func (e *Error) Permanent() bool { return e.class == never }

// Smaller says that a smaller write may succeed, and that a write of one sample
// that fails so never will.
func (e *Error) Smaller() bool { return e.class == smaller }

// Each is called with a stored value: of a series, which is the callee's to keep,
// one of metric.Stats, and the minute. An error ends the reading and is returned as
// it is.
type Each func(s *metric.Series, stat string, minute int64, v float64) error

// Millis is the time at which stores have a minute's values: its start.
func Millis(minute int64) int64 { return minute * 60_000 }

// Wanted are the stats that a selector takes.
func Wanted(sel *metric.Selector) []string {
	var out []string
	for _, stat := range metric.Stats {
		if sel.WantsStat(stat) {
			out = append(out, stat)
		}
	}
	return out
}
