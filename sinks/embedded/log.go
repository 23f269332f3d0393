package embedded

import (
	"context"
	"log/slog"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// handler gives the database's messages to hclog, one level lower: what it
// calls information (each compaction) is detail to an operator.
type handler struct {
	log  hclog.Logger
	args []any
}

var _ slog.Handler = handler{}

func newSlog(l hclog.Logger) *slog.Logger { return slog.New(handler{log: l}) }

func level(l slog.Level) hclog.Level {
	switch {
	case l >= slog.LevelError:
		return hclog.Error
	case l >= slog.LevelWarn:
		return hclog.Warn
	case l >= slog.LevelInfo:
		return hclog.Debug
	}
	return hclog.Trace
}

func (h handler) Enabled(_ context.Context, l slog.Level) bool {
	return h.log.GetLevel() <= level(l)
}

func (h handler) Handle(_ context.Context, r slog.Record) error {
	args := append([]any(nil), h.args...)
	r.Attrs(func(a slog.Attr) bool {
		args = append(args, a.Key, a.Value.Any())
		return true
	})
	at := level(r.Level)
	if strings.HasPrefix(r.Message, "Overlapping blocks") {
		at = hclog.Debug // what minutes that come late make, as they may
	}
	h.log.Log(at, r.Message, args...)
	return nil
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	args := append([]any(nil), h.args...)
	for _, a := range attrs {
		args = append(args, a.Key, a.Value.Any())
	}
	return handler{h.log, args}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.log.Named(name), h.args} }
