package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-6a2d649b/pharos/host/blob"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// Kept is one object of a bucket of snapshots, as the commands show it.
type Kept struct {
	Kind       string    `json:"kind"` // snapshot, handover or module
	Route      string    `json:"route,omitempty"`
	Topic      string    `json:"topic,omitempty"`
	TopicID    string    `json:"topic_id,omitempty"` // hexadecimal
	Partition  *int32    `json:"partition,omitempty"`
	Offset     *int64    `json:"offset,omitempty"`
	Generation *uint64   `json:"generation,omitempty"`
	Digest     string    `json:"digest,omitempty"` // of a module
	Bytes      int64     `json:"bytes"`
	Written    time.Time `json:"written,omitzero"`
	Fault      *string   `json:"fault,omitempty"` // where it was verified; empty is none

	info snapshot.Info
}

// Snapshots is what the group of a config has in its bucket of snapshots.
type Snapshots struct {
	bucket *blob.Bucket
	store  *snapshot.Store
}

// OpenSnapshots opens the bucket of a config. Unlike a host it makes no
// directory.
func OpenSnapshots(ctx context.Context, cfg *config.Config) (*Snapshots, error) {
	address := cfg.SnapshotBucket()
	if dir, ok := strings.CutPrefix(address, "file://"); ok {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("snapshots.url: no host has kept snapshots here: %w", err)
		}
	}
	b, err := blob.Open(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("snapshots.url: %w", err)
	}
	return &Snapshots{b, snapshot.New(b, cfg.Group, cfg.Snapshots.Keep)}, nil
}

// String names the bucket and the group.
func (s *Snapshots) String() string { return s.store.String() }

// Close lets the bucket go.
func (s *Snapshots) Close() error { return s.bucket.Close() }

// List gives the snapshots and hand-overs of the group, those of a topic if one
// is named, and without a topic the modules of the bucket.
func (s *Snapshots) List(ctx context.Context, topic string) ([]Kept, error) {
	all, err := s.store.All(ctx)
	if err != nil {
		return nil, err
	}
	var list []Kept
	for _, i := range all {
		if topic != "" && i.Topic != topic {
			continue
		}
		kind := "snapshot"
		if i.Handover {
			kind = "handover"
		}
		list = append(list, Kept{
			Kind: kind, Route: i.Route, Topic: i.Topic, TopicID: fmt.Sprintf("%x", i.TopicID), Partition: &i.Partition,
			Offset: &i.Offset, Generation: &i.Generation, Bytes: i.Size, Written: i.Taken.UTC(), info: i,
		})
	}
	if topic != "" {
		return list, nil
	}
	digests, sizes, err := s.store.Modules(ctx)
	if err != nil {
		return nil, err
	}
	for i, d := range digests {
		list = append(list, Kept{Kind: "module", Digest: d, Bytes: sizes[i]})
	}
	return list, nil
}

// Verify reads an object whole, and notes in it what is wrong. The error is that
// of reading, where the object could not be judged.
func (s *Snapshots) Verify(ctx context.Context, k *Kept) error {
	var err error
	if k.Kind == "module" {
		_, err = s.store.Module(ctx, k.Digest)
	} else {
		_, err = s.store.Verify(ctx, k.info)
	}
	var fault string
	switch {
	case errors.Is(err, snapshot.ErrBroken), errors.Is(err, snapshot.ErrVersion):
		fault = err.Error()
	case errors.Is(err, blob.ErrNotFound): // retention was faster
		fault = "deleted in the meantime"
	case err != nil:
		return err
	}
	k.Fault = &fault
	return nil
}

// Broken tells whether an object was verified and can not be used.
func (k *Kept) Broken() bool { return k.Fault != nil && *k.Fault != "" }

// WriteKept writes what a bucket holds: for people, or each as a line of JSON.
func WriteKept(out io.Writer, list []Kept, asJSON bool, now time.Time) error {
	if asJSON {
		e := json.NewEncoder(out)
		for _, k := range list {
			if err := e.Encode(k); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head := ""
	for _, k := range list {
		want := "KIND\tROUTE\tTOPIC\tPARTITION\tOFFSET\tGENERATION\tBYTES\tAGE\tTOPIC ID"
		row := "module\t" + k.Digest
		if k.Kind == "module" {
			want = "KIND\tDIGEST\tBYTES"
			row += fmt.Sprintf("\t%d", k.Bytes)
		} else {
			row = fmt.Sprintf("%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s", k.Kind, k.Route, k.Topic, *k.Partition, *k.Offset, *k.Generation,
				k.Bytes, config.FormatDuration(max(0, now.Sub(k.Written).Truncate(time.Second))), k.TopicID)
		}
		if k.Fault != nil {
			want += "\tVERIFIED"
			row += "\t" + *k.Fault
			if *k.Fault == "" {
				row += "ok"
			}
		}
		if want != head {
			fmt.Fprintln(w, want)
			head = want
		}
		fmt.Fprintln(w, row)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
