package author

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// project is a folder that a module is built from.
type project struct {
	dir   string // absolute
	name  string
	built string // where the commands are to leave the module; Build moves it to its place
}

// command is one step of a build.
type command struct {
	program string
	args    []string
	env     []string
	missing string            // what to do where the program is not there
	hints   map[string]string // what to do where it fails and says this
}

func (c *command) String() string {
	return strings.Join(append(append([]string(nil), c.env...), append([]string{c.program}, c.args...)...), " ")
}

// Built is a module that was built.
type Built struct {
	Path     string
	Language string // its title
	Size     int    // bytes
	Digest   string // "sha256:" and hex
}

// Build builds the project of a folder into the module NAME.wasm in it, or into out.
// NAME is that of the golden vectors in the folder, else of the folder.
func Build(ctx context.Context, dir, out string) (_ *Built, err error) {
	l, p, err := open(dir)
	if err != nil {
		return nil, err
	}
	if out == "" {
		out = filepath.Join(dir, p.name+".wasm")
	}
	// The commands write beside it: whoever looks at the module sees a whole one.
	scratch, err := os.MkdirTemp(filepath.Dir(out), ".pharos-build-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if p.built, err = filepath.Abs(filepath.Join(scratch, p.name+".wasm")); err != nil {
		return nil, err
	}
	commands, err := l.build(p)
	if err != nil {
		return nil, err
	}
	for i := range commands {
		if err := commands[i].run(ctx, p.dir); err != nil {
			return nil, fmt.Errorf("build %s: %w", dir, err)
		}
	}
	if l.module != nil {
		if err := l.take(p); err != nil {
			return nil, fmt.Errorf("build %s: %w", dir, err)
		}
	}
	code, err := os.ReadFile(p.built)
	if err != nil {
		return nil, fmt.Errorf("build %s: no module came out: %w", dir, err)
	}
	if err := os.Rename(p.built, out); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(code)
	return &Built{Path: out, Language: l.title, Size: len(code), Digest: "sha256:" + hex.EncodeToString(sum[:])}, nil
}

// take copies what the commands have built to where they were not told to put it.
func (l *language) take(p *project) error {
	module, err := l.module(p)
	if err != nil {
		return err
	}
	code, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	return os.WriteFile(p.built, code, 0o644)
}

// open finds out what the project of a folder is.
func open(dir string) (*language, *project, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, nil, err
	} else if !info.IsDir() {
		return nil, nil, fmt.Errorf("%s is a file, and a project's folder is wanted", dir)
	}
	l, err := detect(dir)
	if err != nil {
		return nil, nil, err
	}
	p := &project{}
	if p.dir, err = filepath.Abs(dir); err != nil {
		return nil, nil, err
	}
	p.name = filepath.Base(p.dir)
	const ending = ".golden.ndjson"
	golden, err := files(p.dir, "*"+ending)
	if err != nil {
		return nil, nil, err
	}
	if len(golden) > 1 {
		return nil, nil, fmt.Errorf("%s has golden vectors of several modules (%s): one folder, one plugin", dir, strings.Join(golden, ", "))
	}
	for _, file := range golden {
		p.name = strings.TrimSuffix(file, ending)
	}
	return l, p, nil
}

// maxLog bounds what an error says of a compiler's output, in bytes.
const maxLog = 16 << 10

func (c *command) run(ctx context.Context, dir string) error {
	program, err := exec.LookPath(c.program)
	if err != nil {
		return fmt.Errorf("%s is not here: %s", c.program, c.missing)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, program, c.args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), c.env...)
	cmd.Stdout, cmd.Stderr = &log, &log
	err = cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := strings.TrimSpace(log.String())
	for said, advice := range c.hints {
		if strings.Contains(text, said) {
			text += "\n" + advice
			break
		}
	}
	if len(text) > maxLog {
		text = "…" + text[len(text)-maxLog:]
	}
	return fmt.Errorf("%s\n%s: %w", strings.ToValidUTF8(text, "?"), c, err)
}
