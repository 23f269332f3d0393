package session

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/experiment"
	"github.com/seed-6a2d649b/pharos/host/kafka"
	"github.com/seed-6a2d649b/pharos/host/metric"
	"github.com/seed-6a2d649b/pharos/host/snapshot"
)

// A route is given more partitions while workers fail, processes end and its
// sources move one after the other: no session is torn.
func TestStageRepartitions(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSurvival(t, seed)
			s.configs = s.configs[:0]
			for generation := range uint64(2) {
				s.configs = append(s.configs, testConfig(func(c *Config, shop *Tenant) {
					c.Generation = generation + 1
					c.Sources[0].Partitions = 0
					c.Routes = map[string]RouteTopic{"web": []RouteTopic{firstTopic, secondTopic}[generation]}
					shop.Extractor = s.extractor
					shop.AllTraffic = true
					shop.Experiments = []*experiment.Compiled{compile(plainTrial), compile(excludeTrial2)}
				}))
			}
			s.start()
			defer func() {
				s.stage.Close()
				if t.Failed() {
					t.Logf("seed %d:\n%s", seed, s.said)
				}
			}()
			moved := 0
			for range 150 {
				switch n := s.IntN(60); {
				case n == 0 && s.switches == 1 && moved < len(s.sources):
					s.move(moved)
					moved++
				default:
					before := s.switches
					s.happen()
					if s.switches != before { // the new topic's partitions are assigned
						s.commit()
						s.stage.Revoke(s.parts())
						s.assign()
					}
				}
			}
			if s.switches == 0 {
				s.switches = 1
				s.stage.Use(s.configs[1])
				s.commit()
				s.stage.Revoke(s.parts())
				s.assign()
			}
			for ; moved < len(s.sources); moved++ {
				s.move(moved)
			}
			s.feed()
			s.rest(s.parts())
			for deadline := time.Now().Add(30 * time.Second); ; {
				if done, err := HandedOver(t.Context(), s.store, "web", firstTopic); err != nil {
					t.Fatal(err)
				} else if done {
					break
				}
				if s.batch(10); time.Now().After(deadline) {
					t.Fatal("not handed over")
				}
				s.commit()
			}
			s.rest(s.parts())
			held := 0
			for _, st := range s.stage.Status() {
				if held += st.Sessions; st.Topic == firstTopic.Topic && !st.Closed {
					t.Errorf("%s/%d is not closed", st.Topic, st.Partition)
				}
			}
			if held > survivalSessions {
				t.Errorf("%d sessions are held", held)
			}

			var want sums
			p := NewPartition(s.configs[0], "web", 0)
			for _, r := range s.all {
				if r.End != nil {
					continue
				}
				if err := p.Process(t.Context(), []Record{r}, &want.out); err != nil {
					t.Fatal(err)
				}
				want.take()
			}
			s.compare(&want)
		})
	}
}

// A session that is taken over from a partition that was behind the others ends in
// a minute that is final by what its new partition says first: what is measured of it
// is booked with that, and not once more by whoever gets the partition then.
func TestHandoverClosesWhatIsDue(t *testing.T) {
	const gap = minute
	w := newKeptWorld(gap, 0, []rememberer{{closes: true}}, 0)
	cfg := w.configs[0]
	old := RouteTopic{Topic: routeTopic, Partitions: 2}
	cfg.Routes = map[string]RouteTopic{"web": {Topic: routeTopic + "-v2", Partitions: 1, Replaces: &old}}
	store, _ := newStore(t)
	for partition, watermark := range []int64{10 * minute, 0} {
		core, out := NewPartition(cfg, "web", int32(partition)), &Output{}
		records := log(fmt.Sprintf(`{"ts":0,"sid":"s%d","kind":"view","value":1}`, partition), fmt.Sprintf(`{"ts":%d,"sid":"t%d","kind":"view","value":1}`, watermark, partition))
		records[1].Header.Watermark = watermark
		if err := core.Process(t.Context(), records, out); err != nil {
			t.Fatal(err)
		}
		info := snapshot.Info{
			Key:    snapshot.Key{Route: "web", Topic: old.Topic, TopicID: [16]byte{1}, Partition: int32(partition)},
			Offset: 2, Generation: 1, Taken: time.Now(),
		}
		frozen := core.Freeze()
		if err := store.PutHandover(t.Context(), info, func(w io.Writer) error { _, err := frozen.WriteTo(w); return err }); err != nil {
			t.Fatal(err)
		}
		frozen.Close()
		if err := core.Close(); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(committed int64, metadata string) (*Stage, *part) {
		t.Helper()
		s := NewStage(StageConfig{
			Config: cfg, Routes: map[string]string{routeTopic + "-v2": "web"}, Log: tailLog{}, Snapshots: store, Metrics: stageTopics[1], DeadLetters: stageTopics[2],
		})
		a := &kafka.Assigned{Topic: routeTopic + "-v2", TopicID: [16]byte{2}, Partitions: 1, Committed: committed, Metadata: metadata}
		if err := s.Assign(t.Context(), []*kafka.Assigned{a}); err != nil {
			t.Fatal(err)
		}
		p := s.parts[kafka.TopicPartition{Topic: a.Topic}]
		if p.recovery != nil {
			<-p.recovery.done
			if err := s.goLive(p); err != nil {
				t.Fatal(err)
			}
		}
		return s, p
	}
	s, p := begin(-1, "")
	if got := p.progress().Watermark; got != 10*minute {
		t.Fatalf("the watermark is %d, want that of the partition that was ahead", got)
	}
	sent, left := *p.send(), p.metadata()
	lengths := slices.DeleteFunc(slices.Clone(sent.Deltas), func(d metric.Delta) bool { return d.Series.Point != "length" || d.Minute != 1 })
	if len(lengths) == 0 || p.core.Sessions() != 1 {
		t.Errorf("%d sessions are held, want 1; booked is %v", p.core.Sessions(), sent.Deltas)
	}
	s.Close()
	s, p = begin(0, left)
	if out := p.send(); len(out.Deltas)+len(out.Counts) > 0 || p.core.Sessions() != 1 {
		t.Errorf("%d sessions are held, want 1; booked once more is %v, %v", p.core.Sessions(), out.Deltas, out.Counts)
	}
	s.Close()
}
