package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"weak"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/session"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// begin finds the generation that the group runs and loads it. The first host of a
// group publishes its own.
func (h *host) begin(ctx context.Context) error {
	var err error
	if h.gens, err = h.newGenerations(ctx); err != nil {
		return err
	}
	if h.client, err = kafka.NewClient(h.kafka); err != nil {
		return err
	}
	if err := kafka.Ping(ctx, h.client); err != nil {
		return err
	}
	if err := kafka.EnsureTopics(ctx, h.client, generationsTopic(h.file)); err != nil {
		return err
	}
	record, err := h.settle(ctx)
	if err != nil {
		return err
	}
	g, err := h.gens.load(ctx, record)
	if err != nil {
		return err
	}
	h.gens.put(g)
	h.cfg = g.Config
	if err := h.ensureTopics(ctx, g.Config, g.routes); err != nil {
		return err
	}
	if _, err := h.lookAtHandovers(ctx); err != nil {
		return err
	}
	fault := ""
	if p, err := h.gens.shelf.pack(ctx, h.file); err != nil {
		fault = fmt.Sprintf("this host's config file names what can not be read: %v", err)
	} else {
		fault = h.fileDiffers(p)
	}
	if h.differs.Store(&fault); fault != "" {
		h.log.Warn(fault)
	}
	return nil
}

func (h *host) newGenerations(ctx context.Context) (*generations, error) {
	dir, err := filepath.Abs(h.file.Data.String())
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	s, err := newShelf(h.file)
	if err != nil {
		return nil, err
	}
	f := &files{loader: s.loader, store: snapshot.New(h.bucket, h.file.Group, h.file.Snapshots.Keep), label: h.bucket.String(), dir: dir}
	if p, err := s.pack(ctx, h.file); err == nil { // else it is said where the file is compared or published
		f.learn(p.files)
	}
	return &generations{
		journal: newJournal(h.kafka, h.file, h.log), files: f, shelf: s, own: h.file, readers: h.stores.readers(),
		log: h.log, watches: watches{log: h.log.Named("rollout"), now: h.now}, others: map[uint64]weak.Pointer[session.Config]{},
	}, nil
}

// settle gives the generation that the host is to run: that of the group, and with
// a broker of its own that of its file.
func (h *host) settle(ctx context.Context) (*generationRecord, error) {
	for range settleAttempts {
		current, err := h.gens.journal.catchUp(ctx)
		if err != nil {
			return nil, err
		}
		if current != nil {
			if err := sameGroup(current, h.file); err != nil {
				return nil, err
			}
			if err := sameBucket(ctx, h.gens.files.store, current, h.file); err != nil {
				return nil, err
			}
		}
		if current != nil && !h.embedded {
			return current, nil
		}
		p, err := h.gens.propose(ctx, h.file, h.id)
		if err != nil {
			return nil, err
		}
		if len(p.changes) == 0 {
			return current, nil
		}
		if err := h.ensureTopics(ctx, h.file, p.record.Routes); err != nil {
			return nil, err
		}
		err = h.gens.publish(ctx, p)
		var overtaken *overtakenError
		if err != nil && !errors.As(err, &overtaken) {
			return nil, err
		}
		if err == nil {
			h.log.Info("published a generation", "generation", p.record.Number, "changes", len(p.changes))
		}
	}
	return nil, fmt.Errorf("%s: other hosts publish generations all the time: start again when they are done", h.gens.journal.topic)
}

// settleAttempts is how often a starting host tries to publish its file where others
// publish theirs.
const settleAttempts = 10

// sameGroup refuses a host that would take part in another group's generations.
func sameGroup(r *generationRecord, file *config.Config) error {
	cfg, err := r.parse("")
	if err == nil && cfg.Group != file.Group {
		err = config.Faults{file.Faultf([]string{"group"}, "the generations in the topic %s are of the group %s, not of %s: groups that share brokers have topics of their own",
			file.Topics.Generations.Topic, cfg.Group, file.Group)}
	}
	return err
}

// sameBucket refuses a bucket that is not the group's: what the group knows of its
// partitions would not be in it. They would be taken for new ones, and routes that
// move would wait for ever.
func sameBucket(ctx context.Context, store *snapshot.Store, r *generationRecord, file *config.Config) error {
	if r.Bucket == "" {
		return nil
	}
	id, err := store.ID(ctx)
	if err != nil {
		return fmt.Errorf("snapshots.url: %w", err)
	}
	if id == r.Bucket {
		return nil
	}
	has := "has no id"
	if id != "" {
		has = "has the id " + id
	}
	return config.Faults{file.Faultf([]string{"snapshots", "url"},
		"the group %s keeps its snapshots in another bucket than %s: that has the id %s (in %s), and this one %s. Give all hosts of the group one bucket; the default, a directory below data, is of one machine. To move it, copy it whole; if it is lost, see docs/snapshots.md",
		file.Group, blob.Label(file.SnapshotBucket()), r.Bucket, store.IDName(), has)}
}

// generationsTopic is the topic of generations: what the group runs is never
// forgotten.
func generationsTopic(cfg *config.Config) kafka.Topic {
	t := cfg.Topics.Generations
	return kafka.Topic{Name: t.Topic, Partitions: t.Partitions, Config: map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}}
}

// ensureTopics makes the topics that are missing and checks those that are there.
func (h *host) ensureTopics(ctx context.Context, cfg *config.Config, routes []route) error {
	var topics []kafka.Topic
	var raw []string
	for _, s := range cfg.Sources {
		raw = append(raw, s.Topic)
		if h.embedded {
			topics = append(topics, kafka.Topic{Name: s.Topic, Partitions: 1, AnyCount: true})
		}
	}
	for _, own := range []config.Topic{cfg.Topics.Metrics, cfg.Topics.DeadLetters} {
		topics = append(topics, kafka.Topic{Name: own.Topic, Partitions: own.Partitions})
	}
	topics = append(topics, topicsOf(routes)...)
	if err := kafka.EnsureTopics(ctx, h.client, topics...); err != nil {
		return err
	}
	if _, err := kafka.Topics(ctx, h.client, raw...); err != nil {
		return fmt.Errorf("the topics of the sources: %w (make them first: whoever sends beacons says how many partitions they have)", err)
	}
	return nil
}

// topicsOf are the present topics of routes.
func topicsOf(routes []route) (topics []kafka.Topic) {
	for _, r := range routes {
		topics = append(topics, kafka.Topic{Name: r.Topic, Partitions: r.Partitions})
	}
	return topics
}

// parseLosses reads what an operator accepts: partitions, as TOPIC/PARTITION.
func parseLosses(texts []string) (map[kafka.TopicPartition]bool, error) {
	all := map[kafka.TopicPartition]bool{}
	for _, text := range texts {
		topic, number, ok := strings.Cut(text, "/")
		n, err := strconv.ParseInt(number, 10, 32)
		if !ok || topic == "" || err != nil || n < 0 {
			return nil, usagef("--accept-loss %q: write TOPIC/PARTITION, as the message says that asks for it", text)
		}
		all[kafka.TopicPartition{Topic: topic, Partition: int32(n)}] = true
	}
	return all, nil
}

func (h *host) acceptsLoss(topic string, partition int32) bool {
	return h.accepted[kafka.TopicPartition{Topic: topic, Partition: partition}]
}
