package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/seed-6a2d649b/pharos/host/words"
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
	near := words.Nearest(word, known)
	if near == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", near)
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
