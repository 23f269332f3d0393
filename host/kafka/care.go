package kafka

// care is how a loop works after failures. A stage may take longer over a
// batch than a transaction may be open: so a transaction ends after every
// Batch, which leaves none open while the stage works, and after more failures
// batches become smaller, until enough is committed. Run's goroutine owns it.
type care struct {
	most    int // records of a batch without care
	records int // of a batch now
	on      bool
	commits int // since the last failure, or since records was raised
}

const (
	carefulCommits = 10  // after so many, batches become larger again, and at their full size care ends
	carefulRecords = 100 // batches become no smaller
)

// failed is called after an abort or a failure of the client.
func (c *care) failed() {
	if c.on {
		c.records = min(c.records, max(c.records/2, carefulRecords))
	}
	c.on, c.commits = true, 0
}

// committed is called after each transaction.
func (c *care) committed() {
	if !c.on {
		return
	}
	if c.commits++; c.commits == carefulCommits {
		c.commits = 0
		c.records = min(2*c.records, c.most)
		c.on = c.records < c.most
	}
}
