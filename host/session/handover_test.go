package session

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-6a2d649b/pharos/host/experiment"
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
