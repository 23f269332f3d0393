package beacon

// A beacon may be looked at more than once: where one comes out of order before it,
// where a transaction was aborted, where a state is made anew from the log. Who counts
// what plugins do counts it the first time only.

// SetAgain notes that a row was looked at before.
func (b *Batch) SetAgain(row int) {
	b.again++
	b.Row(row).again = true
}

// Again tells whether a row was looked at before.
func (b *Batch) Again(row int) bool { return b.again > 0 && b.Row(row).again }

// New is how many of the rows were not looked at before.
func (b *Batch) New(sel []int) int {
	n := len(sel)
	if b.again > 0 {
		for _, row := range sel {
			if b.Row(row).again {
				n--
			}
		}
	}
	return n
}
