package config

import (
	"strings"
	"testing"
)

func TestBucket(t *testing.T) {
	for text, want := range map[string]string{
		"file://data/snapshots":                         "file://testdata/data/snapshots",
		"file:///var/lib/pharos":                        "file:///var/lib/pharos",
		"file://a?b#c":                                  "file://testdata/a?b#c",
		"s3://bucket":                                   "",
		"s3://bucket/a/b?region=eu-central-1":           "",
		"s3://b?endpoint=http://127.0.0.1:9000&region=": "",
		"gs://bucket/x":                                 "",
		"azblob://container?storage_account=shop":       "",
		"mem://x": "",
	} {
		got, _, faults := decodeAs[Bucket](text, nil)
		if len(faults) > 0 || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, faults)
		}
		if want == "" {
			want = text
		}
		if is := (&Config{Snapshots: Snapshots{URL: got}}).SnapshotBucket(); is != want {
			t.Errorf("%q is opened as %s", text, is)
		}
	}
	for text, want := range map[string]string{
		"data/snapshots":       "has no scheme; a directory is file://data/snapshots",
		`""`:                   "is no URL",
		"s3://":                "is no URL",
		"s3:///path":           "it is s3://NAME",
		"https://x":            "the scheme https:// is unknown; there are file, s3, gs, azblob or mem",
		"s3://b?x=%zz":         "name=value&name=value",
		"s3://key:topsecret@b": "log-ins come from the environment",
		"s3://b#topsecret":     "log-ins come from the environment",
		"s3://b?endpoint=http://key:topsecret@127.0.0.1:1": "log-ins come from the environment",
		"azblob://b?domain=x?sig=topsecret":                "log-ins come from the environment",
		"s3://b%zz?x=topsecret":                            "it is s3://NAME",
		"[a]":                                              "",
	} {
		got, _, faults := decodeAs[Bucket](text, nil)
		if len(faults) != 1 || !got.IsZero() || !strings.Contains(faults[0].Error(), want) || strings.Contains(faults[0].Error(), "topsecret") {
			t.Errorf("%q: %v, %v", text, got, faults)
		}
	}
}
