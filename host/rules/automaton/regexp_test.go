package automaton

import (
	"bufio"
	"compress/bzip2"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// compare fails where an automaton and package regexp differ on a text.
func compare(t interface {
	Helper()
	Errorf(string, ...any)
}, pattern string, d *DFA, re *regexp.Regexp, text string) {
	t.Helper()
	if got, want := d.Match(text), re.MatchString(text); got != want {
		t.Errorf("%q of %q: %v, but package regexp says %v", pattern, text, got, want)
	}
}

func TestRegexpMatches(t *testing.T) {
	texts := []string{
		"", "a", "b", "ab", "ba", "aab", "abc", "A", "K", "k", "\u212A", "ſ", "s", "S",
		"\n", "a\n", "\na", "a\nb", "\n\n", "a b", " a", "a ", "_", "1", "a1", "-a-",
		"é", "aé", "éa", "é é", "日本", "日", "\u007f", "\u0080", "\u07ff", "\u0800",
		"\ud7ff", "\ue000", "\ufffd", "\uffff", "\U00010000", "\U0010ffff", "a\U0010ffffb", "Straße", "STRASSE",
		"Googlebot/2.1", "some robot", "Mozilla/5.0 (Linux; Android 10)",
	}
	for _, pattern := range []string{
		``, `a`, `^`, `$`, `^$`, `\A`, `\z`, `^a`, `a$`, `^a$`, `a|b`, `(a|b)*`, `^(a|b)*$`, `a*`, `a+`, `a?b`,
		`(?m)^a`, `(?m)a$`, `(?m)^$`, `(?m)^`, `(?m)$`, `(?s).`, `.`, `^.$`, `(?s)^.$`, `a.b`, `(?s)a.b`, `^.*$`, `(?s)^.*$`,
		`\b`, `\B`, `\ba`, `a\b`, `\Ba`, `a\B`, `\b\b`, `\b\B`, `^\b`, `^\B`, `\b$`, `\B$`, `a\b.`, `.\bé`, `é\B`, `\Bé\B`,
		`(?i)k`, `(?i)s`, `(?i)straße`, `(?i)bot`, `[^a]`, `^[^a]$`, `[\x{80}-\x{7ff}]`, `^[\x{800}-\x{ffff}]$`, `[\x{10000}-\x{10ffff}]`,
		`\pL`, `^\pL+$`, `^\PL+$`, `\p{Han}`, `^[[:word:]]+$`, `\d{1,3}`, `^.{2}$`, `^.{1,2}$`, `[^\x00-\x{10FFFF}]`, `^(?:$|a)`,
		`a{0}`, `(?:a{2}){2}|b`, `(|a)+`, `(a|)+b`, `x*$`, `(?m)(^|a)b`, `\ba\b|\Bé`, `(?:\b|a)b`, `\x{fffd}`, `\Qa.b\E`, `\pN|\s`,
		`(?i)(googlebot|bingbot|robot|crawler|spider)`, `Android \d+`, `(?U)a+b`, `\C?`,
	} {
		re, err := regexp.Compile(pattern)
		if err != nil {
			if _, err := Regexp(pattern); err == nil {
				t.Errorf("%q is taken, and package regexp refuses it", pattern)
			}
			continue
		}
		d, err := Regexp(pattern)
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
			continue
		}
		for _, text := range texts {
			compare(t, pattern, d, re, text)
		}
	}
}

// FuzzRegexp looks for a pattern and a text of which the automaton says other
// than package regexp.
func FuzzRegexp(f *testing.F) {
	f.Add(`^a|\bé`, "aé\n")
	f.Add(`(?i)[k-s]{2,3}$`, "\u212Aſ")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		d, err := Regexp(pattern)
		if err != nil {
			return
		}
		d.Match(text) // of any bytes it says something
		compare(t, pattern, d, regexp.MustCompile(pattern), strings.ToValidUTF8(text, "é"))
	})
}

// pieces of patterns, with a blank where another piece goes.
var pieces = []string{
	"a", "b", "ab", "_", "é", "日", "\U00010000", ".", "(?s:.)", "[ab]", "[^a]", "[^é]", "[a-é]", "[\\x{7f}-\\x{800}]", "[\\x{d000}-\\x{f000}]",
	"[\\x{ffff}-\\x{10000}]", "\\x{10ffff}", "\\pL", "\\d", "\\w", "\\W", "\\s", "^", "$", "\\A", "\\z", "\\b", "\\B", "(?m:^)", "(?m:$)", "\\n", "(?i:k)", "(?i:ß)", "",
}

func drawPattern(t *rapid.T, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom(pieces).Draw(t, "piece")
	}
	inner := drawPattern(t, depth-1)
	switch rapid.IntRange(0, 7).Draw(t, "op") {
	case 0:
		return "(?:" + inner + ")" + rapid.SampledFrom([]string{"*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"}).Draw(t, "repeat")
	case 1:
		return "(?:" + inner + "|" + drawPattern(t, depth-1) + ")"
	case 2:
		return "(?i:" + inner + ")"
	case 3:
		return "(" + inner + ")"
	default:
		return inner + drawPattern(t, depth-1)
	}
}

