package pipeline_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/klauspost/compress/zstd"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

const edgesYAML = `
data: data
sources: [{name: site, fields: {tenant: {const: shop}}}]
plugins: {points: {rules: {extract: [{point: order, when: 'type == "buy"', value: price}]}}}
tenants: {shop: {extract: points, all_traffic: true}}
`

// replayEdges replays one input through a small config.
func replayEdges(t *testing.T, path string, stdin io.Reader) (out, summary string) {
	t.Helper()
	dir := t.TempDir()
	yaml := filepath.Join(dir, "pharos.yaml")
	if err := os.WriteFile(yaml, []byte(edgesYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(yaml)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	o := pipeline.ReplayOptions{
		Inputs: pipeline.ParseInputs([]string{path}), Now: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), Stdin: stdin, Stdout: &stdout, Stderr: &stderr,
		Progress: func(string, ...any) {}, Log: hclog.NewNullLogger(),
	}
	if err := pipeline.Replay(t.Context(), cfg, o); err != nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String()
}

func TestInputs(t *testing.T) {
	var content bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&content, "{\"ts\":%d,\"sid\":\"s%d\",\"type\":\"buy\",\"price\":%d.25}\n", 1_000_000+i*37, i%91, i%13)
	}
	dir := t.TempDir()
	write := func(name string, pack func(io.Writer) io.WriteCloser) string {
		var b bytes.Buffer
		w := pack(&b)
		if _, err := w.Write(content.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want, wantSummary := replayEdges(t, "-", bytes.NewReader(content.Bytes()))
	if !strings.Contains(wantSummary, `"in":10000,"counted":10000`) || len(want) == 0 {
		t.Fatalf("%s%s", want, wantSummary)
	}
	for _, path := range []string{
		write("plain", func(w io.Writer) io.WriteCloser { return nopCloser{w} }),
		write("a.gz", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
		write("a.zst", func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return z
		}),
	} {
		if out, summary := replayEdges(t, path, nil); out != want || summary != wantSummary {
			t.Errorf("%s: %s, want %s", filepath.Base(path), summary, wantSummary)
		}
	}
	for name, changed := range map[string]string{
		"no newline at the end": strings.TrimSuffix(content.String(), "\n"), "CR LF": strings.ReplaceAll(content.String(), "\n", "\r\n"),
		"empty lines": "\n\r\n" + strings.ReplaceAll(content.String(), "\n", "\n\n\r\n"),
	} {
		if out, summary := replayEdges(t, "-", strings.NewReader(changed)); out != want || summary != wantSummary {
			t.Errorf("%s: %s, want %s", name, summary, wantSummary)
		}
	}
	if out, summary := replayEdges(t, "-", strings.NewReader("")); out != "" || !strings.Contains(summary, `"in":0`) {
		t.Errorf("nothing: %q %s", out, summary)
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// TestBrokenInputs checks that a file that ends amid its compression, or is not
// there, is an error and no shorter result.
func TestBrokenInputs(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(bytes.Repeat([]byte("{\"ts\":1,\"sid\":\"s\"}\n"), 1000)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut.gz")
	if err := os.WriteFile(cut, b.Bytes()[:b.Len()-12], 0o600); err != nil {
		t.Fatal(err)
	}
	yaml := filepath.Join(dir, "pharos.yaml")
	if err := os.WriteFile(yaml, []byte(edgesYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{cut: "cut.gz", filepath.Join(dir, "none"): "none", filepath.Join(dir, "pharos.yaml") + ".gz": "pharos.yaml.gz"} {
		cfg, err := config.Load(yaml)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "out")
		o := pipeline.ReplayOptions{
			Inputs: pipeline.ParseInputs([]string{path}), Out: out, Now: time.Now(), Stdout: io.Discard, Stderr: io.Discard,
			Progress: func(string, ...any) {}, Log: hclog.NewNullLogger(),
		}
		if err := pipeline.Replay(context.Background(), cfg, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: there is an output", path)
		}
	}
}

// TestSizeOfALine checks the bound of 1 MiB, with either end of line and none.
func TestSizeOfALine(t *testing.T) {
	line := func(size int) string {
		const head, tail = `{"ts":1,"sid":"s","x":"`, `"}`
		return head + strings.Repeat("x", size-len(head)-len(tail)) + tail
	}
	const limit = 1 << 20
	for _, end := range []string{"\n", "\r\n", ""} {
		for size, want := range map[int]string{
			limit - 1: `"counted":1,`, limit: `"counted":1,`, limit + 1: `"too large":1`, limit + 2: `"too large":1`, limit + 3: `"too large":1`, 5*limit + 7: `"too large":1`,
		} {
			if _, summary := replayEdges(t, "-", strings.NewReader(line(size)+end)); !strings.Contains(summary, want) {
				t.Errorf("%d bytes and %q: %s", size, end, summary)
			}
		}
		text := line(3*limit) + "\n" + line(100) + "\n" + line(limit+1) + "\r\n" + line(limit) + end
		if _, summary := replayEdges(t, "-", strings.NewReader(text)); !strings.Contains(summary, `"in":4,"counted":2,`) || !strings.Contains(summary, `"too large":2`) {
			t.Errorf("several, %q: %s", end, summary)
		}
	}
}

// TestBoundsOfTime checks the first and the last moment there is, in all forms.
func TestBoundsOfTime(t *testing.T) {
	for value, minute := range map[string]string{
		"0": "1970-01-01T00:00:00Z", `"0"`: "1970-01-01T00:00:00Z", "-0": "1970-01-01T00:00:00Z", "0.9": "1970-01-01T00:00:00Z", "59999.999": "1970-01-01T00:00:00Z",
		"6e4": "1970-01-01T00:01:00Z", "0e999999999999": "1970-01-01T00:00:00Z", "1e-999999999999": "1970-01-01T00:00:00Z", `"1970-01-01T00:00:00Z"`: "1970-01-01T00:00:00Z",
		`"1970-01-01T05:29:59.999+05:30"`: "", `"1969-12-31T23:59:59.9999Z"`: "", `"1969-12-31T23:00:00-01:00"`: "1970-01-01T00:00:00Z", `"01/Jan/1970:00:00:00 +0001"`: "",
		"-1": "", "-0.0001": "", "-1e-999": "",
		"253402300799999": "9999-12-31T23:59:00Z", `"253402300799999.9"`: "9999-12-31T23:59:00Z", "253402300800000": "", "2534023007999999e-1": "9999-12-31T23:59:00Z", "2.53402300799999e14": "9999-12-31T23:59:00Z",
		`"9999-12-31T23:59:59.9999Z"`: "9999-12-31T23:59:00Z", `"10000-01-01T00:00:00Z"`: "", `"9999-12-31T23:59:59-00:01"`: "", `"31/Dec/9999:23:59:59 +0000"`: "9999-12-31T23:59:00Z",
		`"0000-01-01T00:00:00Z"`: "", "1e15": "", "1e400": "", "true": "", "null": "", `""`: "", `"1e3 "`: "",
	} {
		out, summary := replayEdges(t, "-", strings.NewReader(`{"sid":"s","ts":`+value+`}`))
		if minute == "" {
			if !strings.Contains(summary, `"no time":1`) {
				t.Errorf("%s: %s", value, summary)
			}
			continue
		}
		var f figureLine
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&f); err != nil || f.Minute.Format(time.RFC3339) != minute {
			t.Errorf("%s: %v %s %s", value, err, out, summary)
		}
	}
}
