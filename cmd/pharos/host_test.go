package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

// host is an up or a run.
type host struct {
	*process
	url    string // of what it serves, ends in /
	broker string // of an up
}

// up starts pharos up.
func up(t *testing.T, args ...string) *host {
	t.Helper()
	p := start(t, "", nil, append([]string{"up", "--listen", "127.0.0.1:0"}, args...)...)
	return &host{p, p.value(t, "page"), p.value(t, "broker")}
}

// runRole starts pharos run with one role.
func runRole(t *testing.T, role, config string) *host {
	t.Helper()
	p := start(t, "", nil, "run", "--roles", role, "-c", config, "--listen", "127.0.0.1:0")
	return &host{process: p, url: p.value(t, "status")}
}

// get gives what a path of the host answers, and the HTTP status.
func (h *host) get(path string) (body []byte, code int, err error) {
	return h.ask(http.MethodGet, path, nil)
}

func (h *host) ask(method, path string, body any) (answer []byte, code int, err error) {
	if err := h.running(); err != nil {
		return nil, 0, err
	}
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			return nil, 0, err
		}
	}
	req, err := http.NewRequest(method, h.url+path, &b)
	if err != nil {
		return nil, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return answer, resp.StatusCode, err
}

// getOK is get where anything but 200 is an error.
func (h *host) getOK(path string) ([]byte, error) {
	body, code, err := h.get(path)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%s: %d: %.500s", path, code, body)
	}
	return body, err
}

// ready waits until the host is.
func (h *host) ready(t *testing.T) {
	t.Helper()
	waitFor(t, "/readyz", func() error { _, err := h.getOK("readyz"); return err })
}

func (h *host) status() (s pipeline.Status, err error) {
	body, err := h.getOK("api/v1/status")
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	return s, err
}

// came gives how many of the tenants' beacons came in, as the host knows.
func (h *host) came() (n int64, err error) {
	s, err := h.status()
	for _, b := range s.Beacons {
		n += b.In
	}
	return n, err
}

// partitions gives how many partitions a role has here, and how many records of
// them it has done.
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

// waitForSummary waits until the host's status counts what a replay's summary does.
func (h *host) waitForSummary(t *testing.T, summary []byte) {
	t.Helper()
	want := canonical(t, summary)
	waitFor(t, "the status's counts to be the replay's", func() error {
		s, err := h.status()
		if err != nil {
			return err
		}
		got, err := json.Marshal(map[string]any{"tenants": s.Beacons, "undecodable": s.Undecodable, "bad_value": s.BadValue})
		if err != nil {
			return err
		}
		if got := canonical(t, got); got != want {
			return fmt.Errorf("%s\nreplay: %s", got, want)
		}
		return nil
	})
}

// canonical is JSON with its keys sorted.
func canonical(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	sorted, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}

// waitForFigures waits until the host's figures, stored and open, are those.
func (h *host) waitForFigures(t *testing.T, keyspace string, want []byte) {
	t.Helper()
	waitFor(t, "the figures to be the replay's", func() error {
		got, err := h.getOK("api/v1/" + keyspace + "/figures")
		if err != nil {
			return err
		}
		return difference(got, want)
	})
}

// difference tells the first lines that differ.
func difference(got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			return fmt.Errorf("of %d lines (wanted: %d) line %d is\n%s\nwanted:\n%s", len(g), len(w), i+1, g[i], w[i])
		}
	}
	return fmt.Errorf("%d lines, wanted: %d", len(g), len(w))
}

// edit changes a config's text.
type edit func(string) string

// replaced puts new for old, which must be there.
func replaced(t *testing.T, before, after string) edit {
	return func(text string) string {
		t.Helper()
		if !strings.Contains(text, before) {
			t.Fatalf("there is no %q in\n%s", before, text)
		}
		return strings.Replace(text, before, after, 1)
	}
}

// configOf copies a config of the project to a new directory, which is its data
// directory's too.
func configOf(t *testing.T, file string, edits ...edit) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	return writeConfig(t, strings.ReplaceAll(string(text), "../../plugins/", top+"/plugins/"), edits...)
}

// writeConfig writes a config to a new directory.
func writeConfig(t *testing.T, text string, edits ...edit) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pharos.yaml")
	rewrite(t, file, text, edits...)
	return file
}

func rewrite(t *testing.T, file, text string, edits ...edit) {
	t.Helper()
	for _, e := range edits {
		text = e(text)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replay runs pharos replay and gives what it wrote.
func replay(t *testing.T, config, input string, args ...string) (out, summary []byte) {
	t.Helper()
	dir := t.TempDir()
	o, s := filepath.Join(dir, "out"), filepath.Join(dir, "summary")
	mustRun(t, append([]string{"replay", "-c", config, "--in", input, "--out", o, "--summary", s}, args...)...)
	return read(t, o), read(t, s)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// write writes a file of a test.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
