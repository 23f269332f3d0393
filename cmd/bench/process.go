package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// childVariable holds a task, as JSON, in the environment of a child process.
const childVariable = "PHAROS_BENCH_CHILD"

// process is a child process at its task. It ends when its standard input does.
type process struct {
	cmd   *exec.Cmd
	input io.Closer
	said  chan string   // the lines of its standard output
	ended chan struct{} // closed when its standard output ends: the process does, or has failed
}

// spawn starts this program again with a task.
func spawn(ctx context.Context, t task, stderr io.Writer) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program itself: %w", err)
	}
	spec, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVariable+"="+string(spec))
	cmd.Stderr = stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ^C is the parent's: it ends its children in their order
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a child process: %w", err)
	}
	p := &process{cmd: cmd, input: in, said: make(chan string, 1), ended: make(chan struct{})}
	go func() { // ends with the process
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.said <- lines.Text()
		}
	}()
	return p, nil
}

// line waits for the next line that the process says.
func (p *process) line() (string, error) {
	select {
	case line := <-p.said:
		return line, nil
	case <-p.ended:
	}
	select {
	case line := <-p.said: // its last
		return line, nil
	default:
	}
	_, err := p.stop()
	return "", errors.Join(errors.New("a child process ended early"), err)
}

// usage is what a process has used.
type usage struct {
	cpu  time.Duration // user and system
	peak int64         // bytes of resident memory
}

// stop ends the process and says what it has used.
func (p *process) stop() (usage, error) {
	closed := p.input.Close()
	<-p.ended
	if err := errors.Join(p.cmd.Wait(), closed); err != nil {
		return usage{}, fmt.Errorf("a child process failed: %w", err)
	}
	state := p.cmd.ProcessState
	u := usage{cpu: state.UserTime() + state.SystemTime()}
	select {
	case line := <-p.said:
		_, err := fmt.Sscanf(line, peakFormat, &u.peak)
		return u, err
	default:
	}
	return u, errors.New("a child process did not say how much memory it had")
}

// peakFormat is what a process says of its memory at its end.
const peakFormat = "peak %d"

// peak is the most memory that this process has had. What the system tells its
// parent is no use: there the parent's own, before the child was, counts too.
func peak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil { // not Linux
		var r syscall.Rusage
		err = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		if runtime.GOOS != "darwin" {
			r.Maxrss *= 1024
		}
		return r.Maxrss, err
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	_, err = fmt.Sscanf(after, "%d kB", &kib)
	return kib * 1024, err
}
