package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// fromWeb gets a module from a web server, and its signature from beside it.
func (f *Fetcher) fromWeb(ctx context.Context, address string, want Want) (*Package, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, addressf("%s is no address of a module: it is https://HOST/PATH, without a log-in", show(address))
	}
	if u.Scheme == "http" && !isLoopback(u.Host) {
		return nil, addressf("%s: plain HTTP is for this machine only: take https://", show(address))
	}
	p := &Package{Cached: true}
	if p.Module, err = f.resource(ctx, u, maxModule, want, p); err != nil {
		return nil, err
	}
	if !want.Signature {
		return p, nil
	}
	beside := *u
	beside.Path += SignatureSuffix
	beside.RawPath = ""
	p.Signature, err = f.resource(ctx, &beside, MaxSignatureBytes, Want{Fresh: want.Fresh}, p)
	var status *statusError
	if errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusGone) {
		return p, nil
	}
	return p, err
}

// resource gets what is at a URL. Where the server says that it is what the cache
// has, that is taken. The package learns that the server was asked.
func (f *Fetcher) resource(ctx context.Context, u *url.URL, limit int, want Want, of *Package) (Part, error) {
	address := u.String()
	part := func(content []byte) Part { return Part{Content: content, From: show(address)} }
	if !want.Fresh {
		if content := f.cache.content(want.Digest); content != nil {
			return part(content), nil
		}
	}
	var known []byte
	etag := ""
	if e := f.cache.entry(address); e != nil {
		if known = f.cache.content(e.Content); known != nil {
			etag = e.ETag
		}
	}
	if known != nil && !want.Fresh && want.Digest == "" {
		return part(known), nil
	}
	of.Cached = false
	type answer struct {
		content []byte
		etag    string
	}
	got, err := again(ctx, f, address, func(ctx context.Context) (answer, error) {
		content, tag, err := f.request(ctx, address, etag, limit)
		return answer{content, tag}, err
	})
	if err != nil {
		return Part{}, fmt.Errorf("fetch %s: %w", show(address), hideAddress(err))
	}
	if got.content == nil {
		return part(known), nil
	}
	return part(got.content), f.cache.keep(address, entry{ETag: got.etag, Content: Digest(got.content)}, got.content)
}

// request asks once; the content is nil where it is still that of the tag.
func (f *Fetcher) request(ctx context.Context, address, known string, limit int) (content []byte, etag string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	if known != "" {
		r.Header.Set("If-None-Match", known)
	}
	resp, err := f.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	switch {
	case resp.StatusCode == http.StatusNotModified && known != "":
		return nil, known, nil
	case resp.StatusCode != http.StatusOK:
		after, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // a date is not waited for
		return nil, "", &statusError{resp.StatusCode, min(time.Duration(max(after, 0))*time.Second, 30*time.Second)}
	case resp.ContentLength > int64(limit):
		return nil, "", tooLarge{limit}
	}
	content, err = readAll(resp.Body, limit)
	if err == nil {
		err = ctx.Err() // a server can take our hanging up for a reason to end its answer well
	}
	return content, resp.Header.Get("ETag"), err
}

// hideAddress takes the address out of an error that says it whole.
func hideAddress(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
