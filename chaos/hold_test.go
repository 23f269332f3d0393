//go:build linux

package chaos

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ownTopics are those that hosts write transactions to.
var ownTopics = []string{"pharos.web", "pharos.mobile", "pharos.metrics", "pharos.dead-letters"}

// hold measures how long what a host leaves open when it dies holds up readers:
// from now until all that is written now is stable.
func hold(ctx context.Context, cl *kgo.Client) (wait func() (time.Duration, error)) {
	began := time.Now()
	adm := kadm.NewClient(cl)
	written, err := adm.ListEndOffsets(ctx, ownTopics...)
	if err == nil {
		err = written.Error()
	}
	done := make(chan struct{})
	var took time.Duration
	go func() {
		defer close(done)
		for err == nil {
			var stable kadm.ListedOffsets
			if stable, err = adm.ListCommittedOffsets(ctx, ownTopics...); err == nil {
				err = stable.Error()
			}
			open := false
			written.Each(func(w kadm.ListedOffset) {
				if s, ok := stable.Lookup(w.Topic, w.Partition); !ok || s.Offset < w.Offset {
					open = true
				}
			})
			if !open {
				took = time.Since(began)
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return func() (time.Duration, error) {
		<-done
		if err != nil {
			err = fmt.Errorf("how long a dead host holds up readers: %w", err)
		}
		return took, err
	}
}

// sayHolds says how long the dead held up readers.
func (w *world) sayHolds(t *testing.T) {
	t.Helper()
	var longest, sum time.Duration
	for _, d := range w.holds {
		longest, sum = max(longest, d), sum+d
	}
	if n := len(w.holds); n > 0 {
		w.say(t, "%d dead hosts held up readers for %.1fs on average, %.1fs at most", n, (sum / time.Duration(n)).Seconds(), longest.Seconds())
	}
}
