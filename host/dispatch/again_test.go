package dispatch

import (
	"testing"

	"pgregory.net/rapid"
)

// However often transactions are aborted, a filter is told of each beacon once that it
// is asked about it for the first time.
func TestPropertyAskedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newScene(t, 2)
		a := s.start(1)
		s.all(a)
		taken := [2]int64{}
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) { s.send(rapid.IntRange(0, 1).Draw(t, "partition"), 5, 4, 3, 2, 1) },
			"poll": func(t *rapid.T) {
				p := rapid.Int32Range(0, 1).Draw(t, "partition")
				a.poll(p, rapid.IntRange(1, 7).Draw(t, "records"))
				taken[p] = max(taken[p], a.next[p])
			},
			"commit":  func(*rapid.T) { a.commit() },
			"abort":   func(*rapid.T) { a.abort() },
			"publish": func(*rapid.T) { a.commit(); s.publish(0); a.load() },
			"": func(t *rapid.T) {
				if want := taken[0] + taken[1]; int64(s.asked) != want {
					t.Fatalf("%d beacons were new, of %d", s.asked, want)
				}
			},
		})
	})
}
