// Package cut gives tests connections to Kafka that lose requests or answers:
// a lost request was never applied, the answer of a lost answer's was.
package cut

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fate is what becomes of one request.
type Fate int

// Fates.
const (
	Pass        Fate = iota
	LoseRequest      // the connection breaks before the broker has it
	LoseAnswer       // the broker has applied it and answered; the connection breaks before the client knows
)

// errWrite is what writing to a connection gives that the other end has closed.
var errWrite = os.NewSyscallError("write", syscall.EPIPE)

// Dialer returns a dialer of plain TCP whose connections ask decide about each
// request. It may be asked by several goroutines at once.
func Dialer(decide func(kmsg.Key) Fate) func(ctx context.Context, network, host string) (net.Conn, error) {
	return func(ctx context.Context, network, host string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, host)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, decide: decide, in: bufio.NewReader(c), lose: map[uint32]bool{}}, nil
	}
}

// conn takes a Write for one request, which is how kgo writes.
type conn struct {
	net.Conn
	decide func(kmsg.Key) Fate

	in    *bufio.Reader
	frame []byte // what is left to be read of an answer

	mu   sync.Mutex
	lose map[uint32]bool // answers, by correlation id
}

// A request begins with its length (4 bytes), key (2), version (2) and
// correlation id (4), an answer with its length and the correlation id.
const (
	atKey         = 4
	atCorrelation = 8
	headBytes     = 12
)

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if len(b) >= headBytes {
		switch c.decide(kmsg.Key(binary.BigEndian.Uint16(b[atKey:]))) {
		case LoseRequest:
			return 0, errors.Join(errWrite, c.Close())
		case LoseAnswer:
			c.mu.Lock()
			c.lose[binary.BigEndian.Uint32(b[atCorrelation:])] = true
			c.mu.Unlock()
		}
	}
	return c.Conn.Write(b)
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if len(c.frame) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.frame)
	c.frame = c.frame[n:]
	return n, nil
}

// next reads a whole answer.
func (c *conn) next() error {
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return err
	}
	c.mu.Lock()
	lost := c.lose[binary.BigEndian.Uint32(head[4:])]
	c.mu.Unlock()
	if lost {
		return errors.Join(io.EOF, c.Close())
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(head[:]))
	copy(frame, head[:])
	if _, err := io.ReadFull(c.in, frame[8:]); err != nil {
		return err
	}
	c.frame = frame
	return nil
}
