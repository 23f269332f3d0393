package query

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Options configures the API.
type Options struct {
	Live *Live
	// Status gives what the rest of the host knows; the API adds what the live
	// view does. Nil: nothing.
	Status func(ctx context.Context) Status
	// Diff says how the versions of a plugin differ; false: there is no such plugin.
	// Nil: there is none.
	Diff    func(plugin string) (report any, ok bool)
	Timeout time.Duration    // of one request, its fetch included; 0 is 30 seconds
	Now     func() time.Time // nil is time.Now
	Logger  hclog.Logger     // nil: silent
}

// API serves the HTTP API. It answers from one set of keyspaces at a time.
type API struct {
	o         Options
	exports   chan struct{} // holds one for each export of figures under way
	keyspaces atomic.Pointer[Keyspaces]
}

//go:embed openapi.json
var openAPI []byte

// NewAPI returns an API without keyspaces.
func NewAPI(o Options) *API {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Diff == nil {
		o.Diff = func(string) (any, bool) { return nil, false }
	}
	if o.Status == nil {
		o.Status = func(context.Context) Status { return Status{} }
	}
	a := &API{o: o, exports: make(chan struct{}, maxExports)}
	a.Use(&Keyspaces{})
	return a
}

// Use answers from these keyspaces from now on; requests under way end with
// those that they began with.
func (a *API) Use(k *Keyspaces) { a.keyspaces.Store(k) }

// route is one path of the API.
type route struct {
	method, pattern string
	serve           func(w http.ResponseWriter, r *http.Request) error
}

func (a *API) routes() []route {
	return []route{
		{http.MethodPost, "/api/v1/{keyspace}/query", a.query},
		{http.MethodGet, "/api/v1/{keyspace}/figures", a.figures},
		{http.MethodGet, "/api/v1/keyspaces", a.list},
		{http.MethodGet, "/api/v1/status", a.status},
		{http.MethodGet, "/api/v1/plugins/{plugin}/diff", a.diff},
		{http.MethodGet, "/api/v1/openapi.json", a.openAPI},
	}
}

// Handler serves everything below /api/.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range a.routes() {
		mux.HandleFunc(r.method+" "+r.pattern, a.wrap(r.serve))
		mux.HandleFunc(r.pattern, a.wrap(func(w http.ResponseWriter, req *http.Request) error {
			w.Header().Set("Allow", r.method)
			return &Error{http.StatusMethodNotAllowed, fmt.Sprintf("%s is not allowed here", req.Method), "use " + r.method}
		}))
	}
	mux.HandleFunc("/api/", a.wrap(func(w http.ResponseWriter, req *http.Request) error {
		return &Error{http.StatusNotFound, fmt.Sprintf("there is nothing at %.200s", req.URL.Path), "the paths are in /api/v1/openapi.json"}
	}))
	return mux
}

// wrap bounds a request in time and size, and writes its error.
func (a *API) wrap(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), a.o.Timeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		err := serve(w, r.WithContext(ctx))
		if err == nil {
			return
		}
		var refused *Error
		if !errors.As(err, &refused) {
			a.o.Logger.Error("request failed", "path", r.URL.Path, "error", err)
			refused = &Error{http.StatusBadGateway, err.Error(), "see the store's state in /api/v1/status and this host's log"}
		}
		if refused.Status == http.StatusServiceUnavailable {
			h.Set("Retry-After", "1")
		}
		a.write(w, refused.Status, refused)
	}
}

func (a *API) write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.o.Logger.Error("an answer cannot be written as JSON", "error", err)
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON","hint":"see this host's log"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(append(body, '\n')); err != nil {
		a.o.Logger.Debug("the client went away", "error", err)
	}
}

// space is the keyspace of a request's path.
func (a *API) space(r *http.Request) (*space, error) {
	k := a.keyspaces.Load()
	name := r.PathValue("keyspace")
	if s := k.byName[name]; s != nil {
		return s, nil
	}
	return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no keyspace %.200q", name), "the config has " + list(k.names())}
}

