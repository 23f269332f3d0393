package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/blob/blobtest"
)

// s3 starts a server of S3's protocol, and gives the settings of a URL that
// reaches it.
func s3(t *testing.T, buckets ...string) string {
	backend := s3mem.New()
	for _, b := range buckets {
		if err := backend.CreateBucket(b); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(server.Close)
	return "?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(server.URL)
}

func bucketAt(t *testing.T, url string) *blob.Bucket {
	t.Helper()
	b, err := blob.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// TestMain gives the log-ins that drivers take once a process.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "topsecret", "AWS_EC2_METADATA_DISABLED": "true",
		"AZURE_STORAGE_ACCOUNT": "shop", "AZURE_STORAGE_KEY": "dG9wc2VjcmV0",
	} {
		os.Setenv(name, value)
	}
	os.Exit(m.Run())
}

func TestS3(t *testing.T) {
	n := 0
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprint("bucket-", i))
	}
	query := s3(t, all...)
	for _, prefix := range []string{"", "/a/prefix"} {
		t.Run("prefix"+prefix, func(t *testing.T) {
			blobtest.Run(t, func(t *testing.T) *blob.Bucket {
				n++
				return bucketAt(t, "s3://"+all[n-1]+prefix+query)
			})
		})
	}
}

func TestPrefixesAreApart(t *testing.T) {
	query := s3(t, "one")
	a, b, all := bucketAt(t, "s3://one/a"+query), bucketAt(t, "s3://one/ab/c/"+query), bucketAt(t, "s3://one"+query)
	blobtest.Put(t, a, "x", "1")
	blobtest.Put(t, b, "x", "2")
	blobtest.Put(t, all, "x", "3")
	if got := blobtest.Names(t, a, "") + ", " + blobtest.Names(t, b, "") + ", " + blobtest.Names(t, all, ""); got != "x, x, a/x ab/c/x x" {
		t.Errorf("%s", got)
	}
}

// What can not be reached is not taken for empty.
func TestBucketIsMissing(t *testing.T) {
	b := bucketAt(t, "s3://none/a"+s3(t, "one"))
	_, err := b.Read(t.Context(), "x")
	check := func(what string, err error) {
		t.Helper()
		if err == nil || errors.Is(err, blob.ErrNotFound) || !strings.Contains(err.Error(), "bucket s3://none/a: "+what) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%v", err)
		}
	}
	check("read x: the bucket itself is missing", err)
	_, err = b.List(t.Context(), "x")
	check("list x", err)
	check("delete x", b.Delete(t.Context(), "x"))
	check("write x", b.Write(t.Context(), "x", func(w io.Writer) error { return nil }))
}

func TestURLs(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist")
	for url, want := range map[string]string{
		"s3://":                                    "the bucket's name is missing",
		"s3://b?prefix=a":                          "prefix is no setting",
		"s3://b?regio=topsecret":                   `unknown query parameter "regio"`,
		"s3://b?use_path_style=maybe":              "use_path_style",
		"gs://b":                                   "there is no log-in for Google Cloud; name its file in GOOGLE_APPLICATION_CREDENTIALS",
		"gs://b?anonymous=true&key=x":              "key is no setting",
		"gs://?anonymous=true":                     "the bucket's name is missing",
		"azblob://c?storage_account=a&key=x":       "key is no setting",
		"gs://b?anonymous=true&x=y":                `invalid query parameter "x"`,
		"azblob://c?storage_account=a&x=y":         `unknown query parameter "x"`,
		"azblob://c?storage_account=a&protocol=ws": "invalid protocol",
	} {
		_, err := blob.Open(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"s3://b", "s3://b/a/b?region=eu-central-1", "gs://b/a?anonymous=true", "azblob://c?storage_account=a"} {
		b := bucketAt(t, url)
		if got, _, _ := strings.Cut(url, "?"); b.String() != got {
			t.Errorf("%s is called %s", url, b)
		}
	}
}

// recorder answers nothing that is there, and keeps what was asked for.
func recorder(t *testing.T, status int, body string) (address string, asked func() string) {
	requests := make(chan string, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Method + " " + r.URL.String()
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), func() string {
		var all []string
		for len(requests) > 0 {
			all = append(all, <-requests)
		}
		return strings.Join(all, "\n")
	}
}

func TestGoogle(t *testing.T) {
	address, asked := recorder(t, http.StatusOK, `{"kind":"storage#objects","items":[{"name":"a/b/x","size":"5","updated":"2026-01-01T00:00:00Z"}]}`)
	t.Setenv("STORAGE_EMULATOR_HOST", address)
	b := bucketAt(t, "gs://shop/a/b")
	list, err := b.List(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].Name != "x" || list[0].Size != 5 || list[0].ModTime.Year() != 2026 {
		t.Errorf("%+v, %v", list, err)
	}
	if got := asked(); !strings.Contains(got, "GET /storage/v1/b/shop/o?") || !strings.Contains(got, "prefix=a%2Fb%2F") {
		t.Errorf("asked for %s", got)
	}
}

func TestAzure(t *testing.T) {
	address, asked := recorder(t, http.StatusOK, `<?xml version="1.0"?><EnumerationResults ContainerName="c"><Blobs><Blob><Name>a/x</Name><Properties><Content-Length>5</Content-Length><Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified><Etag>1</Etag></Properties></Blob></Blobs></EnumerationResults>`)
	b := bucketAt(t, "azblob://c/a?protocol=http&domain="+address)
	list, err := b.List(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].Name != "x" || list[0].Size != 5 || list[0].ModTime.Year() != 2026 {
		t.Errorf("%+v, %v", list, err)
	}
	if got := asked(); !strings.Contains(got, "GET /shop/c?") || !strings.Contains(got, "prefix=a%2F") {
		t.Errorf("asked for %s", got)
	}
}

// No error shows the query of an address.
func TestSignaturesAreHidden(t *testing.T) {
	b := bucketAt(t, "s3://b?region=us-east-1&use_path_style=true&endpoint="+url.QueryEscape("http://127.0.0.1:1/?sig=topsecret"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := b.List(ctx, ""); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("%v", err)
	}
	err := hide(fmt.Errorf(`Get "https://a.blob.core.windows.net/c?sv=1&sig=topsecret": dial: %w`, io.ErrUnexpectedEOF))
	if got := err.Error(); got != `Get "https://a.blob.core.windows.net/c?(hidden)": dial: unexpected EOF` || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%s", got)
	}
}
