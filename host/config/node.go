package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a config.
const (
	MaxFileBytes = 4 << 20 // of one file
	MaxFiles     = 1000    // included ones counted
	MaxDepth     = 64      // of nesting, aliases followed
	MaxNodes     = 500_000 // values of all files, aliases followed
)

type kind uint8

const (
	null kind = iota
	scalar
	sequence
	mapping
)

func (k kind) String() string {
	return [...]string{"nothing", "a single value", "a list", "a mapping"}[k]
}

// file is a file of the config.
type file struct {
	name string // as messages show it
	dir  string // that its relative paths begin at
	text []byte
}

// node is a value of a file, aliases followed.
type node struct {
	kind    kind
	pos     Pos
	file    *file
	text    string // scalar
	tag     string // scalar: the short tag that YAML resolves it to
	style   yaml.Style
	entries []entry // mapping
	items   []*node // sequence
}

type entry struct {
	key   string
	pos   Pos
	value *node
}

func (n *node) get(key string) *entry {
	for i := range n.entries {
		if n.entries[i].key == key {
			return &n.entries[i]
		}
	}
	return nil
}

// YAML ends an unquoted value at a brace where it stands between braces
// itself, as in {password: ${NAME}}. So the braces of a reference are hidden
// from the parser behind two characters of private use, which keep columns.
const (
	hiddenOpen  = '\uE000'
	hiddenClose = '\uE001'
)

var (
	written = regexp.MustCompile(`\$\{([^{}\r\n]*)\}`)
	hidden  = regexp.MustCompile(`[\x{E000}\x{E001}]|\\(?:u|U0000)[eE]00[01]`)
	shown   = strings.NewReplacer(string(hiddenOpen), "{", string(hiddenClose), "}")
)

// parser turns files into nodes and gathers what is wrong with them.
type parser struct {
	faults Faults
	nodes  int
	broken bool // a file could not be read to its end
}

func (p *parser) fault(pos Pos, format string, args ...any) {
	p.faults = append(p.faults, Fault{pos, fmt.Sprintf(format, args...)})
}

// parse gives the root of a file, nil where there is none.
func (p *parser) parse(f *file) (n *node) {
	top := Pos{File: f.name}
	before := len(p.faults)
	defer func() { p.broken = p.broken || n == nil && len(p.faults) > before }()
	switch {
	case len(f.text) > MaxFileBytes:
		p.fault(top, "the file has more than %d bytes; split it by include", MaxFileBytes)
		return nil
	case !utf8.Valid(f.text):
		p.fault(top, "the file is not UTF-8")
		return nil
	case hidden.Match(f.text):
		p.fault(top, "the file holds a character of private use, U+E000 or U+E001; take it out")
		return nil
	}
	text := written.ReplaceAll(f.text, []byte("$$"+string(hiddenOpen)+"${1}"+string(hiddenClose)))
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			p.syntax(f, err)
		}
		return nil
	}
	var more yaml.Node
	switch err := d.Decode(&more); {
	case err == nil:
		p.fault(Pos{f.name, more.Line, more.Column}, "a second document; a config is one, join them or use include")
	case !errors.Is(err, io.EOF):
		p.syntax(f, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil
	}
	return p.node(f, doc.Content[0], 0)
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// syntax reports what the YAML parser says, which knows the line only.
func (p *parser) syntax(f *file, err error) {
	text := shown.Replace(err.Error())
	pos := Pos{File: f.name}
	m := yamlLine.FindStringSubmatch(text)
	if m[1] != "" {
		pos.Line, _ = strconv.Atoi(m[1])
	}
	p.fault(pos, "not YAML: %s", text[len(m[0]):])
}

func (p *parser) node(f *file, y *yaml.Node, depth int) *node {
	n := &node{pos: Pos{f.name, y.Line, y.Column}, file: f, style: y.Style}
	p.nodes++
	if depth > MaxDepth {
		p.fault(n.pos, "nested deeper than %d, or an alias inside its own anchor", MaxDepth)
		return n
	}
	if p.nodes > MaxNodes {
		if p.nodes == MaxNodes+1 {
			p.fault(n.pos, "more than %d values, aliases followed", MaxNodes)
		}
		p.broken = true
		return n
	}
	tag := y.ShortTag()
	if y.Kind != yaml.AliasNode && (y.Style&yaml.TaggedStyle != 0 || !strings.HasPrefix(tag, "!!")) {
		p.fault(n.pos, "tags such as %s have no meaning here, leave it out", y.Tag)
	}
	switch y.Kind {
	case yaml.AliasNode:
		return p.node(f, y.Alias, depth+1)
	case yaml.ScalarNode:
		n.kind, n.text, n.tag = scalar, shown.Replace(y.Value), tag
		if tag == "!!null" {
			n.kind = null
		}
	case yaml.SequenceNode:
		n.kind = sequence
		for _, item := range y.Content {
			if p.nodes > MaxNodes {
				break
			}
			n.items = append(n.items, p.node(f, item, depth+1))
		}
	case yaml.MappingNode:
		n.kind = mapping
		seen := make(map[string]Pos, len(y.Content)/2)
		for i := 0; i+1 < len(y.Content) && p.nodes <= MaxNodes; i += 2 {
			p.entry(f, n, seen, y.Content[i], y.Content[i+1], depth)
		}
	}
	return n
}

func (p *parser) entry(f *file, n *node, seen map[string]Pos, key, value *yaml.Node, depth int) {
	pos := Pos{f.name, key.Line, key.Column}
	for key.Kind == yaml.AliasNode {
		key = key.Alias
	}
	text := shown.Replace(key.Value)
	switch {
	case key.Kind != yaml.ScalarNode:
		p.fault(pos, "a key is %s, not a word", map[yaml.Kind]string{yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}[key.Kind])
		return
	case key.ShortTag() == "!!merge":
		p.fault(pos, "merge keys (<<) are not taken; write the keys out, or use an alias for a whole value")
		return
	case text == "":
		p.fault(pos, "a key is empty")
		return
	}
	if first, dup := seen[text]; dup {
		p.fault(pos, "%q is given twice, first at %s", text, first)
		return
	}
	seen[text] = pos
	n.entries = append(n.entries, entry{text, pos, p.node(f, value, depth+1)})
}
