package sdk_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// Plugins in C answer natively as their modules do, under a sanitizer: the golden
// vectors hold, and so does what the kit says of purity; of random beacons the
// answers are the module's.
func TestNativeC(t *testing.T) {
	sources, err := filepath.Glob("c/examples/*.c")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := filepath.Glob("../plugins/*/*.c")
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 || len(shipped) == 0 {
		t.Fatalf("%d examples, %d plugins", len(sources), len(shipped))
	}
	for _, source := range append(sources, shipped...) {
		base := strings.TrimSuffix(source, ".c")
		t.Run(filepath.Base(base), func(t *testing.T) {
			program := buildNative(t, source)
			vectors := goldenVectors(t, program, base+".golden.ndjson")
			module := compile(t, base+".wasm")
			for _, v := range vectors {
				if err := checkNative(t, program, v); err != nil {
					t.Error(err)
				}
			}
			for _, v := range vectors {
				if !v.Refused && len(v.Data) == 0 {
					compareNative(t, program, module, string(v.Config), vectors)
				}
			}
		})
	}
}

// A plugin that goes where it must not does not get away with it natively.
func TestNativeCatches(t *testing.T) {
	program := buildNative(t, "c/testdata/wild.c")
	for _, what := range []string{"reads behind the batch", "writes behind the batch", "reads behind its memory", "reads behind the config", "overflows", "reads behind an array"} {
		g, err := startNative(t, program, json.RawMessage(fmt.Sprintf(`{"do": %q}`, what)), nil)
		if err == nil {
			var b abi.Batch
			abi.Build(g.plan.Fields, [][]abi.Value{{{}}}, &b)
			err = g.Process(t.Context(), &b, new(abi.Output))
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// buildNative builds a plugin in C as a native program, as native.c says.
func buildNative(t *testing.T, source string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "plugin")
	run(t, ".", nil, "clang", append([]string{"-g", "-fsanitize=undefined", "-fsanitize-trap=undefined", "-o", program, source, "c/native.c", "-Ic"}, strict...)...)
	return program
}

func goldenVectors(t *testing.T, program, path string) []*abi.Vector {
	t.Helper()
	g := runNative(t, program)
	vectors, err := abi.ParseVectors(g.manifest.Kind, read(t, path))
	if err != nil || len(vectors) == 0 {
		t.Fatalf("%s: %d golden vectors: %v", path, len(vectors), err)
	}
	return vectors
}

// checkNative runs a golden vector: a config that the schema refuses no guest sees.
func checkNative(t *testing.T, program string, v *abi.Vector) error {
	t.Helper()
	g := runNative(t, program)
	err := plugin.CheckConfig(g.manifest, v.Config)
	if err == nil {
		err = g.configure(v.Config, v.DataFiles())
	}
	switch {
	case v.Refused && (err == nil || !strings.Contains(err.Error(), v.ConfigError)):
		return fmt.Errorf("golden vector, line %d: the config is refused with %v, expected an error with %q", v.Line, err, v.ConfigError)
	case v.Refused:
		return nil
	case err != nil:
		return fmt.Errorf("golden vector, line %d: %w", v.Line, err)
	}
	return v.Run(g.manifest.Kind, g.plan, func(b *abi.Batch, out *abi.Output) error { return g.Process(t.Context(), b, out) })
}

// compareNative gives program and module the same beacons, the vectors' and random ones.
func compareNative(t *testing.T, program string, m *module, config string, vectors []*abi.Vector) {
	t.Helper()
	guest, err := m.instance(config)
	if err != nil {
		t.Fatal(err)
	}
	native, err := startNative(t, program, json.RawMessage(config), nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rows := tck.Rows(rng, len(guest.plan.Fields), 300)
	for _, v := range vectors {
		more, err := v.Rows(guest.plan.Fields)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, more...)
	}
	var b abi.Batch
	abi.Build(guest.plan.Fields, rows, &b)
	if len(guest.plan.Cells) > 0 {
		withSessions(&b, guest.plan, 20, rng)
	}
	want, err := guest.answers(&b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := answersOf(native, guest.kind, guest.plan, &b)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("config %s: natively\n%q\nthe module\n%q", config, got, want)
	}
	failures, err := tck.Purity(t.Context(), native.subject(t, program, config), &b, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failures {
		t.Errorf("config %s: %v", config, f)
	}
}

// nativeGuest is a plugin's native program; native.c says what it is asked.
type nativeGuest struct {
	in       io.WriteCloser
	out      io.Reader
	log      bytes.Buffer
	cmd      *exec.Cmd
	manifest *abi.Manifest
	closes   bool
	plan     *abi.Plan
	layout   *abi.Layout
}

const (
	askManifest = 1 + iota
	askData
	askConfigure
	askPlan
	askProcess
	askClose
)

// runNative runs a program, for the time of the test.
func runNative(t *testing.T, program string) *nativeGuest {
	t.Helper()
	g := &nativeGuest{cmd: exec.Command(program)}
	g.cmd.Stderr = &g.log
	var err error
	if g.in, err = g.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if g.out, err = g.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.stop() })
	code, text, err := g.ask(askManifest, nil)
	if err != nil {
		t.Fatal(err)
	}
	g.closes = code == 1
	if g.manifest, err = abi.ParseManifest(text); err != nil {
		t.Fatal(err)
	}
	return g
}

// startNative runs a program and configures it.
func startNative(t *testing.T, program string, config json.RawMessage, data map[string][]byte) (*nativeGuest, error) {
	t.Helper()
	g := runNative(t, program)
	return g, g.configure(config, data)
}

func (g *nativeGuest) stop() error {
	_ = g.in.Close()
	return g.cmd.Wait()
}

// ask asks a question. The error wraps io.EOF where the program has died.
func (g *nativeGuest) ask(what uint32, content []byte) (code uint32, answer []byte, err error) {
	question := binary.LittleEndian.AppendUint32(nil, what)
	question = binary.LittleEndian.AppendUint32(question, uint32(len(content)))
	_, err = g.in.Write(append(question, content...))
	var head [8]byte
	if err == nil {
		_, err = io.ReadFull(g.out, head[:])
	}
	if err != nil {
		return 0, nil, fmt.Errorf("question %d: %w: the program: %v\n%s", what, io.EOF, g.stop(), g.log.Bytes())
	}
	answer = make([]byte, binary.LittleEndian.Uint32(head[4:]))
	_, err = io.ReadFull(g.out, answer)
	return binary.LittleEndian.Uint32(head[:]), answer, err
}

func (g *nativeGuest) configure(config json.RawMessage, data map[string][]byte) error {
	type file struct {
		Ptr uint64 `json:"ptr"`
		Len int    `json:"len"`
	}
	document := struct {
		Config json.RawMessage `json:"config"`
		Data   map[string]file `json:"data"`
	}{config, map[string]file{}}
	for name, content := range data {
		_, address, err := g.ask(askData, content)
		if err != nil {
			return err
		}
		document.Data[name] = file{binary.LittleEndian.Uint64(address), len(content)}
	}
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	code, why, err := g.ask(askConfigure, text)
	if err != nil {
		return err
	}
	if code != abi.Done {
		return fmt.Errorf("code %d: %s", code, why)
	}
	if _, text, err = g.ask(askPlan, nil); err != nil {
		return err
	}
	if g.plan, err = abi.ParsePlan(g.manifest.Kind, text); err != nil {
		return err
	}
	g.layout = abi.NewLayout(g.manifest.Kind, g.plan)
	return nil
}

// Process answers a batch, without room for outputs at first.
func (g *nativeGuest) Process(_ context.Context, b *abi.Batch, out *abi.Output) error {
	question := uint32(askProcess)
	if b.Closed {
		question = askClose
	}
	for room := (abi.Capacity{}); ; {
		size, err := g.layout.Place(b, room)
		if err != nil {
			return err
		}
		batch := make([]byte, size)
		g.layout.Write(batch, b)
		code, answer, err := g.ask(question, batch)
		switch {
		case err != nil:
			return err
		case code == abi.Done:
			return g.layout.Read(answer, out)
		case code != abi.TooSmall:
			return fmt.Errorf("code %d: %s", code, answer)
		}
		if room, err = g.layout.Needed(answer); err != nil {
			return err
		}
	}
}

func (g *nativeGuest) subject(t *testing.T, program, config string) tck.Subject {
	return tck.Subject{Kind: g.manifest.Kind, Plan: g.plan, Closes: g.closes, New: func(context.Context) (tck.Guest, func() error, error) {
		one, err := startNative(t, program, json.RawMessage(config), nil)
		return one, one.stop, err
	}}
}
