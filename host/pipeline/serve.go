package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
)

// server serves the page, the API, /metrics, /healthz and /readyz.
type server struct {
	listener net.Listener
	http     *http.Server
	requests sync.WaitGroup // under way
}

// listen opens the address, so that a wrong one is told before anything starts.
func listen(addr string, insecure bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usagef("http.listen: %w (write it like 127.0.0.1:7070)", err)
	}
	if ip := net.ParseIP(host); !insecure && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usagef("http.listen: %s can be reached from other machines, and tokens and TLS are not there yet: take a loopback address, or set http.insecure: true", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w (another host may run there: set http.listen, or give --listen)", err)
	}
	return l, nil
}

func newServer(l net.Listener, pages http.Handler, metrics prometheus.Gatherer, ready func() error, actions map[string]http.HandlerFunc, log hclog.Logger) *server {
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	for path, act := range actions {
		mux.Handle("POST "+path, http.NewCrossOriginProtection().Handler(act)) // no page of others may ask for it
	}
	s := &server{listener: l}
	s.http = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.requests.Add(1)
			defer s.requests.Done()
			mux.ServeHTTP(w, r)
		}), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	return s
}

// url is where people find it.
func (s *server) url() string { return "http://" + s.listener.Addr().String() + "/" }

// run serves until ctx ends, then lets requests under way end: they read stores
// that are closed next.
func (s *server) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := s.http.Shutdown(end)
		if err != nil {
			err = s.http.Close() // which ends the contexts of requests
		}
		s.requests.Wait()
		return err
	})
	return g.Wait()
}
