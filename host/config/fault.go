package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file; lines and columns (in characters) count from 1.
// Column 0 is the whole line, line 0 the whole file.
type Pos struct {
	File   string
	Line   int
	Column int
}

// String is file:line:column, as far as known.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Fault is one thing that is wrong with a config.
type Fault struct {
	Pos
	Message string
}

// Error is the place and what is wrong there.
func (f Fault) Error() string { return f.Pos.String() + ": " + f.Message }

// Faults is everything that is wrong with a config, sorted by file and place.
type Faults []Fault

// Error has a line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// with adds the faults at places where there is none yet.
func (f Faults) with(more Faults) Faults {
	said := map[Pos]bool{}
	for _, one := range f {
		said[one.Pos] = true
	}
	for _, one := range more {
		if !said[one.Pos] {
			f = append(f, one)
		}
	}
	return f
}

// Within tells whether something is wrong with a value, or within it, named by
// the keys that lead to it.
func (f Faults) Within(keys ...string) bool {
	at := keyPath(keys).String()
	return slices.ContainsFunc(f, func(one Fault) bool {
		rest, found := strings.CutPrefix(one.Message, at)
		return found && (strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "."))
	})
}

// sorted drops what is said twice and sorts; files keep the order in which
// they were read.
func (f Faults) sorted(files []string) Faults {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(f)
}

// keyPath names a value by the keys that lead to it; an element of a list by
// its index from 0.
type keyPath []string

func (p keyPath) to(key string) keyPath { return append(slices.Clip(p), key) }

// String is the path as messages show it.
func (p keyPath) String() string { return strings.Join(p, ".") }

// id is the path as a map's key; keys may hold dots.
func (p keyPath) id() string { return strings.Join(p, "\x00") }

// positions are where values and the keys before them stand, by keyPath.id.
type positions map[string]place

type place struct {
	key, value Pos
	empty      bool // the key has no value
}

// find gives the place of a path, or of the nearest thing around it.
func (at positions) find(p keyPath) place {
	for {
		if found, ok := at[p.id()]; ok {
			return found
		}
		if len(p) == 0 {
			return place{}
		}
		p = p[:len(p)-1]
	}
}

// Position is where a value stands, named by the keys that lead to it (an
// element of a list by its index from 0), or where the nearest thing around it
// stands: Position("plugins", "bots", "module"). With no keys it is the start
// of the main file.
func (c *Config) Position(keys ...string) Pos { return c.at.find(keys).value }

// KeyPosition is as Position, for the key itself.
func (c *Config) KeyPosition(keys ...string) Pos { return c.at.find(keys).key }

// Faultf is a fault at a value of the config, for checks made elsewhere.
func (c *Config) Faultf(keys []string, format string, args ...any) Fault {
	return Fault{c.at.find(keys).value, keyPath(keys).saying(format, args...)}
}

// saying is what is said of a value: its path before it, but of the whole file.
func (p keyPath) saying(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	if len(p) == 0 {
		return text
	}
	return p.String() + ": " + text
}
