package config

import (
	"net/url"
	"slices"
	"strings"
)

// Bucket is the URL of a place for objects: a directory, or a bucket of a cloud.
// It holds no secret.
type Bucket struct {
	given string
	path  Path // of a file:// URL
}

// String is the URL as the file gives it; a relative file:// begins at the main
// file.
func (b Bucket) String() string { return b.given }

// IsZero tells that no URL is given.
func (b Bucket) IsZero() bool { return b.given == "" }

// SnapshotBucket is the URL of the bucket of snapshots, as host/blob opens it:
// that of snapshots.url, or else the directory snapshots below data. (The latter
// is not filled in: hosts of a group may have their data in different places.)
func (c *Config) SnapshotBucket() string {
	b := c.Snapshots.URL
	switch {
	case b.IsZero():
		return "file://" + c.Data.Join("snapshots").String()
	case !b.path.IsZero():
		return "file://" + b.path.String()
	}
	return b.given
}

// clouds are the schemes of buckets beside file.
var clouds = []string{"s3", "gs", "azblob", "mem"}

func (b *Bucket) decode(d *decoder, n *node, at keyPath) {
	text, ok := d.text(n, at)
	if !ok {
		return
	}
	scheme, rest, found := strings.Cut(text, "://")
	fault := func(format string, args ...any) { d.faultAt(n.pos, at, format, args...) }
	switch {
	case !found && text != "":
		fault("%q has no scheme; a directory is file://%s", text, text)
		return
	case rest == "" || strings.ContainsFunc(text, isControl):
		fault("%q is no URL", text)
		return
	case scheme == "file":
		path := d.pathIn(n.file, rest)
		*b = Bucket{given: "file://" + path.given, path: path}
		return
	case !slices.Contains(clouds, scheme):
		fault("the scheme %s:// is unknown; there are file, %s", scheme, oneOf(clouds))
		return
	}
	// The URL goes into the topic of generations, and into messages.
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		fault("the URL can not be read; it is %s://NAME, and further settings behind a ?", scheme)
		return
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		fault("what stands behind the ? can not be read; it is name=value&name=value")
		return
	}
	secret := u.User != nil || u.Fragment != ""
	for _, values := range query {
		for _, v := range values {
			secret = secret || strings.Contains(v, "@") || strings.Contains(v, "?")
		}
	}
	if secret {
		fault("the URL holds a log-in, or something like it; log-ins come from the environment, as the tools of the cloud take them")
		return
	}
	*b = Bucket{given: text}
}

func (b Bucket) encode(dst []byte) []byte { return appendText(dst, b.given) }
