package kafka

import "testing"

func TestTaken(t *testing.T) {
	var taken Taken
	a, b := TopicPartition{Topic: "t"}, TopicPartition{Topic: "t", Partition: 1}
	one, two := [16]byte{1}, [16]byte{2}
	is := func(tp TopicPartition, id [16]byte, want int64) {
		t.Helper()
		if got := taken.To(tp, id); got != want {
			t.Errorf("%v of topic %x: %d, want %d", tp, id, got, want)
		}
	}
	is(a, one, 0)
	taken.Note(a, one, 10)
	taken.Note(a, one, 5) // again, after an abort
	is(a, one, 10)
	is(b, one, 0)
	is(a, two, 0)
	taken.Note(a, two, 3) // the topic was made anew
	is(a, two, 3)
	is(a, one, 0)
}
