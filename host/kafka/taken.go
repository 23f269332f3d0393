package kafka

// Taken is how far a process has taken partitions, whatever became of the
// transactions: what lies before that it takes again. The zero value has taken
// nothing. It is not for concurrent use.
type Taken struct{ to map[TopicPartition]takenTo }

type takenTo struct {
	topicID [16]byte // of a topic that was made anew nothing was taken
	offset  int64
}

// To is the offset up to which a partition was taken.
func (t *Taken) To(tp TopicPartition, topicID [16]byte) int64 {
	if to := t.to[tp]; to.topicID == topicID {
		return to.offset
	}
	return 0
}

// Note notes that a partition was taken up to an offset.
func (t *Taken) Note(tp TopicPartition, topicID [16]byte, offset int64) {
	if t.to == nil {
		t.to = map[TopicPartition]takenTo{}
	}
	t.to[tp] = takenTo{topicID, max(offset, t.To(tp, topicID))}
}
