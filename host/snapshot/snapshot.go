// Package snapshot keeps the state of session partitions in a bucket: which
// snapshot a partition starts from, the hand-overs of a repartition, what has
// been started, and the modules of plugins by digest. What a snapshot holds is
// the writer's business; that it comes back as it was written is this package's.
//
// Names in the bucket, where every part is escaped (see names.go):
//
//	groups/GROUP/snapshots/ROUTE/TOPIC/TOPIC-ID/PARTITION/OFFSET-gGENERATION
//	groups/GROUP/handovers/ROUTE/TOPIC/TOPIC-ID/PARTITION/OFFSET-gGENERATION
//	groups/GROUP/marks/NAME
//	groups/GROUP/id
//	modules/sha256-DIGEST
package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-6a2d649b/pharos/host/blob"
)

// Errors that callers act upon; they come wrapped, with the object's name.
var (
	// ErrBroken: what is in the bucket is not what was written. An older snapshot
	// may serve.
	ErrBroken = errors.New("broken")
	// ErrVersion: a sound snapshot of a format that this build does not read.
	// Older snapshots do not make it void: run the build that wrote it.
	ErrVersion = errors.New("unknown version")
	// ErrRetention: the snapshot is in the bucket, but older ones could not be
	// deleted.
	ErrRetention = errors.New("older snapshots could not be deleted")
)

// Key is a partition of a route's topic. A topic that is made anew under its old
// name has another id, and so other keys.
type Key struct {
	Route     string
	Topic     string
	TopicID   [16]byte
	Partition int32
}

// String names the partition for messages.
func (k Key) String() string { return fmt.Sprintf("%s/%d", k.Topic, k.Partition) }

// Info is one state of a partition.
type Info struct {
	Key
	Offset     int64     // of the first record that the state does not hold
	Generation uint64    // in force at Offset
	Handover   bool      // the last state of a partition that a repartition closed
	Size       int64     // bytes in the bucket; where it was listed
	Taken      time.Time // when it was taken, zero is now; from a listing, when it was written
}

// Store is what one group has in a bucket. Goroutines and hosts may share it. It
// is a prometheus.Collector of what it does.
type Store struct {
	bucket  *blob.Bucket
	group   string
	keep    int
	metrics *metrics
}

// New gives the store of a group in a bucket, which stays the caller's. Of each
// partition the keep newest snapshots stay, at least one.
func New(b *blob.Bucket, group string, keep int) *Store {
	return &Store{bucket: b, group: group, keep: max(1, keep), metrics: newMetrics()}
}

// Put writes a snapshot: what write gives. It is there once Put returns, or not
// at all. Then older snapshots of the partition beyond those to keep are deleted;
// where only that fails the error is ErrRetention. One that is there already is
// replaced.
func (s *Store) Put(ctx context.Context, info Info, write func(io.Writer) error) error {
	info.Handover = false
	if err := s.put(ctx, info, opWrite, write); err != nil {
		return err
	}
	if err := s.retain(ctx, info.Key); err != nil {
		s.metrics.failed(opRetain, err)
		return fmt.Errorf("%w: %w", ErrRetention, err)
	}
	return nil
}

// PutHandover writes the last state of a partition that a repartition closed. No
// retention deletes it.
func (s *Store) PutHandover(ctx context.Context, info Info, write func(io.Writer) error) error {
	info.Handover = true
	return s.put(ctx, info, opHandover, write)
}

func (s *Store) put(ctx context.Context, info Info, op string, write func(io.Writer) error) error {
	if err := info.check(); err != nil {
		return err
	}
	began := time.Now()
	if info.Taken.IsZero() {
		info.Taken = began
	}
	var size int64
	err := s.bucket.Write(ctx, s.name(info), func(w io.Writer) error {
		all := &sized{w: w}
		err := encode(all, header{s.group, info}, write)
		size = all.n
		return err
	})
	s.metrics.written(info, op, size, time.Since(began), err)
	return err
}

func (i Info) check() error {
	switch {
	case i.Topic == "" || i.Route == "" || !utf8.ValidString(i.Topic+i.Route):
		return fmt.Errorf("a snapshot of the route %q and the topic %q: they are names in UTF-8", i.Route, i.Topic)
	case i.Partition < 0 || i.Offset < 0:
		return fmt.Errorf("a snapshot of %s at the offset %d: neither partition nor offset can be negative", i.Key, i.Offset)
	}
	return nil
}

