package beacon

import (
	"strconv"

	"github.com/seed-6a2d649b/pharos/abi"
)

const (
	chunkRows = 256
	// keepText bounds the memory for resolved escapes that a batch keeps when it is reset.
	keepText = 8 << 20
)

// Batch holds decoded rows of possibly several sources with one set of fields.
// Its memory is used again after Reset. It is not for concurrent use.
type Batch struct {
	fields *Fields
	chunks []*[chunkRows]Row
	rows   int
	again  int // rows that were looked at before

	values      []Value // of the rows, behind them always zero
	used        int
	text        []byte // escapes resolved, joined texts
	assignments []Assignment
	repeats     map[string]int // an assignment's place by experiment, where there are many
	parts       [2]Value       // of one assignment

	scan  scanner
	inner scanner // over assignments, and values of queries
	dict  dict
}

// NewBatch makes an empty batch of fields.
func NewBatch(f *Fields) *Batch {
	b := &Batch{fields: f}
	b.scan.batch, b.inner.batch = b, b
	return b
}

// Reset empties the batch and lets go of the raw bytes. Everything that came
// from the batch is void.
func (b *Batch) Reset() {
	for i := 0; i < b.rows; i += chunkRows {
		chunk := b.chunks[i/chunkRows]
		clear(chunk[:min(chunkRows, b.rows-i)])
	}
	clear(b.values[:b.used])
	clear(b.assignments)
	b.rows, b.used, b.again = 0, 0, 0
	b.assignments = b.assignments[:0]
	if cap(b.text) > keepText {
		b.text = nil
	}
	b.text = b.text[:0]
	b.scan.data, b.inner.data = nil, nil
}

// Len is the number of rows.
func (b *Batch) Len() int { return b.rows }

// Fields is the set of fields that the rows have.
func (b *Batch) Fields() *Fields { return b.fields }

// Row gives row i. The pointer is valid until Reset.
func (b *Batch) Row(i int) *Row { return &b.chunks[i/chunkRows][i%chunkRows] }

// Add decodes raw into a new row and returns its number. Of a beacon that cannot
// be decoded it returns the cause; its row has Raw, Source and a constant tenant
// only. Time, tenant or session may be missing of a row without a cause. raw is
// kept until Reset and must not change. p must be of the batch's fields.
func (b *Batch) Add(p *Projection, raw []byte) (row int, cause Cause) {
	if p.fields != b.fields {
		panic("beacon: projection and batch of different fields")
	}
	row = b.rows
	r := b.next()
	r.Raw, r.Source = raw, p.src
	values := b.take(p.slots)
	r.Values = values[:len(b.fields.names):len(b.fields.names)]
	text := len(b.text)
	if cause = b.decode(p, raw, values); cause != "" {
		clear(values)
		b.text = b.text[:text]
		if len(p.tenant.slots) == 0 {
			r.Tenant = p.tenant.constant
		}
	} else {
		b.finish(p, r, values)
		clear(values[len(r.Values):]) // the next row's
	}
	b.used += len(r.Values)
	return row, cause
}

// AddEmpty adds a row with a time and nothing else, and gives it: a beacon that was
// decoded before, whose values the caller puts in. Texts that they refer to must
// not change until Reset.
func (b *Batch) AddEmpty(time int64) *Row {
	r := b.next()
	r.Time, r.HasTime = time, true
	n := len(b.fields.names)
	r.Values = b.take(n)
	b.used += n
	return r
}

// next gives a new row.
func (b *Batch) next() *Row {
	if b.rows == len(b.chunks)*chunkRows {
		b.chunks = append(b.chunks, new([chunkRows]Row))
	}
	b.rows++
	return b.Row(b.rows - 1)
}

// take gives n zero values behind the used ones. Rows keep their values in the
// old array when a new one is needed.
func (b *Batch) take(n int) []Value {
	if b.used+n > len(b.values) {
		b.values = make([]Value, max(2*len(b.values), n, 64*n))
		b.used = 0
	}
	return b.values[b.used : b.used+n : b.used+n]
}

func (b *Batch) decode(p *Projection, raw []byte, values []Value) Cause {
	switch {
	case len(raw) > MaxBytes:
		return TooLarge
	case !validUTF8(raw):
		return NotUTF8
	}
	b.scan.start(raw, values, p.nodes)
	switch p.src.Format {
	case JSON:
		return b.scan.document(p.root)
	case Query:
		return b.query(p, raw, values)
	default:
		return decodeCLF(&p.clf, raw, values)
	}
}

// finish fills in what comes of the values that were read.
func (b *Batch) finish(p *Projection, r *Row, values []Value) {
	for _, c := range p.copies {
		values[c.to] = values[c.from]
	}
	r.Tenant = b.locate(&p.tenant, values)
	r.Session = b.locate(&p.session, values)
	r.ID = b.locate(&p.id, values)
	if len(p.time.slots) == 1 {
		v := &values[p.time.slots[0]]
		r.Time, r.HasTime = ParseTime(v.Kind, v.Text)
	} else {
		r.Time, r.HasTime = ParseTime(abi.String, b.locate(&p.time, values))
	}
	if p.assignments >= 0 {
		r.Assignments = b.assigned(p, values[p.assignments])
	}
	for i := range p.derived {
		d := &p.derived[i]
		v := &r.Values[d.field]
		v.Kind = abi.String
		switch d.name {
		case FieldTime:
			v.Kind = abi.Number
			if r.HasTime {
				from := len(b.text)
				b.text = strconv.AppendInt(b.text, r.Time, 10)
				v.Text = b.text[from:len(b.text):len(b.text)]
			}
		case FieldTenant:
			v.Text = r.Tenant
		case FieldSession:
			v.Text = r.Session
		case FieldSource:
			v.Text = p.name
		default:
			v.Text = b.locate(&d.from, values)
		}
		if len(v.Text) == 0 {
			*v = Value{}
		}
	}
}

// locate gives the text of a locator: empty where it has none.
func (b *Batch) locate(l *locator, values []Value) []byte {
	switch len(l.slots) {
	case 0:
		return l.constant
	case 1:
		return values[l.slots[0]].text()
	}
	from, some := len(b.text), false
	for i, slot := range l.slots {
		if i > 0 {
			b.text = append(b.text, '|')
		}
		t := values[slot].text()
		some = some || len(t) > 0
		b.text = append(b.text, t...)
	}
	if !some {
		b.text = b.text[:from]
		return nil
	}
	return b.text[from:len(b.text):len(b.text)]
}
