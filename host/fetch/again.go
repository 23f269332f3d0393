package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// statusError is an answer that is no success.
type statusError struct {
	code  int
	after time.Duration // when the server wants to be asked again; 0: it does not say
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("the server answers %d %s", e.code, http.StatusText(e.code))
	if e.code == http.StatusUnauthorized || e.code == http.StatusForbidden {
		text += ": it wants a log-in, and modules are fetched without one: take a registry (oci://), which has log-ins"
	}
	return text
}

// errRedirect is a redirect that is not followed.
var errRedirect = errors.New("redirected to where modules are not fetched from")

const maxRedirects = 5

// checkRedirect follows few redirects, and none that leaves TLS.
func checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d times", errRedirect, maxRedirects)
	case r.URL.Scheme == "https":
		return nil
	case r.URL.Scheme == "http" && via[0].URL.Scheme == "http" && isLoopback(r.URL.Host):
		return nil
	}
	return fmt.Errorf("%w: %s://%s", errRedirect, r.URL.Scheme, r.URL.Host)
}

// maxHung is how often a server may hang.
const maxHung = 2

// again gets something from an address until it goes well, as often as may help.
func again[T any](ctx context.Context, f *Fetcher, address string, do func(context.Context) (T, error)) (T, error) {
	if err := f.hung.lately(address); err != nil {
		var none T
		return none, err
	}
	began := time.Now()
	slow := time.AfterFunc(f.quiet, func() { tell(ctx, "waiting for %s", show(address)) })
	defer slow.Stop()
	b := backoff.NewExponentialBackOff() // jittered by half
	b.InitialInterval, b.MaxInterval = f.pause, 10*time.Second
	hung := 0
	return backoff.Retry(ctx, func() (T, error) {
		try, cancel := context.WithTimeout(ctx, f.timeout)
		defer cancel()
		v, err := do(try)
		if err != nil && try.Err() != nil && ctx.Err() == nil {
			err = &hungError{f.timeout, "all of its answer", err}
		}
		var status *statusError
		var silent *hungError
		if errors.As(err, &silent) {
			if hung++; hung == maxHung {
				f.hung.note(address, silent)
			}
		}
		switch {
		case err == nil:
		case ctx.Err() != nil || !mayPass(err) || hung == maxHung:
			err = backoff.Permanent(err)
		case errors.As(err, &status) && status.after > 0:
			// The server's wish is one try's pause, so that the last error is told, not the wish.
			select {
			case <-ctx.Done():
			case <-time.After(status.after):
			}
		}
		return v, err
	}, backoff.WithBackOff(b), backoff.WithMaxTries(f.tries), backoff.WithNotify(func(err error, _ time.Duration) {
		if time.Since(began) < f.quiet {
			return
		}
		text := hideAddress(err).Error()
		if silent := (*hungError)(nil); errors.As(err, &silent) {
			text = silent.short()
		}
		tell(ctx, "fetch %s: %s; trying again", show(address), text)
	}))
}

// mayPass tells whether it may go well the next time.
func mayPass(err error) bool {
	var status *statusError
	var answer *errcode.ErrorResponse
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var header tls.RecordHeaderError
	var unknown *net.DNSError
	var request *url.Error
	var network net.Error
	var hung *hungError
	switch {
	case errors.As(err, &hung):
		return true
	case errors.As(err, &status):
		return passing(status.code)
	case errors.As(err, &answer):
		return passing(answer.StatusCode)
	case errors.As(err, new(tooLarge)), errors.Is(err, errRedirect), errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &header):
		return false
	case errors.As(err, &unknown):
		return !unknown.IsNotFound
	}
	return errors.As(err, &request) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

func passing(code int) bool {
	return code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500 && code != http.StatusNotImplemented
}
