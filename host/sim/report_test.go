package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

// report is what to print of a run that failed.
func (s *simulation) report(test string, last int) string {
	story := s.story[max(0, len(s.story)-last):]
	faults := s.faults[:min(len(s.faults), 20)]
	return fmt.Sprintf("seed %d: %d faults:\n\t%s\nthe last of what happened:\n\t%s\nrun it again with: go test ./host/sim -run '%s$' -seed %d -seeds 1",
		s.seed, len(s.faults), strings.Join(faults, "\n\t"), strings.Join(story, "\n\t"), test, s.seed)
}

// digest is a hash of all that the cluster holds in the end.
func (s *simulation) digest() string {
	h := sha256.New()
	for _, tp := range s.cluster.partitions(slices.Collect(maps.Keys(s.cluster.topics))...) {
		for i, e := range s.cluster.log(tp).entries {
			if e.record == nil {
				fmt.Fprintln(h, tp, i, e.txn.state)
				continue
			}
			fmt.Fprintln(h, tp, i, e.record.Timestamp, e.record.Key, e.record.Value, e.record.Headers, e.txn != nil)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// String says what a run was like.
func (s *simulation) String() string {
	counts := map[metric.Outcome]int64{}
	for _, tp := range s.cluster.partitions(metricsTopic) {
		for _, record := range s.cluster.log(tp).committed() {
			if f, err := metric.ParseFrame(record.Value); err == nil {
				for _, c := range f.Counts {
					counts[c.Outcome] += c.N
				}
			}
		}
	}
	return fmt.Sprintf("%v: in %d, counted %d, late %d, duplicate %d, filtered %d, dead %d; %d batches, %d commits, %d aborts, %d failures, %d crashes, %d generations, %v rolled out, %d overtaken, %d topics, %d snapshots, %d opened, %d samples, %d writes, final before the end: %d",
		s.lasted, counts[metric.In], counts[metric.Counted], counts[metric.LateBeacon], counts[metric.Duplicate], counts[metric.Filtered], counts[metric.DeadLettered],
		s.steps, s.commits, s.aborts, s.failures, s.crashes, len(s.world.generations), s.rolls, s.overtaken, len(s.world.newest().topics()), s.written.Load(), s.opened.Load(), len(s.store.samples), s.store.writes, s.before)
}
