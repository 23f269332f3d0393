//go:build linux

package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

// binary is pharos, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pharos-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "pharos")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/pharos").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build pharos: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience bounds a wait for something that takes seconds on a machine with
// nothing else to do.
const patience = 4 * time.Minute

// errEnded is a process that has ended and should not have.
var errEnded = errors.New("it has ended")

// waitFor waits until check gives nil.
func waitFor(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
		if errors.Is(err, errEnded) {
			t.Fatalf("waited for %s: %v", what, err)
		}
	}
	t.Fatalf("waited %v for %s: %v", patience, what, err)
}

// process is pharos with some arguments. It ends with its test.
type process struct {
	command string
	cmd     *exec.Cmd
	out     lines
	errs    *lines
	done    chan struct{}
}

// start starts pharos. What it logs is added to errs.
func start(t *testing.T, errs *lines, args ...string) *process {
	t.Helper()
	p := &process{command: args[0], cmd: exec.Command(binary, args...), errs: errs, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, errs
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
	})
	return p
}

// signal signals a process that has not ended.
func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s to pharos %s: %v\n%s", s, p.command, err, p.errs.tail(5000))
	}
}

// kill ends the process as a power cut would.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.signal(t, os.Kill)
	<-p.done
}

// terminate asks the process to end, which it must do well.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.signal(t, syscall.SIGQUIT) // shows where it hangs
		<-p.done
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("pharos %s, told to end: %v\n%s", p.command, p.cmd.ProcessState, p.errs.tail(8000))
	}
}

// running is an error once the process has ended.
func (p *process) running() error {
	select {
	case <-p.done:
		return fmt.Errorf("%w: pharos %s: %v: %s", errEnded, p.command, p.cmd.ProcessState, p.errs.tail(3000))
	default:
		return nil
	}
}

// pharos runs pharos to its end.
func pharos(t *testing.T, args ...string) (out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("pharos %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String()
}

// host is a place where pharos run runs: a data directory and a config.
type host struct {
	name, dir string
	config    string // file
	roles     string // "": all
	args      []string
	errs      lines // of all its processes
	*process        // nil: none runs
	url       string
}

// start starts the host's process.
func (h *host) start(t *testing.T) {
	t.Helper()
	args := []string{"run", "-c", h.config, "--listen", "127.0.0.1:0", "--log-level", "info"}
	if h.roles != "" {
		args = append(args, "--roles", h.roles)
	}
	args = append(args, h.args...)
	h.url = ""
	h.process = start(t, &h.errs, args...)
}

// address waits for the host to say where it serves.
func (h *host) address() (string, error) {
	if err := h.running(); err != nil {
		return "", err
	}
	if h.url == "" {
		for line := range strings.Lines(h.out.String()) {
			for _, what := range []string{"status ", "page and API "} {
				if url, found := strings.CutPrefix(strings.TrimSpace(line), what); found && strings.HasSuffix(line, "\n") {
					h.url = strings.TrimSpace(url)
				}
			}
		}
	}
	if h.url == "" {
		return "", errors.New("it does not say yet where it serves")
	}
	return h.url, nil
}

var client = http.Client{Timeout: 30 * time.Second}

// get gives what a path of the host answers.
func (h *host) get(path string) ([]byte, error) {
	url, err := h.address()
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", h.name, err)
	}
	resp, err := client.Get(url + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("host %s: %s: %s: %.500s", h.name, path, resp.Status, body)
	}
	return body, err
}

func (h *host) status() (s pipeline.Status, err error) {
	body, err := h.get("api/v1/status")
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	return s, err
}

// partitions gives how many partitions of a role the host has, and how far all
// of them are.
func (h *host) partitions(role string) (n int, records int64, err error) {
	s, err := h.status()
	for _, r := range s.Roles {
		if r.Name == role {
			n += len(r.Partitions)
			for _, p := range r.Partitions {
				records += p.Offset
			}
		}
	}
	return n, records, err
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is what was written so far.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) tail(n int) string {
	s := l.String()
	return s[max(0, len(s)-n):]
}
