package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// suggest names the nearest known word, or all of them where none is near and
// they are few.
func suggest(word string, known []string) string {
	if near := didYouMean(word, known); near != "" || len(known) == 0 || len(known) > 20 {
		return near
	}
	return "; known are " + strings.Join(known, ", ")
}

// didYouMean names the nearest known word, if one is near.
func didYouMean(word string, known []string) string {
	best, least := "", 1+min(2, len(word)/2)
	for _, k := range known {
		if n := distance(strings.ToLower(word), k); n < least {
			best, least = k, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to make b of a. Words are cut at 64 bytes.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// oneOf lists words as "a, b or c".
func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func isControl(r rune) bool { return unicode.IsControl(r) }

// maxName bounds names, in bytes.
const maxName = 128

// badName says what is wrong with the name of a thing, empty if nothing.
func badName(name string) string {
	switch {
	case name == "":
		return "a name is empty"
	case len(name) > maxName:
		return fmt.Sprintf("the name has more than %d bytes", maxName)
	case strings.ContainsFunc(name, isControl):
		return "the name holds a control character"
	case strings.TrimSpace(name) != name:
		return "the name begins or ends with a space"
	}
	return ""
}

// badPath says what is wrong with a path into a beacon, empty if nothing.
func badPath(path string) string {
	switch {
	case path == "":
		return "the path is empty"
	case len(path) > 256:
		return "the path has more than 256 bytes"
	case slices.Contains(strings.Split(path, "."), ""):
		return fmt.Sprintf("the path %q has an empty part between its dots", path)
	}
	return ""
}
