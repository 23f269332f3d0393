package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

// row is what a job has used.
type row struct {
	job     string
	records int64         // that it read
	took    time.Duration // from its first record to its last
	usage
}

// runner is one run of the benchmark.
type runner struct {
	options
	names
	dir     string
	kafka   kafka.Config
	cl      *kgo.Client
	filled  filled
	routed  map[kafka.TopicPartition]int64 // where the routes end
	figures figures                        // what a replay makes of the beacons
	rows    []row
}

// run does all jobs, one after the other.
func run(ctx context.Context, o options) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "pharos-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &runner{options: o, names: names{"pharos-bench-" + strings.ToLower(rand.Text()[:8])}, dir: dir, routed: map[kafka.TopicPartition]int64{}}
	if o.profileDir != "" {
		if err := os.MkdirAll(o.profileDir, 0o755); err != nil {
			return nil, err
		}
		if r.profileDir, err = filepath.Abs(o.profileDir); err != nil {
			return nil, err
		}
	}
	if o.brokers != "" {
		r.kafka.Brokers = strings.Split(o.brokers, ",")
	} else {
		p, err := spawn(ctx, task{Job: brokerJob, Dir: filepath.Join(dir, "broker")}, o.stderr)
		if err != nil {
			return nil, err
		}
		addr, err := p.line()
		if err != nil {
			return nil, err
		}
		r.kafka.Brokers = []string{addr}
		defer func() {
			_, stopped := p.stop()
			err = errors.Join(err, stopped)
		}()
	}
	if r.cl, err = kafka.NewClient(r.kafka); err != nil {
		return nil, err
	}
	defer r.cl.Close()
	if err := kafka.Ping(ctx, r.cl); err != nil {
		return nil, err
	}
	if o.brokers != "" {
		defer func() { err = errors.Join(err, r.deleteTopics(context.WithoutCancel(ctx), "")) }()
	}
	return r.rows, r.jobs(ctx)
}

// copyName is the job that others are compared with.
const copyName = "copy"

// jobs fills the raw topic and has every job done and checked.
func (r *runner) jobs(ctx context.Context) error {
	clicks, ruled, err := r.configs(r.dir, r.kafka.Brokers)
	if err != nil {
		return err
	}
	for _, file := range []string{clicks, ruled} {
		cfg, err := config.Load(file)
		if err != nil {
			return err
		}
		if err := pipeline.Check(ctx, cfg); err != nil { // and keep the compiled modules, as on any host but a new one
			return err
		}
	}
	if err := r.fill(ctx); err != nil {
		return err
	}
	if err := r.replay(ctx, clicks); err != nil {
		return err
	}
	for _, j := range []struct {
		name string
		job  job
	}{{"read", readJob}, {copyName, copyJob}, {"copy, a transaction a second", exactJob}} {
		if err := r.client(ctx, j.name, j.job); err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
	}
	if err := r.dispatch(ctx, clicks); err != nil {
		return fmt.Errorf("dispatch: %w", err)
	}
	if err := r.session(ctx, "session", clicks, ""); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	if err := r.session(ctx, "session, rules for extractor", ruled, rules); err != nil {
		return fmt.Errorf("session with rules: %w", err)
	}
	return nil
}

// filled is what the raw topic was filled with.
type filled struct {
	all, web, mobile content
	bytes            int64
}

// fill makes the beacons. Those of a session are on one partition.
func (r *runner) fill(ctx context.Context) error {
	topic := r.topic("raw")
	if err := kafka.EnsureTopics(ctx, r.cl, kafka.Topic{Name: topic, Partitions: rawPartitions}); err != nil {
		return err
	}
	errs := make(chan error, 1)
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case errs <- err:
			default:
			}
		}
	}
	s := newShop()
	for i := range r.beacons {
		b := s.next()
		r.filled.all.add(b.text)
		r.filled.bytes += int64(len(b.text))
		switch {
		case b.kept && b.mobile:
			r.filled.mobile.add(b.text)
		case b.kept:
			r.filled.web.add(b.text)
		}
		r.cl.Produce(ctx, &kgo.Record{
			Topic: topic, Partition: kafka.PartitionOf([]byte(b.session), rawPartitions), Value: append([]byte(nil), b.text...),
		}, promise)
		if n := i + 1; n%250_000 == 0 || n == r.beacons {
			r.say("made %d beacons", n)
		}
	}
	if err := r.cl.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-errs:
		return fmt.Errorf("fill %s: %w", topic, err)
	default:
	}
	kept := r.filled.web.n + r.filled.mobile.n
	r.say("%d bytes each, %.1f %% useful", r.filled.bytes/r.beacons, 100*float64(kept)/float64(r.beacons))
	return nil
}

// client measures one of the jobs of bare clients.
func (r *runner) client(ctx context.Context, name string, j job) error {
	c := client{Brokers: r.kafka.Brokers, From: r.topic("raw"), To: r.topic(string(j)), Records: r.beacons}
	if j != readJob {
		if err := kafka.EnsureTopics(ctx, r.cl, kafka.Topic{Name: c.To, Partitions: rawPartitions}); err != nil {
			return err
		}
	}
	p, err := spawn(ctx, task{Job: j, Client: c}, r.stderr)
	if err != nil {
		return err
	}
	if _, err := p.line(); err != nil {
		return err
	}
	begun := time.Now()
	<-p.ended
	took := time.Since(begun)
	used, err := p.stop()
	if err != nil {
		return err
	}
	r.done(row{name, r.beacons, took, used})
	if j == readJob {
		return nil
	}
	got, _, err := r.read(ctx, c.To, nil)
	if err != nil {
		return err
	}
	if got != r.filled.all {
		return fmt.Errorf("the copy is not equal: %d records of %d", got.n, r.beacons)
	}
	return r.deleteTopics(ctx, c.To)
}

func (r *runner) done(w row) {
	r.rows = append(r.rows, w)
	r.say("%s: %.1f s, %.2f s of CPU", w.job, w.took.Seconds(), w.cpu.Seconds())
}

// deleteTopics deletes a topic of the run; all of them without a name.
func (r *runner) deleteTopics(ctx context.Context, name string) error {
	adm := kadm.NewClient(r.cl)
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return err
	}
	var gone []string
	for _, t := range topics.Names() {
		if t == name || name == "" && strings.HasPrefix(t, r.prefix) {
			gone = append(gone, t)
		}
	}
	responses, err := adm.DeleteTopics(ctx, gone...)
	return errors.Join(err, responses.Error())
}

// replay works the figures out.
func (r *runner) replay(ctx context.Context, file string) error {
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	in, out := io.Pipe()
	go func() { // ends when the replay does, which closes in
		s := newShop()
		for range r.beacons {
			if _, err := out.Write(append(s.next().text, '\n')); err != nil {
				return
			}
		}
		out.Close()
	}()
	var lines, summary strings.Builder
	err = pipeline.Replay(ctx, cfg, pipeline.ReplayOptions{
		Inputs: []pipeline.Input{{Path: "-"}}, Stdin: in, Stdout: &lines, Stderr: &summary,
		Now: time.Now(), Progress: func(string, ...any) {}, Log: discard,
	})
	in.Close()
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	r.figures = figures{lines.String(), summary.String()}
	r.say("replayed")
	return nil
}
