package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/seed-6a2d649b/pharos/host/blob"
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
	embedded bool // the broker is this process's own: raw topics are made if they are not there, and the file is the generation
	log      hclog.Logger
	now      func() time.Time            // the clock of rollouts; nil: the machine's
	beside   func(context.Context) error // runs beside the roles; nil: nothing
	HostOptions
}

// host is a process that runs roles of its group's generation.
type host struct {
	hostOptions
	file     *config.Config // this host's, as it was at the start
	cfg      *config.Config // of the generation in force at the start
	kafka    kafka.Config
	bucket   *blob.Bucket
	gens     *generations
	started  time.Time
	read     atomic.Pointer[config.Config] // this host's file, as it was read last
	refusal  atomic.Pointer[string]        // why the file was not taken when it was read last
	differs  atomic.Pointer[string]        // what the file has otherwise than the generation in force
	registry *prometheus.Registry
	stores   *stores
	server   *server
	api      *query.API
	live     *query.Live

	dispatch *dispatch.Stage // these: nil without the role
	session  *session.Stage
	ship     *ship.Stage
	changed  map[Role]chan struct{} // the topics of a role's loop may have changed
	client   *kgo.Client            // asks the cluster
	handed   handed
	watched  *watched
	adopted  chan struct{}                 // a generation was put in force, with which the file is to be compared
	accepted map[kafka.TopicPartition]bool // losses that the operator accepts

	reloading sync.Mutex // one reload at a time
	adopting  sync.Mutex // one generation at a time
}

