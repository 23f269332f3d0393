package config

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Expr is an expression, checked by whoever evaluates it. References ${…} have
// no meaning in it.
type Expr struct {
	Text string
	node *node
}

// maxExpr bounds an expression, in bytes.
const maxExpr = 32 << 10

// IsZero tells that no expression is given.
func (e Expr) IsZero() bool { return e.Text == "" }

// String is the expression's text.
func (e Expr) String() string { return e.Text }

// At is the place in the file of a place in the expression: a line and a
// column (in characters), both from 1, as a parser of the expression counts
// them. It is the expression's own place where that is not known.
func (e Expr) At(line, column int) Pos {
	if e.node == nil {
		return Pos{}
	}
	i, places := 0, trace(e.node)
	for _, c := range e.Text {
		if line <= 1 {
			break
		}
		if c == '\n' {
			line--
		}
		i++
	}
	if i += column - 1; line != 1 || column < 1 || len(places) == 0 {
		return e.node.pos
	}
	if i < len(places) {
		return places[i]
	}
	end := places[len(places)-1] // just behind the last character
	end.Column++
	return end
}

func (e *Expr) decode(d *decoder, n *node, at keyPath) {
	if !d.want(scalar, n, at) {
		return
	}
	switch {
	case strings.TrimSpace(n.text) == "":
		d.faultAt(n.pos, at, "the expression is empty")
	case len(n.text) > maxExpr:
		d.faultAt(n.pos, at, "the expression has more than %d bytes", maxExpr)
	default:
		*e = Expr{Text: n.text, node: n}
	}
}

// trace says where each of a scalar's characters stands in the file, past
// quotes, escapes and folded lines. Nil: it could not follow them.
func trace(n *node) []Pos {
	c := cursor{lines: strings.Split(string(n.file.text), "\n"), line: n.pos.Line - 1, file: n.file.name}
	if c.line < 0 || c.line >= len(c.lines) {
		return nil
	}
	for range n.pos.Column - 1 {
		c.next()
	}
	double := n.style&yaml.DoubleQuotedStyle != 0
	single := n.style&yaml.SingleQuotedStyle != 0
	switch {
	case n.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		c.line, c.column, c.at = c.line+1, 0, 0 // the text begins below its | or >
	case double || single:
		c.next()
	}
	places := make([]Pos, 0, utf8.RuneCountInString(n.text))
	for _, want := range n.text {
		blank := want == ' ' || want == '\n' || want == '\t'
		if !blank {
			c.skipBlanks(double)
		}
		places = append(places, Pos{c.file, c.line + 1, c.column + 1})
		if blank {
			c.blank(double)
			continue
		}
		got := c.next()
		switch {
		case double && got == '\\':
			c.escape()
		case got != want:
			return nil
		case single && got == '\'':
			c.next() // a quote is written twice
		}
	}
	return places
}

// cursor walks over a file's characters.
type cursor struct {
	file   string
	lines  []string
	line   int // from 0
	column int // in characters, from 0
	at     int // in bytes
}

// peek is the character at the cursor, \n at a line's end, 0 at the file's.
func (c *cursor) peek() rune {
	if c.line >= len(c.lines) {
		return 0
	}
	rest := c.lines[c.line][c.at:]
	if rest == "" || rest == "\r" {
		return '\n'
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return r
}

// next steps over a character.
func (c *cursor) next() rune {
	r := c.peek()
	switch r {
	case 0:
	case '\n':
		c.line, c.column, c.at = c.line+1, 0, 0
	default:
		c.column, c.at = c.column+1, c.at+utf8.RuneLen(r)
	}
	return r
}

func (c *cursor) isBlank() bool {
	r := c.peek()
	return r == ' ' || r == '\n' || r == '\t'
}

// skipBlanks steps over spaces and line ends that a fold has swallowed.
func (c *cursor) skipBlanks(double bool) {
	for c.isBlank() || double && c.continued() {
		c.next()
	}
}

// continued tells of a \ at the end of a line, which joins it with the next.
func (c *cursor) continued() bool {
	return c.line < len(c.lines) && strings.TrimSuffix(c.lines[c.line][c.at:], "\r") == `\`
}

// blank steps over one blank of the text, however it is written.
func (c *cursor) blank(double bool) {
	switch {
	case double && c.peek() == '\\' && !c.continued():
		c.next()
		c.escape()
	case c.isBlank():
		c.next()
	}
}

// escape steps over what follows the \ of a double-quoted text.
func (c *cursor) escape() {
	n := map[rune]int{'x': 2, 'u': 4, 'U': 8}[c.next()]
	for range n {
		c.next()
	}
}
