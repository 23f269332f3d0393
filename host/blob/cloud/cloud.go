// Package cloud makes host/blob know the buckets of clouds, where it is
// imported: s3://, gs:// and azblob://, by gocloud.dev/blob.
//
//	s3://BUCKET/PREFIX?region=eu-central-1
//	s3://BUCKET/PREFIX?endpoint=http://127.0.0.1:9000&use_path_style=true&region=us-east-1
//	gs://BUCKET/PREFIX
//	azblob://CONTAINER/PREFIX?storage_account=ACCOUNT
//
// The path is a prefix of all names. Log-ins come from the environment and the
// machine, as the tools of the clouds take them: AWS_ACCESS_KEY_ID, AWS_PROFILE
// and so on, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_KEY and so on.
// Further settings are those of gocloud.dev's s3blob, gcsblob and azureblob.
package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	gocloud "gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/gcsblob"
	_ "gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"
	"gocloud.dev/gcp"
	"google.golang.org/api/option"

	"github.com/seed-6a2d649b/pharos/host/blob"
)

func init() {
	blob.Register("s3", openS3)
	blob.Register("gs", openGoogle)
	blob.Register("azblob", openAzure)
}

// An object is uploaded in parts of partSize bytes, parts of them at a time: so
// much memory a writer takes. S3 takes 10,000 parts, that is 80 GB.
const (
	partSize = 8 << 20
	parts    = 2
)

func openS3(ctx context.Context, u *url.URL) (blob.Driver, error) {
	q := u.Query()
	// Pharos has checksums of its own. What speaks S3's protocol elsewhere knows
	// those of the SDK often not.
	settle(q, "response_checksum_validation", "when_required")
	if q.Has("endpoint") {
		settle(q, "request_checksum_calculation", "when_required")
	}
	b, err := open(ctx, u, q, gocloud.DefaultURLMux().OpenBucketURL)
	if err != nil {
		return nil, err
	}
	b.abort = true
	return b, nil
}

// settle gives a setting a value where it has none.
func settle(q url.Values, name, value string) {
	if !q.Has(name) {
		q.Set(name, value)
	}
}

func openAzure(ctx context.Context, u *url.URL) (blob.Driver, error) {
	return open(ctx, u, u.Query(), gocloud.DefaultURLMux().OpenBucketURL)
}

// openGoogle does not go on without a log-in, as the driver would.
func openGoogle(ctx context.Context, u *url.URL) (blob.Driver, error) {
	opener := gcsblob.URLOpener{Client: gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())}
	if u.Query().Get("anonymous") == "" && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		creds, err := gcp.DefaultCredentials(ctx)
		if err != nil {
			return nil, fmt.Errorf("there is no log-in for Google Cloud; name its file in GOOGLE_APPLICATION_CREDENTIALS, or run where the machine has one: %w", err)
		}
		opener.TokenSource = gcp.CredentialsTokenSource(creds)
		if opener.Client, err = gcp.NewHTTPClient(gcp.DefaultTransport(), opener.TokenSource); err != nil {
			return nil, err
		}
		if domain, err := creds.GetUniverseDomain(); err == nil && domain != "" {
			opener.Options.ClientOptions = append(opener.Options.ClientOptions, option.WithUniverseDomain(domain))
		}
	}
	return open(ctx, u, u.Query(), opener.OpenBucketURL)
}

// open opens a bucket with the settings of q, and puts the URL's path before all
// names.
func open(ctx context.Context, u *url.URL, q url.Values, opener func(context.Context, *url.URL) (*gocloud.Bucket, error)) (*bucket, error) {
	switch {
	case u.Host == "":
		return nil, errors.New("the bucket's name is missing")
	case q.Has("prefix"):
		return nil, errors.New("prefix is no setting: a prefix of names stands behind the bucket's name, as a path")
	case q.Has("key"):
		return nil, errors.New("key is no setting: a bucket holds many objects")
	}
	b, err := opener(ctx, &url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: q.Encode()})
	if err != nil {
		return nil, hide(err)
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		b = gocloud.PrefixedBucket(b, prefix+"/")
	}
	return &bucket{b: b}, nil
}

// bucket is a gocloud bucket as host/blob sees it.
type bucket struct {
	b     *gocloud.Bucket
	abort bool // a write that fails must say so to the bucket, which keeps what it has until then
}

func (b *bucket) Close() error { return b.b.Close() }

func (b *bucket) Write(ctx context.Context, name string, onlyNew bool, write func(io.Writer) error) error {
	o := &gocloud.WriterOptions{ContentType: "application/octet-stream", IfNotExist: onlyNew, BufferSize: partSize, MaxConcurrency: parts}
	put := b.put
	if b.abort {
		put = b.upload
	}
	err := put(ctx, name, o, write)
	if onlyNew && gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return blob.ErrExists
	}
	return hide(err)
}

// put leaves nothing of a write that fails: a writer that is closed after its
// context has ended makes no object.
func (b *bucket) put(ctx context.Context, name string, o *gocloud.WriterOptions, write func(io.Writer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := b.b.NewWriter(ctx, name, o)
	if err != nil {
		return err
	}
	if err := write(w); err != nil {
		cancel()
		w.Close() // says that the context has ended
		return err
	}
	return w.Close()
}

// grace is how long an upload that is given up may take to say so.
const grace = 10 * time.Second

// upload is put where the parts of an upload that fails must be thrown away
// (S3): its context outlives ctx for that.
func (b *bucket) upload(ctx context.Context, name string, o *gocloud.WriterOptions, write func(io.Writer) error) error {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() {
		w.CloseWithError(context.Cause(ctx))
		end := time.AfterFunc(grace, cancel)
		context.AfterFunc(late, func() { end.Stop() })
	})
	defer stop()
	written := make(chan error, 1)
	go func() {
		err := write(w)
		if err == nil {
			err = context.Cause(ctx)
		}
		w.CloseWithError(err) // the end, where it is nil
		written <- err
	}()
	err := b.b.Upload(late, name, r, o)
	r.CloseWithError(cmp.Or(err, io.ErrClosedPipe))
	if failed := <-written; failed != nil {
		return failed // the cause of err, or err itself
	}
	return err
}

func (b *bucket) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := b.b.NewReader(ctx, name, nil)
	if err != nil {
		return nil, b.missing(ctx, err)
	}
	return r, nil
}

func (b *bucket) List(ctx context.Context, prefix string, each func(blob.Entry) error) error {
	for list := b.b.List(&gocloud.ListOptions{Prefix: prefix}); ; {
		o, err := list.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return hide(err)
		}
		if err := each(blob.Entry{Name: o.Key, Size: o.Size, ModTime: o.ModTime}); err != nil {
			return err
		}
	}
}

func (b *bucket) Delete(ctx context.Context, name string) error {
	return b.missing(ctx, b.b.Delete(ctx, name))
}

// missing tells an object that is missing from a bucket that is: who takes the
// one for the other would take lost state for none.
func (b *bucket) missing(ctx context.Context, err error) error {
	if err == nil || gcerrors.Code(err) != gcerrors.NotFound {
		return hide(err)
	}
	there, failed := b.b.IsAccessible(ctx)
	if failed == nil && there {
		return blob.ErrNotFound
	}
	return fmt.Errorf("the bucket itself is missing or can not be listed: %w", hide(errors.Join(err, failed)))
}
