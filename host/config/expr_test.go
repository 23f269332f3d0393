package config

import (
	"strings"
	"testing"
)

// TestExprAt marks the wanted place of the letter X in the file, however YAML
// writes the expression, and compares it with where At finds the X of the text.
func TestExprAt(t *testing.T) {
	for _, text := range []string{
		"when: a == X",
		"when: 'a == X'",
		"when: \"a == X\"",
		"when: 'it''s ''a'' + X'",
		"{k: 1, when: 'ü == X', z: [1]}",
		`when: "\"a\" \\ \x41 ü \u00fc + X"`,
		`when: "a\tb\nc X"`,
		"when: |\n  a ==\n    b &&\n  X\n",
		"when: |2-\n   a ==\n  X\n",
		"when: >\n  a ==\n  b &&\n\n  c + X\n",
		"when: a ==\n  b &&\n  X",
		"when: 'a ==\n\n   b &&\n  X'",
		"when: \"a == \\\n   b &&\n  X\"",
		"when: \"a\\\n   b\\ \\\n  X\"",
		"when: 'a X'\r\nb: 1",
		"# ${A}\nwhen: 'x == \"${b}\" && X'",
	} {
		t.Run(text, func(t *testing.T) {
			p := &parser{}
			n := p.parse(&file{name: "f", text: []byte(text)})
			if n == nil || len(p.faults) > 0 {
				t.Fatal(p.faults)
			}
			value := n.get("when").value
			e := Expr{Text: value.text, node: value}

			head := text[:strings.IndexByte(text, 'X')]
			want := Pos{"f", strings.Count(head, "\n") + 1, len([]rune(head[strings.LastIndexByte(head, '\n')+1:])) + 1}
			inside := e.Text[:strings.IndexByte(e.Text, 'X')]
			line, column := strings.Count(inside, "\n")+1, len([]rune(inside[strings.LastIndexByte(inside, '\n')+1:]))+1
			if got := e.At(line, column); got != want {
				t.Errorf("%q at %d:%d: got %s, want %s", e.Text, line, column, got, want)
			}
		})
	}
}

func TestExprAtElsewhere(t *testing.T) {
	p := &parser{}
	n := p.parse(&file{name: "f", text: []byte("a: &x 'b + c'\nwhen: *x\nother: 'ab'\n")})
	e := Expr{Text: "b + c", node: n.get("when").value}
	if got := e.At(1, 3); got.File != "f" || got.Line != 1 {
		t.Errorf("an alias: %s", got)
	}
	e = Expr{Text: "ab", node: n.get("other").value}
	for _, c := range []struct{ line, column, want int }{{1, 1, 9}, {1, 2, 10}, {1, 3, 11}, {1, 99, 11}, {1, 0, 8}, {9, 1, 8}, {0, 1, 8}, {-1, -5, 8}} {
		if got := e.At(c.line, c.column); got.Line != 3 || got.Column != c.want {
			t.Errorf("%d:%d: got %s, want 3:%d", c.line, c.column, got, c.want)
		}
	}
	if got := (Expr{}).At(1, 1); got != (Pos{}) {
		t.Errorf("nothing: %s", got)
	}
}
