package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// openTerminal opens a terminal: what people would see and type, and what a program
// has as its own.
func openTerminal(t *testing.T) (people, program *os.File) {
	t.Helper()
	people, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = people.Close() })
	var unlock, number int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, people.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return people, program
}

// runAtTerminal runs pharos at a terminal, at which each of the lines is typed once
// it asks for it, and gives what stands on the screen then.
func runAtTerminal(t *testing.T, lines []string, args ...string) (screen string, code int) {
	t.Helper()
	pharos, err := plain()
	if err != nil {
		t.Fatal(err)
	}
	people, program := openTerminal(t)
	cmd := exec.CommandContext(t.Context(), pharos, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		for part := make([]byte, 1024); ; {
			n, err := people.Read(part)
			_, _ = seen.Write(part[:n])
			if err != nil { // once nobody has the terminal as its own
				return
			}
		}
	}()
	for i, line := range lines {
		waitFor(t, "the question for "+line, func() error {
			if strings.Count(seen.String(), ": ") <= i {
				return errors.New(seen.String())
			}
			return nil
		})
		if _, err := people.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait() // how it ended is in ProcessState
	_ = program.Close()
	<-read
	return seen.String(), cmd.ProcessState.ExitCode()
}

// TestPasswordsAtATerminal makes an encrypted key and signs with it, asked for its
// password; what is typed is not shown.
func TestPasswordsAtATerminal(t *testing.T) {
	t.Parallel()
	module, key := shippedModule(t), t.TempDir()+"/shop"
	for _, c := range []struct {
		lines []string
		args  []string
		code  int
		want  string
	}{
		{[]string{"pass word", "password"}, []string{"keygen", key}, 1, "the passwords differ"},
		{[]string{""}, []string{"keygen", key}, 2, "the password is empty"},
		{[]string{"pass word", "pass word"}, []string{"keygen", key}, 0, "wrote " + key + ".key and " + key + ".pub"},
		{[]string{"pass word"}, []string{"sign", "--key", key + ".key", module}, 0, "wrote " + module + ".minisig"},
		{nil, []string{"verify", "--key", key + ".pub", module}, 0, "is signed by shop (ID "},
	} {
		screen, code := runAtTerminal(t, c.lines, append([]string{"plugin"}, c.args...)...)
		if code != c.code || !strings.Contains(screen, c.want) || strings.Contains(screen, "pass word") || strings.Contains(screen, "password\r\n") {
			t.Errorf("%s, typed %q: exit code %d, %q, want %s", c.args[0], c.lines, code, screen, c.want)
		}
	}
}
