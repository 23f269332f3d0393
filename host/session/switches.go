package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// metadata is what is committed with an offset, as JSON of at most maxMetadata
// bytes.
type metadata struct {
	TopicID    string `json:"topic_id"` // hex: offsets of a topic that was made anew mean nothing
	Generation uint64 `json:"generation"`
	Watermark  int64  `json:"watermark"`
	// Within says that no dimension or attribute had more values than its limit,
	// and no session or partition more than its bound.
	Within bool `json:"within"`
	// Switches says which generation was in force where, as far back as there is
	// room: a muted replay goes by it.
	Switches switches `json:"switches"`
	// History is when the loss was accepted that the state begins with, epoch ms: a
	// snapshot of another one leads elsewhere. 0: nothing was ever lost.
	History int64 `json:"history,omitempty"`
	// Closed says that all source partitions have ended, and that the sessions
	// are handed over to the topic that takes this one's place.
	Closed bool `json:"closed,omitempty"`
}

// maxMetadata is what brokers take by default (offset.metadata.max.bytes).
const maxMetadata = 4096

// maxSwitches is how many switches are kept: each takes at most 65 bytes.
const maxSwitches = 56

// switches are the generations of a partition, from the earliest offset on that is
// remembered.
type switches []generationSwitch

// generationSwitch says that from an offset on a generation is in force, and what
// the partition's watermark was before it. As JSON it is [offset, generation,
// watermark].
type generationSwitch struct {
	offset     int64
	generation uint64
	watermark  int64 // epoch ms, or metric.NoWatermark
}

func (s generationSwitch) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[%d,%d,%d]", s.offset, s.generation, s.watermark), nil
}

func (s *generationSwitch) UnmarshalJSON(b []byte) error {
	var three []json.Number
	if err := json.Unmarshal(b, &three); err != nil {
		return err
	}
	if len(three) != 3 {
		return fmt.Errorf("a switch is an offset, a generation and a watermark, not %s", b)
	}
	for i, to := range []any{&s.offset, &s.generation, &s.watermark} {
		if err := json.Unmarshal([]byte(three[i]), to); err != nil {
			return err
		}
	}
	return nil
}

// parseMetadata reads what is committed. Offsets and generations that do not grow
// are refused.
func parseMetadata(text string) (metadata, error) {
	var m metadata
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return metadata{}, err
	}
	if len(m.Switches) == 0 {
		return metadata{}, errors.New("it does not say which generation was in force where")
	}
	for i := 1; i < len(m.Switches); i++ {
		if a, b := m.Switches[i-1], m.Switches[i]; b.offset < a.offset || b.generation <= a.generation {
			return metadata{}, fmt.Errorf("generation %d at offset %d does not follow generation %d at offset %d", b.generation, b.offset, a.generation, a.offset)
		}
	}
	if last := m.Switches[len(m.Switches)-1]; last.generation != m.Generation {
		return metadata{}, fmt.Errorf("generation %d is not that of the last switch, %d", m.Generation, last.generation)
	}
	return m, nil
}

func (m metadata) String() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // numbers and hex always encode
	}
	return string(b)
}

// from is the offset from which on it is known what was in force.
func (s switches) from() int64 { return s[0].offset }

// at is the generation of the record at an offset, not before from.
func (s switches) at(offset int64) uint64 {
	i, _ := slices.BinarySearchFunc(s, offset, func(sw generationSwitch, offset int64) int {
		if sw.offset <= offset {
			return -1
		}
		return 1
	})
	return s[i-1].generation
}

// next is the offset of the first switch behind an offset; false if there is none.
func (s switches) next(offset int64) (int64, bool) {
	for _, sw := range s {
		if sw.offset > offset {
			return sw.offset, true
		}
	}
	return 0, false
}

// held tells whether a state whose next record is the one at an offset can have
// been under a generation. Where there were switches just there, they may come
// before or after the state was taken.
func (s switches) held(offset int64, generation uint64) bool {
	first := s[0].generation
	if offset > s.from() {
		first = s.at(offset - 1)
	}
	return first <= generation && generation <= s.at(offset)
}

// add notes a switch, and forgets the earliest where there are too many.
func (s switches) add(offset int64, generation uint64, watermark int64) switches {
	s = append(s, generationSwitch{offset, generation, watermark})
	if n := len(s) - maxSwitches; n > 0 {
		s = slices.Delete(s, 0, n)
	}
	return s
}

// heard gives the first switch to a generation or a later one.
func (s switches) heard(generation uint64) (generationSwitch, bool) {
	i := slices.IndexFunc(s, func(sw generationSwitch) bool { return sw.generation >= generation })
	if i < 0 {
		return generationSwitch{}, false
	}
	return s[i], true
}
