package snapshot

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
)

// The form of a snapshot; numbers are little-endian:
//
//	"PHAROS" 0x0A "S"       magic
//	version   u32           1
//	sum       u64           of what stands before
//	length    u32, header   JSON: what the snapshot is of
//	sum       u64
//	blocks of the payload, compressed by zstd:
//	  length  u32, bytes    1 to maxBlock
//	  sum     u64
//	end:
//	  0       u32
//	  length  u64           of all blocks
//	  sum     u64
//
// Every sum is the xxHash64 of the sum before (0 at first) and all bytes since,
// so that blocks that are lost, doubled or swapped show. Magic, version and the
// first sum keep their places in all versions: an unknown version is told apart
// from a broken one.
const (
	magic     = "PHAROS\nS"
	version   = 1
	maxHeader = 8 << 10
	maxBlock  = 256 << 10
)

// window bounds the memory that compression takes, in bytes.
const window = 1 << 20

// header says what a snapshot is of.
type header struct {
	group string
	Info
}

// headerJSON is the header as it is written. It is for people too: the first
// lines of the file show it.
type headerJSON struct {
	Kind       string `json:"kind"`
	Group      string `json:"group"`
	Route      string `json:"route"`
	Topic      string `json:"topic"`
	TopicID    string `json:"topic_id"`
	Partition  int32  `json:"partition"`
	Offset     int64  `json:"offset"`
	Generation uint64 `json:"generation"`
	Taken      string `json:"taken,omitempty"` // RFC 3339
}

func (h header) marshal() ([]byte, error) {
	j := headerJSON{
		Kind: "snapshot", Group: h.group, Route: h.Route, Topic: h.Topic, TopicID: hex.EncodeToString(h.TopicID[:]),
		Partition: h.Partition, Offset: h.Offset, Generation: h.Generation,
	}
	if h.Handover {
		j.Kind = "handover"
	}
	if !h.Taken.IsZero() {
		j.Taken = h.Taken.UTC().Format(time.RFC3339Nano)
	}
	text, err := json.Marshal(j)
	if err == nil && len(text) > maxHeader {
		err = fmt.Errorf("the header has %d bytes, more than %d: names are too long", len(text), maxHeader)
	}
	return text, err
}

func parseHeader(text []byte) (header, error) {
	var j headerJSON
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return header{}, broken("its header: %v", err)
	}
	h := header{group: j.Group, Info: Info{Key: Key{Route: j.Route, Topic: j.Topic, Partition: j.Partition},
		Offset: j.Offset, Generation: j.Generation, Handover: j.Kind == "handover"}}
	id, err := hex.DecodeString(j.TopicID)
	if err != nil || len(id) != len(h.TopicID) || j.Kind != "snapshot" && !h.Handover {
		return header{}, broken("its header: kind %q, topic id %q", j.Kind, j.TopicID)
	}
	h.TopicID = [16]byte(id)
	if j.Taken != "" {
		if h.Taken, err = time.Parse(time.RFC3339Nano, j.Taken); err != nil {
			return header{}, broken("its header: taken %q", j.Taken)
		}
	}
	if err := h.check(); err != nil {
		return header{}, broken("its header: %v", err)
	}
	return h, nil
}

// same tells whether two headers are of one state; sizes and times do not count.
func (h header) same(other header) bool {
	h.Size, h.Taken, other.Size, other.Taken = 0, time.Time{}, 0, time.Time{}
	return h == other
}

func (h header) String() string {
	kind := "a snapshot"
	if h.Handover {
		kind = "a hand-over"
	}
	return fmt.Sprintf("%s of group %s, route %s, %s (topic id %x) at offset %d, generation %d", kind, h.group, h.Route, h.Key, h.TopicID, h.Offset, h.Generation)
}

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBroken, fmt.Sprintf(format, args...))
}

// chain sums all that passes, from sum to sum.
type chain struct {
	digest xxhash.Digest
}

func newChain() *chain {
	c := &chain{}
	c.digest.Reset()
	c.digest.Write(make([]byte, 8))
	return c
}

// next ends a stretch: it gives its sum, with which the next begins.
func (c *chain) next() uint64 {
	sum := c.digest.Sum64()
	c.digest.Reset()
	c.digest.Write(binary.LittleEndian.AppendUint64(nil, sum))
	return sum
}

