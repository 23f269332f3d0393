package author

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-6a2d649b/pharos"
	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/sdk/c/native"
)

// natively builds the project of a folder as a native program, and runs the golden
// vectors by that.
func (t *tester) natively(ctx context.Context, dir string) (err error) {
	scratch, err := os.MkdirTemp("", "pharos-native-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	t.say("native build")
	program, err := buildNative(ctx, dir, scratch)
	if err != nil {
		return fmt.Errorf("build %s natively: %w", dir, err)
	}
	t.say("golden vectors, natively")
	check := func(config json.RawMessage) error { return plugin.CheckConfig(t.guest.module.Manifest(), config) }
	for _, v := range t.vectors {
		err := checkNatively(ctx, program, v, check)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			t.result.Natively++
			continue
		}
		t.mismatch(v, "natively, ", err)
	}
	return nil
}

// vectorTime is how long a native program may take for a golden vector: no fuel ends it.
const vectorTime = time.Minute

func checkNatively(ctx context.Context, program string, v *abi.Vector, check func(json.RawMessage) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, vectorTime, fmt.Errorf("it takes longer than %v", vectorTime))
	defer cancel()
	err := native.CheckVector(ctx, program, v, check)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// nativeSource is what makes a plugin in C a program.
const nativeSource = "native.c"

// buildNative builds the program in a folder of its own.
func buildNative(ctx context.Context, dir, scratch string) (program string, err error) {
	l, p, err := open(dir)
	if err != nil {
		return "", err
	}
	if l.name != "c" {
		return "", fmt.Errorf("that is for projects in C; one in %s runs natively by: %s", l.title, l.native)
	}
	sources, err := files(p.dir, "*.c")
	if err != nil {
		return "", err
	}
	sources = slices.DeleteFunc(sources, func(name string) bool { return name == nativeSource })
	text, err := pharos.Sources.ReadFile("sdk/c/" + nativeSource)
	if err != nil {
		return "", err
	}
	asking := filepath.Join(scratch, nativeSource)
	if err := os.WriteFile(asking, text, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(scratch, p.name)
	const get = "install clang and a C library: apt install clang libc6-dev"
	build := command{
		program: "clang",
		args:    append([]string{"-g", "-fsanitize=undefined", "-fsanitize-trap=undefined", "-o", program, asking}, sources...),
		missing: get,
		hints: map[string]string{
			"stdio.h":             get,
			"build with clang --": "its pharos.h is older than native programs: take the one of 'pharos plugin new --lang c' along",
		},
	}
	return program, build.run(ctx, p.dir)
}
