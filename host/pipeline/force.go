package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/interest"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// force is a config as it is in force, of which generations are built with rules
// added to it. Plugins are loaded once.
type force struct {
	name   string // for people
	cfg    *config.Config
	build  buildOptions
	kafka  kafka.Config // of a live sample
	bucket *blob.Bucket // likewise
}

// inForce is what is in force: for files the config file, for a live sample the
// newest generation of the group, or the config file where there is none yet.
func (o *InterestOptions) inForce(ctx context.Context, cfg *config.Config) (*force, error) {
	s, err := newShelf(cfg)
	if err != nil {
		return nil, err
	}
	f := &force{name: "the config file", cfg: cfg, build: buildOptions{number: 1, routes: firstRoutes(cfg), shelf: s}}
	if o.Live != nil {
		if err := f.ofGroup(ctx, o); err != nil {
			return nil, errors.Join(err, f.close(context.WithoutCancel(ctx)))
		}
	}
	return f, nil
}

// ofGroup takes the newest generation of the config's group.
func (f *force) ofGroup(ctx context.Context, o *InterestOptions) (err error) {
	file := f.cfg
	if f.kafka, err = kafkaConfig(file, o.Log); err != nil {
		return err
	}
	cl, err := kafka.NewClient(f.kafka)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := kafka.Ping(ctx, cl); err != nil {
		return err
	}
	topic := file.Topics.Generations.Topic
	if _, err := kafka.Topics(ctx, cl, topic); err != nil {
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			f.name = "the config file (no host of the group has run yet)"
			return nil
		}
		return err
	}
	if f.bucket, err = blob.Open(ctx, file.SnapshotBucket()); err != nil {
		return fmt.Errorf("snapshots.url: %w", err)
	}
	dir, err := filepath.Abs(file.Data.String())
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	s := f.build.shelf
	g := &generations{
		journal: newJournal(f.kafka, file, o.Log), shelf: s, own: file, log: o.Log, watches: watches{log: o.Log.Named("rollout")},
		files: &files{loader: s.loader, store: snapshot.New(f.bucket, file.Group, file.Snapshots.Keep), label: f.bucket.String(), dir: dir},
	}
	r, err := g.journal.catchUp(ctx)
	switch {
	case err != nil:
		return err
	case r == nil:
		f.name = "the config file (no host of the group has run yet)"
		return nil
	}
	if err := sameGroup(r, file); err != nil {
		return err
	}
	loaded, err := g.load(ctx, r)
	if err != nil {
		return err
	}
	rollouts, err := g.rolling(ctx, r)
	if err != nil {
		return fmt.Errorf("generation %d: %w", r.Number, err)
	}
	f.name = fmt.Sprintf("generation %d of the group %s", r.Number, file.Group)
	f.cfg = loaded.Config
	f.build.number, f.build.routes, f.build.origins, f.build.rollouts = r.Number, r.Routes, r.Origins, rollouts
	return nil
}

// generation is what is in force with rules behind the filters that there are.
func (f *force) generation(ctx context.Context, rules []interest.Rule) (*Generation, error) {
	if len(rules) == 0 {
		return build(ctx, f.cfg, f.build)
	}
	c := *f.cfg
	c.Plugins, c.Tenants = slices.Clone(c.Plugins), slices.Clone(c.Tenants)
	c.Dispatch.Filters = slices.Clone(c.Dispatch.Filters)
	// The rules are read as somebody reads them who has them from a file.
	written, err := config.Parse("the rule", "", []byte("sources: [{name: any, topic: any}]\ntenants: {any: {}}\n"+interest.Plugins(rules)))
	if err != nil {
		return nil, err
	}
	c.Plugins = append(c.Plugins, written.Plugins...)
	for _, r := range rules {
		if r.Tenant == "" {
			c.Dispatch.Filters = append(c.Dispatch.Filters, r.Plugin)
			continue
		}
		t := c.Tenants.Get(r.Tenant)
		t.Filters = append(slices.Clone(t.Filters), r.Plugin)
	}
	return build(ctx, &c, f.build)
}

func (f *force) close(ctx context.Context) error {
	err := f.build.shelf.close(ctx)
	if f.bucket != nil {
		err = errors.Join(err, f.bucket.Close())
	}
	return err
}
