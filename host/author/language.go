// Package author has the tools of people who write plugins: it begins a project,
// builds it, tries its module and says what it costs.
package author

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
)

// language is one that there is an SDK for.
type language struct {
	name   string   // on the command line
	title  string   // for people
	marks  []string // patterns of files that show that a project is in it
	needs  string   // what builds it, and how to get it
	source string   // the plugin's source in a project, {name} stands for the name
	copies []copied // what a project is made of, beside what all have
	// replace says what stands in an example, and what stands in a project's instead.
	replace [][2]string
	native  string // runs tests that need no host; "" where there are none
	build   func(p *project) ([]command, error)
	// module finds what was built, where the commands do not put it where they are told.
	module func(p *project) (string, error)
}

// copied are files of pharos.Sources that a project takes along; {kind} and {name}
// stand for the project's.
type copied struct{ from, to string } // a file, or a folder; examples and tests in it are left out

// languages are those that there are, in the order in which help lists them.
func languages() []*language { return []*language{golang(), c(), rust(), assemblyScript(), zig()} }

// Languages are the names that New takes.
func Languages() []string {
	var names []string
	for _, l := range languages() {
		names = append(names, l.name)
	}
	return names
}

func languageOf(name string) (*language, error) {
	for _, l := range languages() {
		if l.name == name {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no SDK for the language %q: there are %s; in any other write to abi/SPEC.md", name, strings.Join(Languages(), ", "))
}

// Kinds are what New can begin. A session is an extractor that keeps cells with
// sessions and measures them when they end.
func Kinds() []string {
	return []string{string(abi.Filter), string(abi.Split), string(abi.Extract), session}
}

const session = "session"

// detect finds out in which language the project of a folder is.
func detect(dir string) (*language, error) {
	var known []string
	for _, l := range languages() {
		for _, mark := range l.marks {
			found, err := files(dir, mark)
			if err != nil {
				return nil, err
			}
			if len(found) > 0 {
				return l, nil
			}
		}
		known = append(known, l.title+" ("+strings.Join(l.marks, ", ")+")")
	}
	return nil, &NoProjectError{dir, known}
}

// NoProjectError is of a folder that has no project of a plugin.
type NoProjectError struct {
	dir   string
	known []string // languages, and by what they are known
}

// Error says what would make the folder one.
func (e *NoProjectError) Error() string {
	return fmt.Sprintf("%s is no project of a plugin, it has no files of %s: begin one with 'pharos plugin new'", e.dir, strings.Join(e.known, ", "))
}

// files are the names of the files of a folder that fit a pattern, in order.
func files(dir, pattern string) ([]string, error) {
	for _, special := range []string{`\`, "*", "?", "["} {
		dir = strings.ReplaceAll(dir, special, `\`+special)
	}
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return nil, fmt.Errorf("files of %s: %w", dir, err)
	}
	for i, path := range found {
		found[i] = filepath.Base(path)
	}
	slices.Sort(found)
	return found, nil
}
