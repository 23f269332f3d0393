package pharos_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// TestLinks: what the docs refer to in the project is there, sections too.
func TestLinks(t *testing.T) {
	texts, sections := map[string]string{}, map[string]map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		texts[path], sections[path] = fenced.ReplaceAllString(string(text), ""), map[string]bool{}
		for _, h := range heading.FindAllStringSubmatch(texts[path], -1) {
			sections[path][anchor(h[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) < 20 {
		t.Fatalf("only %d pages", len(texts))
	}
	for path, text := range texts {
		for _, l := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(l[1], "://") {
				continue
			}
			to, section, _ := strings.Cut(l[1], "#")
			at := path
			if to != "" {
				at = filepath.Join(filepath.Dir(path), to)
			}
			if _, err := os.Stat(at); err != nil {
				t.Errorf("%s refers to %s: %v", path, l[1], err)
			} else if section != "" && sections[at] != nil && !sections[at][section] {
				t.Errorf("%s refers to %s: there is no such section", path, l[1])
			}
		}
	}
}

// anchor is how a heading is referred to.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}
