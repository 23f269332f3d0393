// Package sinktest tries stores: it starts the real servers, and holds every sink to
// the same promises.
package sinktest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Server is a store's process.
type Server struct {
	t    testing.TB
	name string
	dir  string
	URL  string
}

// Start starts a store of scripts/stores.sh with an empty directory; it is stopped
// when the test ends.
func Start(t testing.TB, name string) *Server {
	t.Helper()
	s := &Server{t: t, name: name, dir: t.TempDir()}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Start starts it again, with what it has on disk.
func (s *Server) Start() { s.URL = s.script("start", s.name, s.dir) }

// Stop ends it as an operator would.
func (s *Server) Stop() { s.script("stop", s.dir) }

// Kill ends it at once.
func (s *Server) Kill() { s.script("kill", s.dir) }

func (s *Server) script(args ...string) string {
	s.t.Helper()
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.Command(filepath.Join(filepath.Dir(here), "..", "..", "scripts", "stores.sh"), args...)
	cmd.Env = append(os.Environ(), "STORE_ENDS_WITH="+strconv.Itoa(os.Getpid()))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("stores.sh %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(stdout.String())
}
