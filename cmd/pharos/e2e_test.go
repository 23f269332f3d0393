// Package main_test runs the binary as its users do: real processes, real files,
// the embedded broker, the HTTP API. Tests wait for conditions and never for time.
package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const root = "../.." // of the project

// binary is pharos, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pharos-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "pharos")
	if err := build(binary, fmt.Sprintf("-race=%v", raceDetector)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(path string, flags ...string) error {
	args := append([]string{"build", "-o", path}, flags...)
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		return fmt.Errorf("build pharos: %w\n%s", err, out)
	}
	return nil
}

// plain is pharos without the race detector, built once it is wanted: for what would
// take long under its eyes, compiling Go's runtime or making a key of a password.
var plain = sync.OnceValues(func() (path string, err error) {
	if !raceDetector {
		return binary, nil
	}
	path = filepath.Join(filepath.Dir(binary), "plain")
	return path, build(path)
})

// patience bounds every wait; a wait that long is a failure.
const patience = 90 * time.Second

// waitFor waits until check gives nil.
func waitFor(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("waited %v for %s: %v", patience, what, err)
}

// process is pharos with some arguments. It ends with its test.
type process struct {
	args      []string
	cmd       *exec.Cmd
	out, errs buffer
	done      chan struct{}
}

// start starts pharos in a directory; "" is a new one.
func start(t *testing.T, dir string, stdin io.Reader, args ...string) *process {
	t.Helper()
	return startOf(t, binary, dir, stdin, args...)
}

// startOf is start of a build.
func startOf(t *testing.T, pharos, dir string, stdin io.Reader, args ...string) *process {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	p := &process{args: args, cmd: exec.Command(pharos, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &p.out, &p.errs
	dieWithParent(p.cmd)
	var pipe io.WriteCloser
	if stdin != nil {
		var err error
		if pipe, err = p.cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if pipe != nil { // not waited for: the process may end before it
		go func() {
			_, _ = io.Copy(pipe, stdin)
			_ = pipe.Close()
		}()
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
		if strings.Contains(p.errs.String(), "DATA RACE") {
			t.Errorf("pharos %s: a data race:\n%s", strings.Join(args, " "), p.errs.String())
		} else if t.Failed() {
			t.Logf("pharos %s: %v\n%.4000s\n…%s", strings.Join(args, " "), p.cmd.ProcessState, p.out.String(), tail(p.errs.String(), 6000))
		}
	})
	return p
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// signal signals the process.
func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("pharos %s: %v", p.args[0], err)
	}
}

// code waits for the process to end and gives its exit code, -1 of one that was killed.
func (p *process) code(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.signal(t, syscall.SIGQUIT) // shows where it hangs
		<-p.done
		t.Fatalf("pharos %s does not end:\n%s", strings.Join(p.args, " "), p.errs.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// terminate asks the process to end, which it must do well.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if code := p.code(t); code != 0 {
		t.Errorf("pharos %s, told to end: exit code %d\n%s", strings.Join(p.args, " "), code, tail(p.errs.String(), 3000))
	}
}

// kill ends the process as a power cut would.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.signal(t, os.Kill)
	p.code(t)
}

// running is an error once the process has ended.
func (p *process) running() error {
	select {
	case <-p.done:
		return fmt.Errorf("pharos %s has ended: %v: %s", p.args[0], p.cmd.ProcessState, tail(p.errs.String(), 1000))
	default:
		return nil
	}
}

// run runs pharos to its end.
func run(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	return ran(t, start(t, "", nil, args...))
}

func ran(t *testing.T, p *process) (out, errs string, code int) {
	t.Helper()
	code = p.code(t)
	return p.out.String(), p.errs.String(), code
}

// mustRun runs pharos, which must go well.
func mustRun(t *testing.T, args ...string) (out string) {
	t.Helper()
	out, errs, code := run(t, args...)
	if code != 0 {
		t.Fatalf("pharos %s: exit code %d\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// runPlainly is run without the race detector.
func runPlainly(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	pharos, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	return ran(t, startOf(t, pharos, "", nil, args...))
}

// mustRunPlainly is mustRun without the race detector.
func mustRunPlainly(t *testing.T, args ...string) (out string) {
	t.Helper()
	out, errs, code := runPlainly(t, args...)
	if code != 0 {
		t.Fatalf("pharos %s: exit code %d\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// buffer may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is what was written so far.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// value gives what a line "key value" of the output says, once it is there.
func (p *process) value(t *testing.T, key string) (v string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%q in the output of pharos %s", key, p.args[0]), func() error {
		for line := range strings.Lines(p.out.String()) {
			if rest, found := strings.CutPrefix(strings.TrimSpace(line), key+" "); found && strings.HasSuffix(line, "\n") {
				v = strings.TrimSpace(rest)
				return nil
			}
		}
		if err := p.running(); err != nil {
			t.Fatal(err)
		}
		return errors.New("it does not say")
	})
	return v
}
