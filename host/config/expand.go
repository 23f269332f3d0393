package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// reference is ${…}, or $${ for a ${ that is meant as it stands.
var (
	reference = regexp.MustCompile(`\$\$\{|\$\{[^{}]*\}`)
	variable  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// expand resolves the references in a scalar. Files are read for secrets only:
// other values are published in clear.
func (d *decoder) expand(n *node, at keyPath, secret bool) (string, bool) {
	ok := true
	fault := func(format string, args ...any) string {
		d.faultAt(n.pos, at, format, args...)
		ok = false
		return ""
	}
	text := reference.ReplaceAllStringFunc(n.text, func(ref string) string {
		if ref == "$${" {
			return "${"
		}
		name := ref[2 : len(ref)-1]
		path, isFile := strings.CutPrefix(name, "file:")
		switch {
		case isFile && !secret:
			return fault("%s: files are read for secrets only; write the value, or ${NAME} from the environment", ref)
		case isFile:
			value, err := readSecret(n.file.dir, path)
			if err != nil {
				return fault("%v", err)
			}
			return value
		case !variable.MatchString(name):
			return fault("%s is neither ${NAME} nor ${file:PATH}; write $${ for a plain ${", ref)
		}
		value, set := d.env(name)
		if !set {
			return fault("the environment variable %s is not set", name)
		}
		return value
	})
	return text, ok
}

// maxSecret bounds the file of a secret, in bytes.
const maxSecret = 64 << 10

// readSecret reads a secret's file; one newline at its end does not count.
func readSecret(dir, path string) (string, error) {
	path = filepath.FromSlash(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	text, err := readRegular(path)
	if err != nil {
		return "", fmt.Errorf("the secret's file: %w", err)
	}
	if len(text) > maxSecret {
		return "", fmt.Errorf("the secret's file %s has more than %d bytes", path, maxSecret)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// Secret is a value that is never printed.
type Secret struct {
	value string
	ref   string // as the file writes it, if it is one reference and nothing else
}

// Reveal is the secret itself.
func (s Secret) Reveal() string { return s.value }

// String hides the secret.
func (s Secret) String() string { return "(secret)" }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return "config.Secret(hidden)" }

// Format hides the secret whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *Secret) decode(d *decoder, n *node, at keyPath) {
	if !d.want(scalar, n, at) {
		return
	}
	value, ok := d.expand(n, at, true)
	if ok && value == "" {
		d.faultAt(n.pos, at, "the secret is empty")
	}
	s.value = value
	if ref := reference.FindString(n.text); ref != n.text || ref == "$${" {
		d.cfg.clear = append(d.cfg.clear, n.pos)
	} else if path, isFile := strings.CutPrefix(ref, "${file:"); isFile {
		s.ref = "${file:" + d.pathIn(n.file, strings.TrimSuffix(path, "}")).given + "}"
	} else {
		s.ref = ref
	}
}

// Path is a file or directory. Relative ones begin at the file that names
// them.
type Path struct {
	given string // as the file writes it, from the main file on
	path  string
}

// String is the path to open; empty where none is given.
func (p Path) String() string { return p.path }

// Given is the path as the config writes it, from the main file's directory.
func (p Path) Given() string { return p.given }

// IsZero tells that no path is given.
func (p Path) IsZero() bool { return p.given == "" }

// Join is a path below p.
func (p Path) Join(name string) Path {
	return Path{given: strings.TrimSuffix(p.given, "/") + "/" + name, path: filepath.Join(p.path, name)}
}

func (p *Path) decode(d *decoder, n *node, at keyPath) {
	text, ok := d.text(n, at)
	switch {
	case !ok:
	case text == "" || strings.ContainsFunc(text, isControl):
		d.faultAt(n.pos, at, "%q is no path", text)
	default:
		*p = d.pathIn(n.file, text)
	}
}

// pathIn is a path that a file names. What is kept of it begins at the main
// file, so that the canonical form does not depend on where the files lie.
func (d *decoder) pathIn(f *file, text string) Path {
	path := filepath.FromSlash(text)
	if filepath.IsAbs(path) {
		return Path{given: text, path: path}
	}
	path = filepath.Join(f.dir, path)
	if f.dir != d.main.dir {
		if rel, err := filepath.Rel(d.main.dir, path); err == nil {
			text = filepath.ToSlash(rel)
		}
	}
	return Path{given: text, path: path}
}

// URL is where something is kept or fetched from: a scheme and what follows.
type URL struct {
	given string
	Path  Path // of a file:// URL
}

// String is the URL; a relative file:// begins at the main file.
func (u URL) String() string { return u.given }

// IsZero tells that no URL is given.
func (u URL) IsZero() bool { return u.given == "" }

// Scheme is what stands before ://.
func (u URL) Scheme() string {
	scheme, _, _ := strings.Cut(u.given, "://")
	return scheme
}

func (u *URL) decode(d *decoder, n *node, at keyPath) {
	text, ok := d.text(n, at)
	if !ok {
		return
	}
	scheme, rest, found := strings.Cut(text, "://")
	switch {
	case !found && text != "":
		d.faultAt(n.pos, at, "%q has no scheme; a file is file://%s", text, text)
	case rest == "" || strings.ContainsFunc(text, isControl):
		d.faultAt(n.pos, at, "%q is no URL", text)
	case scheme == "file":
		path := d.pathIn(n.file, rest)
		*u = URL{given: "file://" + path.given, Path: path}
	default:
		if why := badModuleURL(scheme, text); why != "" {
			d.faultAt(n.pos, at, "%s", why)
			return
		}
		*u = URL{given: text}
	}
}

// badModuleURL says what is wrong with the URL of a module that is no file, empty if
// nothing. The URL goes into messages.
func badModuleURL(scheme, text string) string {
	u, err := url.Parse(text)
	switch {
	case !slices.Contains([]string{"https", "http", "oci", "oci+http"}, scheme):
		return fmt.Sprintf("the scheme %s:// is unknown; a module is file:// and a path, https:// or oci://", scheme)
	case err != nil || u.Host == "" || len(u.Path) < 2:
		return fmt.Sprintf("the URL can not be read; it is %s://HOST/PATH", scheme)
	case u.User != nil || u.Fragment != "":
		return "the URL holds a log-in, or something like it; those of registries come from Docker's config file"
	case (scheme == "http" || scheme == "oci+http") && !isLoopback(u.Hostname()):
		return fmt.Sprintf("%s:// reaches this machine only; take https:// or oci://", scheme)
	case strings.HasPrefix(scheme, "oci") && (u.RawQuery != "" || !ociReference.MatchString(u.Path)):
		return "the URL names no tag and no digest; it is oci://REGISTRY/NAME:TAG, or oci://REGISTRY/NAME@sha256:DIGEST"
	}
	return ""
}

var ociReference = regexp.MustCompile(`^/[a-z0-9._/-]+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64})$`)
