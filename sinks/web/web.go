// Package web asks stores over HTTP.
package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/sinks"
)

// maxFault is how much of an answer that tells of a fault is kept.
const maxFault = 1000

// Options say where a store is, and who asks.
type Options struct {
	URL            string // http or https, perhaps with a path before the store's own
	User, Password string // of basic authentication
	Token          string // bearer; instead of a user
	TLS            *tls.Config
}

// Client asks one store. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	o     Options
	plain *http.Client
}

// New checks the address. It does not connect yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("url %q is not the address of a store: write http:// or https://, host and port, without user or query", u.Redacted())
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.TLS
	transport.MaxIdleConnsPerHost = 8
	transport.ResponseHeaderTimeout = 5 * time.Minute
	return &Client{u, o, &http.Client{Transport: transport}}, nil
}

// Close lets idle connections go.
func (c *Client) Close() { c.plain.CloseIdleConnections() }

// Request is one question to a store.
type Request struct {
	Doing  string // "write" or "read", for errors
	Method string
	Path   string // below the store's address
	Query  url.Values
	Header map[string]string
	Body   []byte
	// Read says that nothing is written: no answer of the store means that a smaller
	// write would do.
	Read bool
}

// Do asks, and gives the body of an answer of success, which the caller must close.
// Everything else is a *sinks.Error.
func (c *Client) Do(ctx context.Context, r Request) (io.ReadCloser, error) {
	body, _, err := c.DoTyped(ctx, r)
	return body, err
}

// DoTyped is Do, and tells the answer's content type.
func (c *Client) DoTyped(ctx context.Context, r Request) (body io.ReadCloser, contentType string, err error) {
	u := *c.base
	u.Path += r.Path
	u.RawQuery = r.Query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, "", sinks.Never(r.Doing, 0, err.Error())
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	switch {
	case c.o.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	case c.o.User != "":
		req.SetBasicAuth(c.o.User, c.o.Password)
	}
	answer, err := c.plain.Do(req)
	if err != nil {
		return nil, "", sinks.Again(r.Doing, 0, "no answer: "+unwrapped(err).Error())
	}
	if answer.StatusCode/100 == 2 {
		return answer.Body, answer.Header.Get("Content-Type"), nil
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxFault)) // what came of it tells enough
	return nil, "", fault(r, answer.StatusCode, string(text))
}

// unwrapped leaves out of a client's error the method and address, which the
// reader knows, and which may hold secrets.
func unwrapped(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// fault sorts an answer by its status.
func fault(r Request, status int, text string) *sinks.Error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return sinks.Never(r.Doing, status, text)
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusConflict:
		return sinks.Again(r.Doing, status, text)
	}
	switch {
	case status >= 500:
		return sinks.Again(r.Doing, status, text)
	case status >= 400 && !r.Read:
		return sinks.Smaller(r.Doing, status, text)
	}
	return sinks.Never(r.Doing, status, text)
}

// Ask asks, and gives the whole answer, which may have so many bytes.
func (c *Client) Ask(ctx context.Context, r Request, limit int64) ([]byte, error) {
	body, err := c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return ReadAll(body, r.Doing, limit)
}

// ReadAll reads an answer that may have so many bytes.
func ReadAll(body io.Reader, doing string, limit int64) ([]byte, error) {
	answer, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, sinks.Again(doing, 0, "the answer breaks off: "+err.Error())
	}
	if int64(len(answer)) > limit {
		return nil, &TooLargeError{doing, limit}
	}
	return answer, nil
}

// TooLargeError is of an answer that is larger than whoever asked takes: he may ask
// for less.
type TooLargeError struct {
	Doing string
	Limit int64
}

// Error says the bound.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s: the answer has more than %d bytes", e.Doing, e.Limit)
}

// Gzip packs a body.
func Gzip(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one
	}
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}
