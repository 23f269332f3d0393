package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/dispatch"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/page"
	"github.com/seed-6a2d649b/pharos/host/query"
	"github.com/seed-6a2d649b/pharos/host/session"
	"github.com/seed-6a2d649b/pharos/host/ship"
)

// hostOptions say what a host runs.
type hostOptions struct {
	id       string // "": the machine's name and something random
	roles    []Role
	embedded bool // the broker is this process's own: raw topics are made if they are not there
	log      hclog.Logger
	beside   func(context.Context) error // runs beside the roles; nil: nothing
}

// host is a process that runs roles of one generation.
type host struct {
	hostOptions
	cfg      *config.Config
	kafka    kafka.Config
	gen      *Generation
	started  time.Time
	differs  string // from the group's generation
	registry *prometheus.Registry
	stores   *stores
	server   *server
	api      *query.API
	live     *query.Live

	dispatch *dispatch.Stage // these: nil without the role
	session  *session.Stage
	ship     *ship.Stage
}

// newHost builds all that the roles need, and agrees on the generation. Nothing
// runs yet.
func newHost(ctx context.Context, cfg *config.Config, k kafka.Config, o hostOptions) (_ *host, err error) {
	h := &host{hostOptions: o, cfg: cfg, kafka: k, started: time.Now(), registry: prometheus.NewRegistry()}
	if h.id == "" {
		h.id = hostName()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	h.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	listener, err := listen(cfg.HTTP.Listen, cfg.HTTP.Insecure)
	if err != nil {
		return nil, err
	}
	h.server = &server{listener: listener}
	if h.stores, err = openStores(cfg, h.has(Ship) || h.has(Query), o.log, h.registry); err != nil {
		return nil, err
	}
	if h.gen, err = Build(ctx, cfg, h.stores.readers()); err != nil {
		return nil, err
	}
	h.registry.MustRegister(pluginCollector{h.gen.plugins})
	if err := h.ensureTopics(ctx); err != nil {
		return nil, err
	}
	if h.differs, err = h.gen.agree(ctx, k, cfg.Topics.Generations.Topic); err != nil {
		return nil, err
	}
	if h.differs != "" {
		o.log.Warn(h.differs)
	}
	if err := h.buildStages(); err != nil {
		return nil, err
	}
	h.server = newServer(listener, h.pages(), h.registry, h.ready, o.log.Named("http"))
	return h, nil
}

// hostName is the machine's name and something random: several hosts may run on
// one machine.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		name = "host"
	}
	return name + "-" + strings.ToLower(rand.Text()[:8])
}

// ensureTopics makes the topics that are missing and checks those that are there.
func (h *host) ensureTopics(ctx context.Context) error {
	cl, err := kafka.NewClient(h.kafka)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := kafka.Ping(ctx, cl); err != nil {
		return err
	}
	var topics []kafka.Topic
	var raw []string
	for _, s := range h.gen.sources {
		raw = append(raw, s.Topic)
		if h.embedded {
			topics = append(topics, kafka.Topic{Name: s.Topic, Partitions: 1, AnyCount: true})
		}
	}
	t := h.cfg.Topics
	for _, own := range []config.Topic{t.Metrics, t.DeadLetters} {
		topics = append(topics, kafka.Topic{Name: own.Topic, Partitions: own.Partitions})
	}
	topics = append(topics, kafka.Topic{
		Name: t.Generations.Topic, Partitions: t.Generations.Partitions,
		Config: map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}, // what the group runs is never forgotten
	})
	for _, r := range h.cfg.Dispatch.Routes.All() {
		topics = append(topics, kafka.Topic{Name: r.Topic, Partitions: r.Partitions})
	}
	if err := kafka.EnsureTopics(ctx, cl, topics...); err != nil {
		return err
	}
	if _, err := kafka.Topics(ctx, cl, raw...); err != nil {
		return fmt.Errorf("the topics of the sources: %w (make them first: whoever sends beacons says how many partitions they have)", err)
	}
	return nil
}