var textPieces = []rune{
	'a', 'b', 'k', 'A', 'K', '_', '0', ' ', '-', '\n', 'é', 'ß', '日', 'ſ', '\u212A', 0,
	0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF,
}

func TestRegexpIsThatOfPackageRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := drawPattern(t, rapid.IntRange(0, 4).Draw(t, "depth"))
		d, err := Regexp(pattern)
		if err != nil {
			t.Skip(err)
		}
		re := regexp.MustCompile(pattern)
		for range 20 {
			compare(t, pattern, d, re, string(rapid.SliceOfN(rapid.SampledFrom(textPieces), 0, 6).Draw(t, "text")))
		}
	})
}

// TestRegexpOnThePackagesOwnCases takes the patterns and texts by which package
// regexp is tested, of the Go tree that runs the test.
func TestRegexpOnThePackagesOwnCases(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "src/regexp/testdata")
	search, err := os.Open(filepath.Join(folder, "re2-search.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	if n := compareFile(t, search); n < 1500 {
		t.Errorf("%d comparisons in re2-search.txt", n)
	}
	all, err := os.Open(filepath.Join(folder, "re2-exhaustive.txt.bz2"))
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if n := compareFile(t, io.LimitReader(bzip2.NewReader(all), *exhaustive)); n < 10_000 {
		t.Errorf("%d comparisons in re2-exhaustive.txt", n)
	}
}

var exhaustive = flag.Int64("exhaustive", 1<<20, "bytes of re2-exhaustive.txt, of 64,498,725, to take cases from")

// compareFile compares on the patterns of a file in the form of RE2's tests:
// sections of texts to look at, and of patterns with expected results, which
// are not used. It gives the number of comparisons.
func compareFile(t *testing.T, file io.Reader) (compared int) {
	t.Helper()
	var texts []string
	inTexts := false
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == "strings":
			texts, inTexts = nil, true
		case line == "regexps":
			inTexts = false
		case !strings.HasPrefix(line, `"`):
		default:
			quoted, err := strconv.Unquote(line)
			if err != nil {
				continue // the rest of a line that the file's bound cut
			}
			if inTexts {
				texts = append(texts, quoted)
				continue
			}
			re, err := regexp.Compile(quoted)
			if err != nil {
				continue
			}
			d, err := Regexp(quoted)
			if err != nil {
				t.Errorf("%q: %v", quoted, err)
				continue
			}
			for _, text := range texts {
				if utf8.ValidString(text) {
					compare(t, quoted, d, re, text)
					compared++
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return compared
}

func TestRegexpBuildsTheSameTablesAgain(t *testing.T) {
	for _, pattern := range []string{`(?i)\b(bot|crawl(er)?|spider)\b`, `^\pL+$`, `a.{3}b|^c`} {
		a, err := Regexp(pattern)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Regexp(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%q: %s", pattern, diff)
		}
	}
}

// TestRegexpIsSmall pins the sizes of automata that have an obvious smallest
// form: states and classes of bytes, with the two states that are never left.
func TestRegexpIsSmall(t *testing.T) {
	for pattern, want := range map[string]struct{ states, classes int }{
		``:                   {2, 1},
		`[^\x00-\x{10FFFF}]`: {2, 1},
		`a`:                  {3, 2},
		`^a`:                 {3, 2},
		`bot`:                {5, 4},
		`^(?:a|b)*$`:         {3, 2},
		`(?:ab|ab)c|abc`:     {5, 4},
		`é`:                  {4, 3},
		`\bx`:                {4, 3},
	} {
		d, err := Regexp(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(d.Next) / int(d.Accept); got != want.states || int(d.Accept)/d.Width != want.classes {
			t.Errorf("%q: %d states of %d classes, want %+v", pattern, got, int(d.Accept)/d.Width, want)
		}
	}
}

func TestRegexpIsBounded(t *testing.T) {
	for pattern, want := range map[string]string{
		`(a|b)*a(a|b){20}`:               "its automaton needs more than 10000 states: anchor it with ^, make repetitions such as {20} smaller",
		`^\pL{1,90}$`:                    "of 112 kinds of bytes, more than 1048576 transitions: anchor it",
		`(?:\pL?){1000}$`:                "its automaton needs more than 8388608 steps to build: anchor it",
		`\pL{20}x`:                       "its automaton needs a table of 2228352 bytes, and 1048576 are allowed: anchor it",
		strings.Repeat("a", 1001):        "a regular expression of 1001 bytes, and 1000 are allowed",
		`(?:a?b?c?){999}(?:d?e?f?){999}`: "a regular expression of 13986 steps, its repetitions written out, and 10000 are allowed",
		`a(`:                             "missing closing ): `a(`",
		`\8`:                             "invalid escape sequence: `\\8`",
		`(?=a)`:                          "invalid or unsupported Perl syntax: `(?=`",
	} {
		if _, err := Regexp(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", pattern, err, want)
		}
	}
}
