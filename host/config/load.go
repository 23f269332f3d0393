package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads a config file with all that it includes, and checks it. The error
// is of type Faults unless the file can not be read; it holds everything that
// is wrong. References ${NAME} are looked up in the environment.
//
// Checks, made elsewhere, are run only on a config that is wrong already, and must
// bear that parts of it are missing: what they find is said with the rest. That of
// a place that is at fault already is left out.
func Load(path string, checks ...func(*Config, Faults) Faults) (*Config, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("read the config: %w", err)
	}
	return load(&file{name: path, dir: filepath.Dir(path), text: text}, os.LookupEnv, checks...)
}

// Files are what the config was read from: the main file, those that are included,
// and the patterns that named these.
func (c *Config) Files() (files, patterns []string) { return c.files, c.globs }

// Parse is Load for a config that is already read: name is what messages call
// it, dir what its relative paths begin at.
func Parse(name, dir string, text []byte) (*Config, error) {
	return load(&file{name: name, dir: dir, text: text}, os.LookupEnv)
}

func load(main *file, env func(string) (string, bool), checks ...func(*Config, Faults) Faults) (*Config, error) {
	l := &loader{read: map[string]bool{}}
	root := &node{kind: mapping, pos: Pos{main.name, 1, 1}, file: main}
	l.add(main, root)

	if l.broken {
		return nil, l.faults.sorted(l.files) // what can not be read is not missed
	}
	d := &decoder{parser: &l.parser, main: main, env: env, at: positions{}}
	c := &Config{Include: l.include, files: l.files, globs: l.globs, empty: l.empty, at: d.at}
	d.root(c, root)
	(&checker{Config: c, faults: &l.faults}).check()
	if len(l.faults) > 0 {
		for _, check := range checks {
			l.faults = l.faults.with(check(c, l.faults))
		}
		return nil, l.faults.sorted(l.files)
	}
	return c, nil
}

// readBounded reads a file, one byte more than MaxFileBytes at most.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	return text, errors.Join(err, f.Close())
}

// readRegular is readBounded of a file that is no pipe or device, at which a
// reader could wait for ever.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is no regular file")}
	}
	return readBounded(path)
}

// loader reads the main file and what it includes into one tree.
type loader struct {
	parser
	files   []string        // names, in the order of reading
	read    map[string]bool // absolute names
	include []string        // patterns of the main file
	globs   []string        // patterns of all files, whole
	empty   []string        // patterns that match nothing
}

// add merges a file, and the files that it includes, into root.
func (l *loader) add(f *file, root *node) {
	l.files = append(l.files, f.name)
	if abs, err := filepath.Abs(f.name); err == nil {
		l.read[abs] = true
	}
	n := l.parse(f)
	if n == nil || n.kind == null {
		return
	}
	if n.kind != mapping {
		l.fault(n.pos, "a config is a mapping of keys, not %s", n.kind)
		l.broken = true
		return
	}
	include := n.get("include")
	l.merge(root, n, nil)
	if include != nil {
		patterns := l.patterns(include.value)
		if len(l.files) == 1 {
			for _, p := range patterns {
				l.include = append(l.include, p.text)
			}
		}
		for _, name := range l.matches(f, patterns) {
			l.addFile(name, include.value.pos, root)
		}
	}
}

// patterns are the patterns of an include.
func (l *loader) patterns(n *node) (patterns []*node) {
	if n.kind != sequence && n.kind != null {
		l.fault(n.pos, "include: a list of patterns is wanted, not %s", n.kind)
	}
	for _, item := range n.items {
		if item.kind != scalar || item.text == "" {
			l.fault(item.pos, "include: a pattern is wanted")
			continue
		}
		patterns = append(patterns, item)
	}
	return patterns
}

// literal escapes what a pattern would take for its own.
var literal = strings.NewReplacer("\\", "\\\\", "*", "\\*", "?", "\\?", "[", "\\[")

// matches are the files that an include names, sorted a pattern.
func (l *loader) matches(f *file, patterns []*node) (names []string) {
	for _, item := range patterns {
		pattern := filepath.FromSlash(item.text)
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(literal.Replace(f.dir), pattern)
		}
		l.globs = append(l.globs, pattern)
		found, err := filepath.Glob(pattern)
		if err != nil {
			l.fault(item.pos, "include: %q is no pattern: %v", item.text, err)
		}
		if len(found) == 0 && err == nil {
			if strings.ContainsAny(item.text, "*?[") {
				l.empty = append(l.empty, item.text)
			} else {
				l.fault(item.pos, "include: there is no file %s", pattern)
			}
		}
		slices.Sort(found)
		names = append(names, found...)
	}
	return names
}

// addFile reads an included file, once.
func (l *loader) addFile(name string, from Pos, root *node) {
	abs, err := filepath.Abs(name)
	if err != nil || l.read[abs] {
		return
	}
	if len(l.files) >= MaxFiles {
		l.fault(from, "include: more than %d files", MaxFiles)
		l.read[abs] = true
		return
	}
	text, err := readRegular(name)
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		l.read[abs] = true
		l.fault(from, "include: %s can not be read: %v", name, err)
		return
	}
	l.add(&file{name: name, dir: filepath.Dir(name), text: text}, root)
}

// merge lays the mapping from over the mapping into; what both give is a
// fault unless both are mappings.
func (l *loader) merge(into, from *node, at keyPath) {
	for _, e := range from.entries {
		here := at.to(e.key)
		if len(at) == 0 && e.key == "include" {
			continue // each file has its own
		}
		have := into.get(e.key)
		switch {
		case have == nil:
			into.entries = append(into.entries, e)
		case e.value.kind == null:
		case have.value.kind == null:
			*have = e
		case have.value.kind == mapping && e.value.kind == mapping:
			l.merge(have.value, e.value, here)
		default:
			l.fault(e.pos, "%s is set twice, first at %s; files that include each other set a value once", here, have.pos)
		}
	}
}
