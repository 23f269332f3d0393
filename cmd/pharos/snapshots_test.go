package main_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

const snapshotsDoc = root + "/docs/snapshots.md"

// keepSnapshots fills the directory of a bucket with what docs/snapshots.md shows.
func keepSnapshots(t *testing.T, dir string) {
	t.Helper()
	b, err := blob.Open(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s := snapshot.New(b, "pharos", 10)
	id, err := hex.DecodeString("6f1c0d5e8a4b4c1f9d2e3a5b7c8d9e0f")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []snapshot.Info{
		{Key: snapshot.Key{Partition: 0}, Offset: 1204331, Generation: 7}, {Key: snapshot.Key{Partition: 0}, Offset: 1180020, Generation: 6}, {Key: snapshot.Key{Partition: 1}, Offset: 1198402, Generation: 7},
	} {
		i.Route, i.Topic, i.TopicID = "web", "pharos.web", [16]byte(id)
		if err := s.Put(t.Context(), i, func(w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte("state"), 1000))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.PutModule(t.Context(), []byte("module")); err != nil {
		t.Fatal(err)
	}
}

// newest is the snapshot that broken tests break.
const newest = "groups/pharos/snapshots/web/pharos.web/6f1c0d5e8a4b4c1f9d2e3a5b7c8d9e0f/00000/0000000000001204331-g7"

// alike is an output without what differs from run to run: digests, sizes, ages
// and the width of columns.
func alike(text string) string {
	for _, r := range []struct{ what, by string }{
		{`sha256:[0-9a-f]{64}`, "DIGEST"}, {`(?m)^(snapshot .*?) \d+ +\w+ +([0-9a-f]{32})`, "$1 BYTES AGE $2"}, {` +`, " "}, {`(?m) $`, ""},
	} {
		text = regexp.MustCompile(r.what).ReplaceAllString(text, r.by)
	}
	return text
}

// The commands of docs/snapshots.md print what stands there.
func TestSnapshotsDoc(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(snapshotsDoc)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, b := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(doc, -1) {
		if _, err := config.Parse("snapshots.md", dir, b[1]); err != nil {
			t.Errorf("%v\nin\n%s", err, b[1])
		}
	}
	keepSnapshots(t, filepath.Join(dir, "data", "snapshots"))
	if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(small), 0o666); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```console\n\\$ pharos (.*?)\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		p := start(t, dir, nil, strings.Fields(b[1])...)
		if code := p.code(t); code != 0 {
			t.Errorf("pharos %s: exit code %d", b[1], code)
		}
		if got, want := alike(p.out.String()), alike(b[2]); got != want {
			t.Errorf("pharos %s\n%s\nthe docs say\n%s", b[1], got, want)
		}
	}
}

// What docs/snapshots.md says that Pharos says, it says.
func TestMessagesOfSnapshotsDoc(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(snapshotsDoc)
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, dir := range []string{"host/blob", "host/blob/cloud", "host/snapshot", "host/session"} {
		files, err := filepath.Glob(root + "/" + dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(text)
		}
	}
	_, table, found := strings.Cut(string(doc), "| it says | what to do |")
	n := 0
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(cells[1], -1) {
				n++
				if text := strings.ReplaceAll(m[1], "it is a snapshot of … not", "it is %s, not"); !strings.Contains(code.String(), text) {
					t.Errorf("nothing says %q", m[1])
				}
			}
		}
	}
	if !found || n < 10 {
		t.Errorf("%d messages", n)
	}
}

func TestSnapshotsCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "shop.yaml")
	if err := os.WriteFile(file, []byte(small), 0o666); err != nil {
		t.Fatal(err)
	}
	_, errs, code := run(t, "snapshots", "ls", "-c", file)
	said(t, errs, code, 1, "no host has kept snapshots here", filepath.Join(dir, "data", "snapshots"))
	bucket := filepath.Join(dir, "data", "snapshots")
	if _, err := os.Stat(bucket); err == nil {
		t.Error("ls has made the directory")
	}
	keepSnapshots(t, bucket)
	lines := strings.Split(strings.TrimSpace(mustRun(t, "snapshots", "ls", "-c", file, "--json")), "\n")
	var first struct {
		Kind, Topic, Fault string
		Partition          int32
		Offset, Bytes      int64
		Written            time.Time
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 4 || first.Kind != "snapshot" || first.Topic != "pharos.web" ||
		first.Offset != 1204331 || first.Bytes == 0 || time.Since(first.Written) > time.Hour || strings.Contains(lines[0], "fault") {
		t.Errorf("%v in %s", err, lines)
	}
	// One bit of one snapshot.
	path := filepath.Join(bucket, filepath.FromSlash(newest))
	object, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	object[len(object)/2] ^= 8
	if err := os.WriteFile(path, object, 0o666); err != nil {
		t.Fatal(err)
	}
	out, errs, code := run(t, "snapshots", "verify", "-c", file)
	said(t, errs, code, 1, "1 of 4 are broken", "docs/snapshots.md")
	if !strings.Contains(out, newest+": broken: a checksum does not hold") || strings.Count(out, " ok\n") != 3 {
		t.Errorf("%s", out)
	}
	out, errs, code = run(t, "snapshots", "verify", "-c", file, "--topic", "pharos.mobile")
	said(t, errs, code, 0, "nothing is kept in file://"+bucket+", group pharos")
	if out != "" {
		t.Errorf("%s", out)
	}
	_, errs, code = run(t, "snapshots", "remove")
	said(t, errs, code, 2, `has no command "remove"`)
}

// TestMoveToS3 moves a bucket as docs/snapshots.md says.
func TestMoveToS3(t *testing.T) {
	dir := t.TempDir()
	keepSnapshots(t, dir)
	backend := s3mem.New()
	if err := backend.CreateBucket("shop-pharos"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(server.Close)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		object, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/shop-pharos/production/"+filepath.ToSlash(name), bytes.NewReader(object))
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(put)
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", path, answer.Status)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
	file := writeConfig(t, small+"snapshots: {url: 's3://shop-pharos/production?region=us-east-1&use_path_style=true&endpoint="+url.QueryEscape(server.URL)+"'}\n")
	if out := mustRun(t, "snapshots", "verify", "-c", file); strings.Count(out, " ok\n") != 4 {
		t.Errorf("%s", out)
	}
	server.Close()
	_, errs, code := run(t, "snapshots", "ls", "-c", file)
	said(t, errs, code, 1, "bucket s3://shop-pharos/production: list groups/pharos/snapshots/")
	if strings.Contains(errs, "topsecret") || strings.Contains(errs, "use_path_style") {
		t.Errorf("%s", errs)
	}
}