// encode writes a snapshot whose payload is what write gives.
func encode(w io.Writer, h header, write func(io.Writer) error) error {
	text, err := h.marshal()
	if err != nil {
		return err
	}
	b := &blockWriter{w: w, sums: newChain()}
	b.put(binary.LittleEndian.AppendUint32([]byte(magic), version), nil)
	b.put(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text)
	z, err := zstd.NewWriter(b, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(window), zstd.WithEncoderCRC(false))
	if err != nil {
		return err
	}
	if err := write(z); err != nil {
		z.Close() // its error would hide the writer's
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return b.close()
}

// blockWriter cuts what is written into blocks with their sums.
type blockWriter struct {
	w     io.Writer
	sums  *chain
	block []byte
	total uint64
	err   error // the first; nothing is written behind it
}

func (b *blockWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && b.err == nil {
		take := min(len(p), maxBlock-len(b.block))
		b.block = append(b.block, p[:take]...)
		p = p[take:]
		if len(b.block) == maxBlock {
			b.flush()
		}
	}
	if b.err != nil {
		return 0, b.err
	}
	return n, nil
}

func (b *blockWriter) flush() {
	if len(b.block) > 0 {
		b.put(binary.LittleEndian.AppendUint32(nil, uint32(len(b.block))), b.block)
		b.total += uint64(len(b.block))
		b.block = b.block[:0]
	}
}

func (b *blockWriter) close() error {
	b.flush()
	b.put(binary.LittleEndian.AppendUint64(make([]byte, 4), b.total), nil)
	return b.err
}

// put writes two pieces and their sum.
func (b *blockWriter) put(front, body []byte) {
	b.sums.digest.Write(front)
	b.sums.digest.Write(body)
	sum := binary.LittleEndian.AppendUint64(nil, b.sums.next())
	for _, piece := range [][]byte{front, body, sum} {
		if b.err == nil && len(piece) > 0 {
			_, b.err = b.w.Write(piece)
		}
	}
}

// decode checks that r is the snapshot that want names, and gives its payload.
func decode(r io.Reader, want header) (*payload, error) {
	b := &blockReader{r: r, sums: newChain()}
	is, err := b.start()
	if err != nil {
		return nil, err
	}
	if !is.same(want) {
		return nil, broken("it is %s, not %s", is, want)
	}
	z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, errors.Join(err, b.err)
	}
	return &payload{is: is.Info, blocks: b, z: z}, nil
}

// blockReader gives the blocks' bytes, each once its sum holds, and io.EOF once
// the end was there.
type blockReader struct {
	r     io.Reader
	sums  *chain
	block []byte // what is left of the present one
	buf   []byte
	total uint64
	err   error // what ended it
}

// start reads what stands before the blocks.
func (b *blockReader) start() (header, error) {
	front := make([]byte, len(magic)+4)
	if err := b.take(front); err != nil {
		return header{}, err
	}
	if string(front[:len(magic)]) != magic {
		return header{}, broken("it does not begin as a snapshot does")
	}
	if err := b.sum(); err != nil {
		return header{}, err
	}
	if v := binary.LittleEndian.Uint32(front[len(magic):]); v != version {
		return header{}, fmt.Errorf("%w %d: this build reads version %d; run the build that wrote it", ErrVersion, v, version)
	}
	length := make([]byte, 4)
	if err := b.take(length); err != nil {
		return header{}, err
	}
	n := binary.LittleEndian.Uint32(length)
	if n > maxHeader {
		return header{}, broken("a header of %d bytes", n)
	}
	text := make([]byte, n)
	if err := b.take(text); err != nil {
		return header{}, err
	}
	if err := b.sum(); err != nil {
		return header{}, err
	}
	return parseHeader(text)
}

// take reads p whole. What ends early is broken; what can not be read is an
// error of its own.
func (b *blockReader) take(p []byte) error {
	_, err := io.ReadFull(b.r, p)
	b.sums.digest.Write(p)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return broken("it ends early")
	}
	return err
}

// sum reads and compares a sum.
func (b *blockReader) sum() error {
	want := b.sums.next()
	var sum [8]byte
	if _, err := io.ReadFull(b.r, sum[:]); err == io.EOF || err == io.ErrUnexpectedEOF {
		return broken("it ends early")
	} else if err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(sum[:]) != want {
		return broken("a checksum does not hold")
	}
	return nil
}

func (b *blockReader) Read(p []byte) (int, error) {
	if len(b.block) == 0 && b.err == nil {
		b.err = b.next()
	}
	if len(b.block) == 0 {
		return 0, b.err
	}
	n := copy(p, b.block)
	b.block = b.block[n:]
	return n, nil
}

// next reads a block; io.EOF at the end.
func (b *blockReader) next() error {
	var length [4]byte
	if err := b.take(length[:]); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n == 0 {
		return b.end()
	}
	if n > maxBlock {
		return broken("a block of %d bytes", n)
	}
	if b.buf == nil {
		b.buf = make([]byte, maxBlock)
	}
	if err := b.take(b.buf[:n]); err != nil {
		return err
	}
	if err := b.sum(); err != nil {
		return err
	}
	b.total += uint64(n)
	b.block = b.buf[:n]
	return nil
}

// end reads what stands behind the last block.
func (b *blockReader) end() error {
	var total [8]byte
	if err := b.take(total[:]); err != nil {
		return err
	}
	if err := b.sum(); err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(total[:]) != b.total {
		return broken("blocks are missing")
	}
	if n, err := io.ReadFull(b.r, total[:1]); n > 0 {
		return broken("something follows its end")
	} else if err != io.EOF {
		return err
	}
	return io.EOF
}

// payload is what Open gives.
type payload struct {
	name    string
	is      Info // as its header says
	object  io.Closer
	blocks  *blockReader
	z       *zstd.Decoder
	metrics *metrics
	err     error // what ended it
}

func (p *payload) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.z.Read(b)
	if err == nil {
		return n, nil
	}
	p.err = p.end(err)
	return n, p.err
}

// end says what ended the payload. What ended the blocks is the cause of whatever
// zstd says.
func (p *payload) end(err error) error {
	switch end := p.blocks.err; {
	case end != nil && end != io.EOF:
		err = end
	case err == io.EOF && end == io.EOF && len(p.blocks.block) == 0:
		p.metrics.read(p.is)
		return io.EOF
	default:
		err = broken("its payload: %v", err)
	}
	p.metrics.failed(opRead, err)
	return fmt.Errorf("snapshot %s: %w", p.name, err)
}

func (p *payload) Close() error {
	p.z.Close()
	return p.object.Close()
}
