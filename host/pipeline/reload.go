package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-6a2d649b/pharos/host/config"
)

// ReloadAnswer is what a host says of a reload.
type ReloadAnswer struct {
	Generation uint64   `json:"generation"` // that holds now
	Published  bool     `json:"published"`  // by this reload
	Changes    []change `json:"changes"`    // of this host's file, from the generation that held
	Summary    []string `json:"summary"`    // of Changes: which plugins, experiments, metrics and formulas
	Warning    string   `json:"warning,omitempty"`
}

// reload reads the host's file anew and publishes it, unless dry, as the next
// generation; once it returns, this host's stages have it.
func (h *host) reload(ctx context.Context, dry bool) (_ *ReloadAnswer, err error) {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	if h.Load == nil {
		return nil, errors.New("this host was not started with a config file: there is nothing to read anew")
	}
	if !dry {
		defer func() {
			if ctx.Err() == nil {
				h.noteRefusal(err)
			}
		}()
	}
	file, err := h.Load(ctx)
	if err != nil {
		return nil, err
	}
	h.read.Store(file)
	p, err := h.gens.propose(ctx, file, h.id)
	if restart := checkRestart(h.file, file); len(restart) > 0 {
		err = withFaults(err, restart)
	}
	if err != nil {
		return nil, err
	}
	answer := &ReloadAnswer{Generation: h.gens.journal.wanted(), Changes: p.changes, Summary: p.summary}
	if len(p.changes) == 0 {
		answer.Warning = strings.Join(h.gens.inForce().outOfOrder(), "\n")
	}
	if len(p.changes) == 0 || dry {
		return answer, nil
	}
	if err := h.ensureTopics(ctx, file, p.record.Routes); err != nil {
		return nil, err
	}
	if err := h.gens.publish(ctx, p); err != nil {
		return nil, err
	}
	h.log.Info("published a generation", "generation", p.record.Number, "changes", len(p.changes))
	answer.Generation, answer.Published = p.record.Number, true
	h.gens.files.learn(p.packed.files)
	if err := h.adopt(ctx); err != nil {
		answer.Warning = err.Error()
	}
	fault := h.fileDiffers(p.packed)
	h.differs.Store(&fault)
	return answer, nil
}

// refusalLines bounds what the status says of a file that is refused.
const refusalLines = 5

// noteRefusal notes for the status why the file was not taken; nil: it was.
func (h *host) noteRefusal(err error) {
	text := ""
	if err != nil {
		lines := strings.Split(err.Error(), "\n")
		if more := len(lines) - refusalLines; more > 0 {
			lines = append(lines[:refusalLines], fmt.Sprintf("and %d more lines: see 'pharos check'", more))
		}
		text = "this host's config file is not taken, the generation before goes on: " + strings.Join(lines, "\n")
	}
	h.refusal.Store(&text)
}

// withFaults is everything that is wrong with a file, each key once; err is nil or
// what is wrong already.
func withFaults(err, more error) error {
	var all, others config.Faults
	switch {
	case err != nil && !errors.As(err, &all):
		return err
	case more == nil || !errors.As(more, &others):
		return errors.Join(err, more)
	}
	for _, f := range others {
		key, _, _ := strings.Cut(f.Message, ":")
		if !slices.ContainsFunc(all, func(a config.Fault) bool { return strings.HasPrefix(a.Message, key) }) {
			all = append(all, f)
		}
	}
	return all
}

// adopt puts the generation that holds in force on this host, if it is not. On an
// error the old one goes on, whole.
func (h *host) adopt(ctx context.Context) error {
	h.adopting.Lock()
	defer h.adopting.Unlock()
	r, err := h.gens.journal.newest()
	if err == nil && r.Number > h.gens.inForce().Number {
		err = h.take(ctx, r)
	}
	if err != nil && h.gens.failed(err) {
		h.log.Error("a generation can not be put in force here; the one before goes on", "error", err)
	}
	return err
}