// newHost builds all that the roles need, under the generation of the group. Nothing
// runs yet.
func newHost(ctx context.Context, file *config.Config, k kafka.Config, o hostOptions) (_ *host, err error) {
	h := &host{hostOptions: o, file: file, cfg: file, kafka: k, started: time.Now(), registry: prometheus.NewRegistry(), changed: map[Role]chan struct{}{}, adopted: make(chan struct{}, 1)}
	if h.id == "" {
		h.id = hostName()
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.read.Store(file)
	if o.Watch {
		h.watched = newWatched(file)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	if h.accepted, err = parseLosses(o.AcceptLoss); err != nil {
		return nil, err
	}
	h.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	listener, err := listen(file.HTTP.Listen, file.HTTP.Insecure)
	if err != nil {
		return nil, err
	}
	h.server = &server{listener: listener}
	if h.stores, err = openStores(file, h.has(Ship) || h.has(Query), o.log, h.registry); err != nil {
		return nil, err
	}
	if h.bucket, err = blob.Open(ctx, file.SnapshotBucket()); err != nil {
		return nil, fmt.Errorf("snapshots.url: %w", err)
	}
	if err := h.begin(ctx); err != nil {
		return nil, err
	}
	if err := h.buildStages(); err != nil {
		return nil, err
	}
	h.registry.MustRegister(pluginCollector{h.gens}, rolloutCollector{h.gens}, generationCollector{h.gens}, h.gens.files.store)
	h.server = newServer(listener, h.pages(), h.registry, h.ready, h.actions(), o.log.Named("http"))
	return h, nil
}

// actions are what may be asked of the host by POST, by path.
func (h *host) actions() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/-/reload": h.serveReload, "/-/plugins/{plugin}/promote": h.servePromote, "/-/plugins/{plugin}/rollback": h.serveRollback,
	}
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

// buildStages makes the stages of the host's roles.
func (h *host) buildStages() error {
	g := h.gens.inForce()
	metrics := kafka.Topic{Name: h.cfg.Topics.Metrics.Topic, Partitions: h.cfg.Topics.Metrics.Partitions}
	letters := kafka.Topic{Name: h.cfg.Topics.DeadLetters.Topic, Partitions: h.cfg.Topics.DeadLetters.Partitions}
	for _, r := range h.roles {
		h.changed[r] = make(chan struct{}, 1)
	}
	if h.has(Dispatch) {
		core, err := h.core(g)
		if err != nil {
			return err
		}
		counters, err := dispatch.NewCounters(h.registry)
		if err != nil {
			return err
		}
		h.dispatch = dispatch.NewStage(dispatch.StageConfig{
			Core: core, Host: h.id, Metrics: metrics, DeadLetters: letters, Idle: h.cfg.Session.Idle,
			Started: h.gens.files.store, AcceptLoss: h.acceptsLoss, Newest: h.newest,
			Cluster:  dispatch.NewCluster(h.client, h.group(Dispatch), h.sourceTopics),
			Counters: counters, Logger: h.log.Named("dispatch"),
		})
	}
	if h.has(Session) {
		counters, err := session.NewCounters(h.registry)
		if err != nil {
			return err
		}
		h.session = session.NewStage(session.StageConfig{
			Config: g.sessions, Configs: h.gens.config, Host: h.id, Metrics: metrics, DeadLetters: letters,
			Log: kafka.LogReader{Config: h.kafka}, Snapshots: h.gens.files.store, Every: h.file.Snapshots.Every, AcceptLoss: h.acceptsLoss,
			Committed: func(ctx context.Context, parts []kafka.TopicPartition) (map[kafka.TopicPartition]kafka.Committed, error) {
				return kafka.CommittedOffsetsNow(ctx, h.client, h.group(Session), parts)
			},
			Counters: counters, Logger: h.log.Named("session"),
		})
	}
	if h.has(Ship) {
		var err error
		h.ship, err = ship.New(ship.Config{
			Kafka: h.kafka, Group: h.cfg.Group, Topic: metrics.Name, Lateness: h.cfg.Session.Lateness, Ahead: h.cfg.Session.Ahead,
			Generation: g.Number, Routes: g.routeNames(), Stores: h.stores.writers(), DeadLetters: letters, Logger: h.log.Named("ship"), Registerer: h.registry,
		})
		if err != nil {
			return err
		}
	}
	h.live = query.NewLive(query.LiveOptions{
		Partitions: metrics.Partitions, Lateness: h.cfg.Session.Lateness, Ahead: h.cfg.Session.Ahead,
		Generation: g.Number, Routes: g.routeNames(),
	})
	h.api = query.NewAPI(query.Options{Live: h.live, Status: h.status, Diff: h.pluginDiff, Logger: h.log.Named("query")})
	if h.has(Query) {
		h.api.Use(g.keyspaces)
		h.registry.MustRegister(beaconCollector{h.live})
	}
	return nil
}

// use hands a generation to the stages, which take it between two batches.
func (h *host) use(g *Generation) error {
	if h.dispatch != nil {
		core, err := h.core(g)
		if err != nil {
			return err
		}
		h.dispatch.Use(core)
	}
	if h.session != nil {
		h.session.Use(g.sessions)
	}
	if h.ship != nil {
		h.ship.Use(g.Number, g.routeNames())
	}
	h.live.Use(g.Number, g.routeNames())
	if h.has(Query) {
		h.api.Use(g.keyspaces)
	}
	return nil
}

// core is what dispatch does in a generation.
func (h *host) core(g *Generation) (*dispatch.Core, error) {
	return dispatch.NewCore(g.dispatchConfig(h.handed.is))
}

// newest is the number of the newest generation that is published.
func (h *host) newest(ctx context.Context) (uint64, error) {
	if _, err := h.gens.journal.catchUp(ctx); err != nil {
		return 0, err
	}
	return h.gens.journal.wanted(), nil
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
		role(Dispatch, func(ctx context.Context) error { return h.runLoop(ctx, Dispatch, h.dispatch, h.sourceTopics) })
	}
	if h.session != nil {
		role(Session, func(ctx context.Context) error { return h.runLoop(ctx, Session, h.session, h.routeTopics) })
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
	g.Go(func() error { return h.keepUp(ctx) })
	g.Go(func() error { return h.server.run(ctx) })
	return g.Wait()
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
	mux.Handle("/api/v1/plugins/", api)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this host does not run the role query: it serves /api/v1/status, /api/v1/plugins, /metrics, /healthz and /readyz", http.StatusNotFound)
	})
	return mux
}

func (h *host) follower() *query.Follower {
	f := &query.Follower{Kafka: h.kafka, Topic: h.cfg.Topics.Metrics.Topic, Live: h.live, Logger: h.log.Named("query")}
	for _, store := range h.stores.names { // a later generation may read any of them
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
	if h.session != nil {
		h.session.Close()
	}
	if h.gens != nil {
		err = errors.Join(err, h.gens.shelf.close(context.Background()))
	}
	if h.client != nil {
		h.client.Close()
	}
	if h.bucket != nil {
		err = errors.Join(err, h.bucket.Close())
	}
	if h.stores != nil {
		err = errors.Join(err, h.stores.close())
	}
	return err
}
