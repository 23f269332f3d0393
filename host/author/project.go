package author

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/seed-6a2d649b/pharos"
)

// Beginning is what New writes.
type Beginning struct {
	Dir      string // is made; its last part is the plugin's name
	Language string // one of Languages
	Kind     string // one of Kinds
}

// maxName bounds a plugin's name, which is a file's too.
const maxName = 64

var goodName = regexp.MustCompile(`^[a-z][a-z0-9]*([-_][a-z0-9]+)*$`)

// New writes the project of a plugin that works: source, SDK, golden vectors and a
// README. It writes over nothing. It returns the files, in order.
func New(b Beginning) (written []string, err error) {
	l, err := languageOf(b.Language)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(Kinds(), b.Kind) {
		return nil, fmt.Errorf("no kind %q: there are %s", b.Kind, strings.Join(Kinds(), ", "))
	}
	name := filepath.Base(filepath.Clean(b.Dir))
	if !goodName.MatchString(name) || len(name) > maxName {
		return nil, fmt.Errorf("%q is no name for a plugin: at most %d small letters, digits, - and _, a letter first, as in bad-referers", name, maxName)
	}
	project, err := l.write(name, b.Kind)
	if err != nil {
		return nil, fmt.Errorf("a plugin of the kind %s: %w", b.Kind, err)
	}
	if err := os.MkdirAll(filepath.Dir(b.Dir), 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(b.Dir, 0o755); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there already, and nothing is written over: choose another name, or move it away", b.Dir)
	} else if err != nil {
		return nil, err
	}
	for _, f := range project {
		to := filepath.Join(b.Dir, filepath.FromSlash(f.path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(to, f.text, 0o644); err != nil {
			return nil, err
		}
		written = append(written, f.path)
	}
	return written, nil
}

// file is one of a project; the path has slashes.
type file struct {
	path string
	text []byte
}

//go:embed all:templates
var templates embed.FS

// write gives the files of a new project.
func (l *language) write(name, kind string) ([]file, error) {
	fill := strings.NewReplacer("{name}", name, "{kind}", kind)
	var all []file
	for _, c := range l.copies {
		more, err := l.copy(fill, fill.Replace(c.from), fill.Replace(c.to))
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	data := struct {
		Name, Kind, Title, Needs, Source, Native string
	}{name, kind, l.title, l.needs, fill.Replace(l.source), fill.Replace(l.native)}
	for _, folder := range []string{"templates/all", "templates/" + l.name} {
		more, err := fromTemplates(folder, data)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	slices.SortFunc(all, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// fromTemplates fills the templates of a folder in; it may not be there. A name's
// ending .tmpl falls away.
func fromTemplates(folder string, data any) ([]file, error) {
	var all []file
	err := fs.WalkDir(templates, folder, func(at string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && at == folder {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() {
			return err
		}
		t, err := template.New(path.Base(at)).Option("missingkey=error").ParseFS(templates, at)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := t.Execute(&text, data); err != nil {
			return err
		}
		to := strings.TrimSuffix(strings.TrimPrefix(at, folder+"/"), ".tmpl")
		all = append(all, file{to, text.Bytes()})
		return nil
	})
	return all, err
}

// copy takes a file or a folder of pharos.Sources along.
func (l *language) copy(fill *strings.Replacer, from, to string) ([]file, error) {
	var all []file
	err := fs.WalkDir(pharos.Sources, from, func(at string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && at == from:
			return fmt.Errorf("there is no %s", from)
		case err != nil:
			return err
		case d.IsDir() && at != from && path.Base(at) == "examples":
			return fs.SkipDir
		case d.IsDir() || at != from && strings.HasSuffix(at, "_test.go"):
			return nil
		}
		text, err := pharos.Sources.ReadFile(at)
		if err != nil {
			return err
		}
		all = append(all, file{to + strings.TrimPrefix(at, from), l.renamed(text, fill)})
		return nil
	})
	return all, err
}

// manifestName finds the plugin's name in an example's manifest, however its
// language writes it: before the version.
var manifestName = regexp.MustCompile(`(?i)((?:\bname\\?"?\s*[:=]|\bManifest\(Kind\.\w+,)\s*\\?")[a-z0-9-]+(\\?",\s*(?:\\?"?\.?version\b|"\d))`)

// renamed makes an example's text the project's own.
func (l *language) renamed(text []byte, fill *strings.Replacer) []byte {
	text = manifestName.ReplaceAll(text, []byte("${1}"+fill.Replace("{name}")+"${2}"))
	for _, r := range append(l.replace, [2]string{"{kind}.golden.ndjson", "{name}.golden.ndjson"}) {
		text = bytes.ReplaceAll(text, []byte(fill.Replace(r[0])), []byte(fill.Replace(r[1])))
	}
	return text
}