func (h *host) take(ctx context.Context, r *generationRecord) error {
	next, err := h.gens.load(ctx, r)
	if err != nil { // this host may have by now what is not to be had from the bucket
		h.compareFile(ctx)
		next, err = h.gens.load(ctx, r)
	}
	if err != nil {
		return err
	}
	if err := h.ensureTopics(ctx, next.Config, r.Routes); err != nil {
		return err
	}
	if err := h.use(next); err != nil {
		return fmt.Errorf("generation %d: %w", r.Number, err)
	}
	h.gens.put(next)
	h.topicsChanged()
	select {
	case h.adopted <- struct{}{}:
	default:
	}
	h.log.Info("a generation is in force", "generation", r.Number, "published by", r.Host)
	return nil
}

// compareFile reads the host's file anew and notes for the status what it has
// otherwise than the generation in force. It may take long where modules are
// elsewhere.
func (h *host) compareFile(ctx context.Context) {
	if h.Load == nil {
		return
	}
	var file *packed
	cfg, err := h.Load(ctx)
	if err == nil {
		file, err = h.gens.shelf.pack(ctx, cfg)
	}
	if ctx.Err() != nil {
		return
	}
	fault := ""
	if err != nil {
		fault = fmt.Sprintf("this host's config file can not be read any more: %v", err)
	} else {
		h.gens.files.learn(file.files)
		fault = h.fileDiffers(file)
	}
	h.differs.Store(&fault)
}

// fileFaults are what was noted of this host's file.
func (h *host) fileFaults() (texts []string) {
	for _, noted := range []*atomic.Pointer[string]{&h.refusal, &h.differs} {
		if text := noted.Load(); text != nil {
			texts = append(texts, *text)
		}
	}
	return texts
}

// fileDiffers says what a file has otherwise than the generation in force.
func (h *host) fileDiffers(file *packed) string {
	g := h.gens.inForce()
	changes, err := differs(g.record, file)
	if err != nil {
		return err.Error()
	}
	if len(changes) == 0 {
		return ""
	}
	var what []string
	for _, c := range changes[:min(len(changes), 5)] {
		what = append(what, c.Path)
	}
	if len(changes) > len(what) {
		what = append(what, "…")
	}
	return fmt.Sprintf("this host's config file differs from generation %d, which it runs, in %s: 'pharos reload' publishes the file", g.Number, strings.Join(what, ", "))
}

// restartPending says what of the generation in force this host takes only when it
// is restarted.
func (h *host) restartPending() string {
	var keys []string
	g := h.gens.inForce()
	for _, key := range []string{"sources", "session"} {
		if string(h.cfg.Section(key)) != string(g.Config.Section(key)) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("generation %d has another %s: restart this host to take it whole", g.Number, strings.Join(keys, ", "))
}

// serveReload answers POST /-/reload, with ?dry_run to change nothing.
func (h *host) serveReload(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Minute)
	defer cancel()
	answer, err := h.reload(ctx, r.URL.Query().Has("dry_run"))
	h.serveAnswer(w, answer, err)
}

// serveAnswer says what became of what was to be published.
func (h *host) serveAnswer(w http.ResponseWriter, answer any, err error) {
	var refused refusal
	var faults config.Faults
	var overtaken *overtakenError
	switch {
	case errors.As(err, &refused):
		http.Error(w, err.Error(), refused.status)
	case errors.As(err, &faults):
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	case errors.As(err, &overtaken):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			h.log.Debug("an answer was not taken", "error", err)
		}
	}
}

// WriteReload writes what became of a reload for people.
func WriteReload(out io.Writer, a *ReloadAnswer, dry bool) error {
	var b strings.Builder
	for _, c := range a.Changes {
		fmt.Fprintln(&b, c)
	}
	for _, line := range a.Summary {
		fmt.Fprintln(&b, line)
	}
	switch {
	case len(a.Changes) == 0:
		fmt.Fprintf(&b, "nothing has changed: generation %d stays\n", a.Generation)
	case dry:
		fmt.Fprintf(&b, "would become generation %d\n", a.Generation+1)
	default:
		fmt.Fprintf(&b, "published generation %d\n", a.Generation)
	}
	if a.Warning != "" {
		fmt.Fprintf(&b, "but: %s\n", a.Warning)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