// buildStages makes the stages of the host's roles.
func (h *host) buildStages() error {
	metrics := kafka.Topic{Name: h.cfg.Topics.Metrics.Topic, Partitions: h.cfg.Topics.Metrics.Partitions}
	letters := kafka.Topic{Name: h.cfg.Topics.DeadLetters.Topic, Partitions: h.cfg.Topics.DeadLetters.Partitions}
	if h.has(Dispatch) {
		core, err := dispatch.NewCore(h.gen.dispatchConfig())
		if err != nil {
			return err
		}
		counters, err := dispatch.NewCounters(h.registry)
		if err != nil {
			return err
		}
		h.dispatch = dispatch.NewStage(dispatch.StageConfig{
			Core: core, Host: h.id, Metrics: metrics, DeadLetters: letters, Idle: h.cfg.Session.Idle,
			Counters: counters, Logger: h.log.Named("dispatch"),
		})
	}
	if h.has(Session) {
		cfg, err := h.gen.sessionConfig(false)
		if err != nil {
			return err
		}
		counters, err := session.NewCounters(h.registry)
		if err != nil {
			return err
		}
		routes := map[string]string{}
		for name, r := range h.cfg.Dispatch.Routes.All() {
			routes[r.Topic] = name
		}
		h.session = session.NewStage(session.StageConfig{
			Config: cfg, Host: h.id, Routes: routes, Metrics: metrics, DeadLetters: letters,
			Counters: counters, Logger: h.log.Named("session"),
		})
	}
	if h.has(Ship) {
		var err error
		h.ship, err = ship.New(ship.Config{
			Kafka: h.kafka, Group: h.cfg.Group, Topic: metrics.Name, Lateness: h.cfg.Session.Lateness, Ahead: h.cfg.Session.Ahead,
			Generation: h.gen.Number, Routes: h.cfg.Dispatch.Routes.Names(), Stores: h.stores.writers(), Logger: h.log.Named("ship"), Registerer: h.registry,
		})
		if err != nil {
			return err
		}
	}
	h.live = query.NewLive(query.LiveOptions{
		Partitions: metrics.Partitions, Lateness: h.cfg.Session.Lateness, Ahead: h.cfg.Session.Ahead,
		Generation: h.gen.Number, Routes: h.cfg.Dispatch.Routes.Names(),
	})
	h.api = query.NewAPI(query.Options{Live: h.live, Status: h.status, Logger: h.log.Named("query")})
	if h.has(Query) {
		h.api.Use(h.gen.keyspaces)
		h.registry.MustRegister(beaconCollector{h.live})
	}
	return nil
}

// run runs the roles until ctx ends or one of them fails.
func (h *host) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	role := func(r Role, run func(context.Context) error) {
		g.Go(func() error {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", r, err)
			}
			return nil
		})
	}
	if h.dispatch != nil {
		var topics []string
		for _, s := range h.gen.sources {
			topics = append(topics, s.Topic)
		}
		role(Dispatch, h.loop(Dispatch, topics, h.dispatch).Run)
	}
	if h.session != nil {
		var topics []string
		for _, r := range h.cfg.Dispatch.Routes.All() {
			topics = append(topics, r.Topic)
		}
		role(Session, h.loop(Session, topics, h.session).Run)
	}
	if h.ship != nil {
		role(Ship, h.ship.Run)
	}
	if h.has(Query) {
		role(Query, h.follower().Run)
	}
	if h.beside != nil {
		g.Go(func() error { return h.beside(ctx) })
	}
	g.Go(func() error { return h.server.run(ctx) })
	return g.Wait()
}

func (h *host) loop(r Role, topics []string, stage kafka.Stage) *kafka.Loop {
	name := h.cfg.Group + "-" + string(r)
	return kafka.NewLoop(kafka.LoopConfig{
		Kafka: h.kafka, Group: name, TransactionalID: name + "-" + h.id, Topics: topics, Logger: h.log.Named(string(r)),
	}, stage)
}

// pages serves the page and the API; of a host without the role query only its
// status.
func (h *host) pages() http.Handler {
	mux := http.NewServeMux()
	api := h.api.Handler()
	if h.has(Query) {
		mux.Handle("/", page.Handler())
		mux.Handle("/api/", api)
		return mux
	}
	mux.Handle("/api/v1/status", api)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this host does not run the role query: it serves /api/v1/status, /metrics, /healthz and /readyz", http.StatusNotFound)
	})
	return mux
}

func (h *host) follower() *query.Follower {
	f := &query.Follower{Kafka: h.kafka, Topic: h.cfg.Topics.Metrics.Topic, Live: h.live, Logger: h.log.Named("query")}
	for _, store := range h.stores.used(h.cfg) {
		f.Groups = append(f.Groups, metric.ShipGroup(h.cfg.Group, store))
	}
	return f
}

// close lets go of what newHost made.
func (h *host) close() error {
	var err error
	if h.server != nil && h.server.http == nil {
		err = h.server.listener.Close()
	}
	if h.gen != nil {
		err = errors.Join(err, h.gen.Close(context.Background()))
	}
	if h.stores != nil {
		err = errors.Join(err, h.stores.close())
	}
	return err
}
