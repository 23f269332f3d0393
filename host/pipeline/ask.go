package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/rollout"
)

// AskStatus asks a running host what it does; text is its answer as it came.
func AskStatus(ctx context.Context, addr string) (status *Status, text json.RawMessage, err error) {
	if text, err = askHost(ctx, http.MethodGet, addr, "api/v1/status"); err != nil {
		return nil, nil, err
	}
	status, err = answered[Status](addr, text)
	return status, text, err
}

// AskPhase has a running host promote a plugin or roll it back, which the action says.
func AskPhase(ctx context.Context, addr, name, action string) (*PhaseAnswer, error) {
	text, err := askHost(ctx, http.MethodPost, addr, "-/plugins/"+url.PathEscape(name)+"/"+action)
	if err != nil {
		return nil, err
	}
	return answered[PhaseAnswer](addr, text)
}

// AskDiff asks a running host how the versions of a plugin differ.
func AskDiff(ctx context.Context, addr, name string) (*rollout.Report, error) {
	text, err := askHost(ctx, http.MethodGet, addr, "api/v1/plugins/"+url.PathEscape(name)+"/diff")
	if err != nil {
		return nil, err
	}
	return answered[rollout.Report](addr, text)
}

// ErrRefused is wrapped in the error of a reload whose config is refused.
var ErrRefused = errors.New("refused")

// AskReload has a running host read its config file anew. With dry it only says
// what would change.
func AskReload(ctx context.Context, addr string, dry bool) (*ReloadAnswer, error) {
	path := "-/reload"
	if dry {
		path += "?dry_run"
	}
	text, err := askHost(ctx, http.MethodPost, addr, path)
	var said *hostError
	switch {
	case errors.As(err, &said) && said.code == http.StatusUnprocessableEntity:
		return nil, fmt.Errorf("the config is %w, the host goes on as before:\n%s", ErrRefused, said.text)
	case errors.As(err, &said):
		return nil, fmt.Errorf("the host goes on as before: %w", err)
	case err != nil:
		return nil, err
	}
	return answered[ReloadAnswer](addr, text)
}

// hostError is what a host answers when it does not do what it was asked for.
type hostError struct {
	code int
	text string
}

func (e *hostError) Error() string { return e.text }

// maxAnswer bounds an answer of a host.
const maxAnswer = 16 << 20

// askHost asks a running host at a path, and gives its answer. What is not there is
// a usage error, of the kind hostError like others.
func askHost(ctx context.Context, method, addr, path string) (json.RawMessage, error) {
	target := strings.TrimSuffix(addr, "/") + "/" + path
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, usagef("--addr: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w (is a host running? Name its address with --addr, or its config with -c)", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", addr, err)
	}
	if resp.StatusCode == http.StatusOK {
		return body, nil
	}
	failed := &hostError{resp.StatusCode, errorText(resp, body)}
	if failed.code == http.StatusNotFound {
		return nil, &UsageError{failed}
	}
	return nil, failed
}

// unknownPath is what Go's servers answer at a path that they do not have.
const unknownPath = "404 page not found"

// errorText is what an answer says of an error: in JSON, or as plain text. Anything
// else is not of a host.
func errorText(resp *http.Response, body []byte) string {
	var said struct{ Error, Hint string }
	if json.Unmarshal(body, &said) == nil && said.Error != "" {
		return said.Error + " (" + said.Hint + ")"
	}
	if text := strings.TrimSpace(string(body)); text != "" && text != unknownPath && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		return text
	}
	return fmt.Sprintf("%s answers %s (is it a host of Pharos? Name its address with --addr, or its config with -c)", resp.Request.URL, resp.Status)
}

// answered reads an answer of the host at an address.
func answered[T any](addr string, text json.RawMessage) (*T, error) {
	var answer T
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w (is it a host of Pharos?)", addr, err)
	}
	return &answer, nil
}