func (a *API) query(w http.ResponseWriter, r *http.Request) error {
	s, err := a.space(r)
	if err != nil {
		return err
	}
	request, err := parseRequest(r.Body)
	if err != nil {
		return err
	}
	if !a.o.Live.Ready() {
		return &Error{http.StatusServiceUnavailable, "this host is still reading the open minutes", "try again in a moment"}
	}
	answer, err := s.answer(r.Context(), a.o.Live, request, a.o.Now().Unix()/60)
	if err != nil {
		return err
	}
	a.write(w, http.StatusOK, answer)
	return nil
}

func (a *API) diff(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("plugin")
	report, ok := a.o.Diff(name)
	if !ok {
		return &Error{http.StatusNotFound, fmt.Sprintf("there is no plugin %.200q", name), "the plugins are in /api/v1/status"}
	}
	a.write(w, http.StatusOK, report)
	return nil
}

// KeyspaceList is the answer to GET /api/v1/keyspaces.
type KeyspaceList struct {
	CompleteThrough *int64         `json:"complete_through"`
	Keyspaces       []KeyspaceInfo `json:"keyspaces"`
}

// KeyspaceInfo says what can be asked of a keyspace.
type KeyspaceInfo struct {
	Name     string `json:"name"`
	Tenant   string `json:"tenant"`
	Timezone string `json:"timezone"`
	Newest   *int64 `json:"newest"` // the newest minute known; null: none
	// CompleteThrough is the last final minute of the tenant; null: none is known.
	CompleteThrough *int64           `json:"complete_through"`
	Dimensions      []string         `json:"dimensions"`
	Experiments     []ExperimentInfo `json:"experiments"`
	Formulas        []FormulaInfo    `json:"formulas"`
}

// ExperimentInfo is an experiment with its variants; the first is the one that
// others are compared with.
type ExperimentInfo struct {
	ID       string   `json:"id"`
	Variants []string `json:"variants"`
}

// FormulaInfo is a formula with its metadata.
type FormulaInfo struct {
	Name string `json:"name"`
	Meta
	Params  map[string]float64 `json:"params"`  // with their defaults
	Metrics []string           `json:"metrics"` // that it needs
}

func (a *API) list(w http.ResponseWriter, _ *http.Request) error {
	l := KeyspaceList{Keyspaces: []KeyspaceInfo{}}
	if final, ok := a.o.Live.FinalBefore(); ok {
		l.CompleteThrough = millis(final - 1)
	}
	for _, s := range a.keyspaces.Load().list {
		l.Keyspaces = append(l.Keyspaces, s.info(a.o.Live))
	}
	a.write(w, http.StatusOK, l)
	return nil
}

func (s *space) info(live *Live) KeyspaceInfo {
	i := KeyspaceInfo{Name: s.Name, Tenant: s.Tenant, Timezone: s.location.String(), Dimensions: listed(s.Dimensions), Experiments: []ExperimentInfo{}, Formulas: []FormulaInfo{}}
	if edge, ok := live.edge(s.Tenant); ok {
		i.Newest = millis(edge)
	}
	if final, ok := live.FinalBefore(); ok {
		i.CompleteThrough = millis(final - 1)
	}
	for _, e := range s.Experiments {
		i.Experiments = append(i.Experiments, ExperimentInfo{ID: e.ID, Variants: listed(e.Variants)})
	}
	for _, f := range s.formulas {
		info := FormulaInfo{Name: f.Name, Meta: f.meta(), Params: map[string]float64{}, Metrics: []string{}}
		for name, value := range f.Params {
			info.Params[name] = value
		}
		for _, m := range f.metrics {
			info.Metrics = append(info.Metrics, s.Metrics[m].Name)
		}
		i.Formulas = append(i.Formulas, info)
	}
	return i
}

func (a *API) status(w http.ResponseWriter, r *http.Request) error {
	status := a.o.Status(r.Context())
	status.complete(a.o.Live, a.keyspaces.Load().tenants())
	a.write(w, http.StatusOK, status)
	return nil
}

func (a *API) openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, err := w.Write(openAPI)
	return err
}

func (k *Keyspaces) names() (names []string) {
	for _, s := range k.list {
		names = append(names, s.Name)
	}
	return names
}

func (k *Keyspaces) tenants() (tenants []string) {
	for _, s := range k.list {
		if !slices.Contains(tenants, s.Tenant) {
			tenants = append(tenants, s.Tenant)
		}
	}
	return tenants
}
