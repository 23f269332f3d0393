package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// hungError is of a server that says nothing for too long.
type hungError struct {
	waited time.Duration
	what   string // was waited for
	err    error  // what is known of it; may be nil
}

func (e *hungError) Error() string {
	return e.short() + " (see whether it answers this machine, by curl say; a proxy belongs into HTTPS_PROXY; or take the module from a file)"
}

// short says it without what can be done.
func (e *hungError) short() string {
	return fmt.Sprintf("the server hangs: waited %v for %s", e.waited, e.what)
}

func (e *hungError) Unwrap() error { return e.err }

// watched is a transport that says what it has waited for in vain, and does not wait
// for more of an answer for longer than silence.
type watched struct {
	transport *http.Transport
	silence   time.Duration
}

// newClient makes a client that waits for an answer, and for more of it, for so long.
func newClient(t *http.Transport, silence time.Duration) *http.Client {
	t = t.Clone()
	t.ResponseHeaderTimeout = silence
	return &http.Client{Transport: &watched{t, silence}, CheckRedirect: checkRedirect}
}

// RoundTrip implements http.RoundTripper.
func (t *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	ctx, cancel := context.WithCancelCause(r.Context())
	resp, err := t.transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel(nil)
		if what := awaited(err); what != "" && r.Context().Err() == nil {
			err = &hungError{time.Since(began).Round(100 * time.Millisecond), what, err}
		}
		return nil, err
	}
	resp.Body = &watchedBody{resp.Body, ctx, cancel, t.silence}
	return resp, nil
}

// awaited is what a request has waited for in vain; "": it failed otherwise.
func awaited(err error) string {
	var network net.Error
	var step *net.OpError
	switch {
	case !errors.As(err, &network) || !network.Timeout():
		return ""
	case errors.As(err, &step) && step.Op == "dial":
		return "a connection"
	case strings.Contains(err.Error(), "TLS handshake"): // which has no type of its own
		return "the TLS handshake"
	}
	return "an answer"
}

// watchedBody is the rest of an answer.
type watchedBody struct {
	io.ReadCloser
	ctx     context.Context // of the request
	cancel  context.CancelCauseFunc
	silence time.Duration
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.silence, func() { b.cancel(&hungError{waited: b.silence, what: "more of its answer"}) })
	n, err := b.ReadCloser.Read(p)
	timer.Stop()
	var hung *hungError
	if err != nil && errors.As(context.Cause(b.ctx), &hung) {
		err = hung
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}

// hungAgain is for how long a server that hung is not asked again: a config can have
// many modules of it.
const hungAgain = 30 * time.Second

// hungServers are those that were given up lately, by host and port.
type hungServers struct {
	mu   sync.Mutex
	last map[string]hungServer
}

type hungServer struct {
	at  time.Time
	err error
}

func (h *hungServers) note(address string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[serverOf(address)] = hungServer{time.Now(), err}
}

// lately is why the server of an address was given up lately; nil: it was not.
func (h *hungServers) lately(address string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	last, ok := h.last[serverOf(address)]
	if !ok || time.Since(last.at) > hungAgain {
		delete(h.last, serverOf(address))
		return nil
	}
	return fmt.Errorf("not asked again so soon: %w", last.err)
}

// serverOf is host and port of an address.
func serverOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

type tellKey struct{}

// Tell has whoever fetches under the context say what it waits for, once it has
// waited for some seconds. Several goroutines may say something at a time.
func Tell(ctx context.Context, say func(text string)) context.Context {
	return context.WithValue(ctx, tellKey{}, say)
}

// tell says something to whoever wants to know.
func tell(ctx context.Context, format string, args ...any) {
	if say, ok := ctx.Value(tellKey{}).(func(string)); ok {
		say(fmt.Sprintf(format, args...))
	}
}
