package blob_test

import (
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/blob/blobtest"
)

func open(t *testing.T, url string) *blob.Bucket {
	t.Helper()
	b, err := blob.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestDirectory(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) *blob.Bucket { return open(t, "file://"+t.TempDir()+"/to be made") })
}

func TestMemory(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) *blob.Bucket { return open(t, "mem://") })
}

func TestMemoryByName(t *testing.T) {
	blobtest.Put(t, open(t, "mem://"+t.Name()), "a", "x")
	blobtest.Put(t, open(t, "mem://other"+t.Name()), "b", "x")
	if got := blobtest.Names(t, open(t, "mem://"+t.Name()), ""); got != "a" {
		t.Errorf("%s", got)
	}
}

func TestOpenFails(t *testing.T) {
	for url, want := range map[string]string{
		"data/snapshots":        "has no scheme",
		"file://":               "the directory is missing",
		"file:///dev/null":      "bucket file:///dev/null: mkdir /dev/null: not a directory",
		"ftp://x/y?key=secret":  "bucket ftp://x/y: there is no ftp:// here; known are file, mem",
		"ftp://u:secret@x":      "bucket ftp://x: there",
		"ftp://u:secret@x%zz/a": "the URL of a bucket, of ftp://, can not be read",
	} {
		_, err := blob.Open(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestLabel(t *testing.T) {
	for url, want := range map[string]string{
		"file:///a?b#c@d":         "file:///a?b#c@d",
		"s3://bucket":             "s3://bucket",
		"s3://bucket/a/b?x=y#z":   "s3://bucket/a/b",
		"s3://u:p@bucket/a@b?x=y": "s3://bucket/a@b",
	} {
		if got := blob.Label(url); got != want {
			t.Errorf("%s: %s", url, got)
		}
	}
}