// retain deletes the snapshots of a partition beyond the newest keep.
func (s *Store) retain(ctx context.Context, key Key) error {
	list, err := s.List(ctx, key)
	if err != nil || len(list) <= s.keep {
		return err
	}
	var failed error
	for _, old := range list[s.keep:] {
		failed = errors.Join(failed, s.Delete(ctx, old))
	}
	return failed
}

// List gives the snapshots of a partition, the highest offset first, whether
// they can be read or not. Hand-overs are not among them.
func (s *Store) List(ctx context.Context, key Key) ([]Info, error) {
	return s.list(ctx, s.prefix(snapshots)+key.name()+"/")
}

// Handovers gives the hand-overs of all partitions of a topic, by partition.
func (s *Store) Handovers(ctx context.Context, route, topic string, id [16]byte) ([]Info, error) {
	dir, _, _ := cutLast(Key{Route: route, Topic: topic, TopicID: id}.name())
	list, err := s.list(ctx, s.prefix(handovers)+dir+"/")
	slices.SortStableFunc(list, func(a, b Info) int { return cmp.Compare(a.Partition, b.Partition) })
	return list, err
}

// All gives every snapshot and hand-over of the group, by route, topic, topic id
// and partition, the highest offset first.
func (s *Store) All(ctx context.Context) ([]Info, error) {
	list, err := s.list(ctx, s.prefix(snapshots))
	if err != nil {
		return nil, err
	}
	more, err := s.list(ctx, s.prefix(handovers))
	if err != nil {
		return nil, err
	}
	list = append(list, more...)
	slices.SortStableFunc(list, func(a, b Info) int {
		return cmp.Or(strings.Compare(a.Key.name(), b.Key.name()), cmp.Compare(b.Offset, a.Offset))
	})
	return list, nil
}

// list passes over what has no name of a snapshot's.
func (s *Store) list(ctx context.Context, prefix string) ([]Info, error) {
	entries, err := s.bucket.List(ctx, prefix)
	if s.metrics.failed(opList, err) {
		return nil, err
	}
	var list []Info
	for _, e := range entries {
		info, ok := s.parse(e.Name)
		if !ok {
			continue
		}
		info.Size, info.Taken = e.Size, e.ModTime
		list = append(list, info)
	}
	slices.SortStableFunc(list, func(a, b Info) int {
		return cmp.Or(cmp.Compare(b.Offset, a.Offset), cmp.Compare(b.Generation, a.Generation))
	})
	return list, nil
}

// Open gives what was written as a snapshot or hand-over, by its Key, Offset,
// Generation and Handover; who gets it closes it. No byte comes before its block
// is checked, and io.EOF only once all is known to be there; else the error is
// ErrBroken, blob.ErrNotFound where there is none, or ErrVersion. It must be read
// to its end before it is trusted.
func (s *Store) Open(ctx context.Context, info Info) (io.ReadCloser, error) {
	name := s.name(info)
	object, err := s.bucket.Read(ctx, name)
	if s.metrics.failed(opRead, err) {
		return nil, err
	}
	r, err := decode(object, header{s.group, info})
	if s.metrics.failed(opRead, err) {
		object.Close()
		return nil, fmt.Errorf("snapshot %s: %w", name, err)
	}
	r.name, r.object, r.metrics = name, object, s.metrics
	return r, nil
}

// Verify reads a snapshot or hand-over whole and gives the bytes that its writer
// wrote; errors as of Open.
func (s *Store) Verify(ctx context.Context, info Info) (int64, error) {
	r, err := s.Open(ctx, info)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, r)
	return n, errors.Join(err, r.Close())
}

// Delete removes a snapshot or hand-over; one that is gone already is no error.
func (s *Store) Delete(ctx context.Context, info Info) error {
	if err := s.bucket.Delete(ctx, s.name(info)); err != nil && !errors.Is(err, blob.ErrNotFound) {
		return err
	}
	return nil
}

// String names the store for messages.
func (s *Store) String() string { return fmt.Sprintf("%s, group %s", s.bucket, s.group) }
