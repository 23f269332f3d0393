package kafka

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRebalanceTearsNothing lets members come and go while the stream flows.
func TestRebalanceTearsNothing(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	var stages []*copier
	var loops []*Loop
	start := func(name string) (stop func()) {
		s := newCopier(name)
		l := testLoop(cfg, s)
		stages, loops = append(stages, s), append(loops, l)
		return run(t, l)
	}
	fed := 0
	more := func() {
		for range 10 {
			feed(t, cl, fed, fed+40)
			fed += 40
			time.Sleep(20 * time.Millisecond)
		}
	}
	has := func(s *copier) func() bool {
		return func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.counts) > 0 }
	}
	stopA := start("a")
	more()
	stopB := start("b")
	more()
	eventually(t, "partitions for b", has(stages[1]))
	more()
	stopA()
	more()
	stopC := start("c")
	more()
	eventually(t, "partitions for c", has(stages[2]))
	stopB()
	more()
	copies(t, cfg, fed)
	stopC()
	report(t, stages...)
	for i, l := range loops {
		if st := l.Stats(); st.Aborts > 0 || st.Restarts > 0 {
			t.Errorf("%s: %+v: a rebalance cost work", stages[i].name, st)
		}
	}
}

// TestTopicComesLater starts before its topic is there.
func TestTopicComesLater(t *testing.T) {
	t.Parallel()
	c, cfg := cluster(t, short())
	var asked atomic.Int64
	c.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		for _, topic := range r.(*kmsg.MetadataRequest).Topics {
			if *topic.Topic == "in" {
				asked.Add(1)
			}
		}
		return nil, nil, false
	})
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	run(t, l)
	eventually(t, "asking again for a topic that is not there", func() bool { return asked.Load() > 2 })
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 40)
	copies(t, cfg, 40)
	report(t, stage)
	t.Logf("%+v", l.Stats())
}

// TestRead lets loops read another topic, and then no more of the first: what
// stays is never taken away.
func TestRead(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	stages := []*copier{newCopier("a"), newCopier("b")}
	var loops []*Loop
	for _, s := range stages {
		l := testLoop(cfg, s)
		l.Read([]string{"in"}) // before it runs
		loops = append(loops, l)
		run(t, l)
	}
	owned := func(topic string) (n int) {
		for _, s := range stages {
			s.mu.Lock()
			for tp := range s.counts {
				if tp.Topic == topic {
					n++
				}
			}
			s.mu.Unlock()
		}
		return n
	}
	both := func() bool {
		for _, s := range stages {
			s.mu.Lock()
			n := len(s.counts)
			s.mu.Unlock()
			if n == 0 {
				return false
			}
		}
		return owned("in") == inPartitions
	}
	eventually(t, "all partitions, for both", both)
	feed(t, cl, 0, 40)
	copies(t, cfg, 40)
	taken := func() (n int) {
		for _, s := range stages {
			s.mu.Lock()
			n += s.revoked["in"]
			s.mu.Unlock()
		}
		return n
	}
	before := taken()

	if err := EnsureTopics(t.Context(), cl, Topic{Name: "in-v2", Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	for _, l := range loops {
		l.Read([]string{"in", "in-v2"})
	}
	eventually(t, "the partitions of the other topic", func() bool { return owned("in-v2") == 3 })
	feed(t, cl, 40, 80)
	copies(t, cfg, 80)
	if n := taken() - before; n != 0 {
		t.Errorf("%d partitions were taken away for a topic that came", n)
	}

	for _, l := range loops {
		l.Read([]string{"in-v2"})
	}
	eventually(t, "the first topic let go", func() bool { return owned("in") == 0 && owned("in-v2") == 3 })
	report(t, stages...)
	for i, l := range loops {
		if st := l.Stats(); st.Aborts > 0 || st.Restarts > 0 {
			t.Errorf("%s: %+v: it cost work", stages[i].name, st)
		}
	}
}

// TestRemovedMember: a worker that the group has removed joins again as another
// member. What it had may have been another's meanwhile, also where it is given the
// same again: it goes on from what is committed, not from where it was.
func TestRemovedMember(t *testing.T) {
	t.Parallel()
	c, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	run(t, l)
	feed(t, cl, 0, 40)
	copies(t, cfg, 40)
	stage.mu.Lock()
	before := stage.revoked["in"]
	stage.mu.Unlock()
	client := func() *kgo.Client {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.cl
	}
	member, _ := client().GroupMetadata()
	c.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		resp := r.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp, nil, true
	})
	client().ForceRebalance()
	eventually(t, "another member", func() bool { now, _ := client().GroupMetadata(); return now != "" && now != member })
	feed(t, cl, 40, 80)
	eventually(t, "partitions taken on anew", func() bool {
		stage.mu.Lock()
		defer stage.mu.Unlock()
		return stage.revoked["in"] > before && len(stage.counts) == inPartitions
	})
	copies(t, cfg, 80)
	report(t, stage)
	t.Logf("%+v", l.Stats())
}
