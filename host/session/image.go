package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/seed-6a2d649b/pharos/host/session/table"
)

// An image of a partition is imageMagic, the version, and blocks: the length as
// a varint, and as many bytes. The first block is what the partition and its
// tenants know (see packTables), each of the others some entries of the table;
// an empty one is the last.
const (
	imageMagic   = "pharos sessions\n"
	imageVersion = 3
)

// The size of a block of entries, about, and the most that one may have, in
// bytes. While one is got together the partition stands still.
const (
	blockSize = 64 << 10
	maxBlock  = 1 << 32
)

// ErrImage is an image that is none, or not of this partition.
var ErrImage = errors.New("session: the image cannot be used")

// ErrImageVersion is an image of a version that this host does not know.
var ErrImageVersion = errors.New("session: the image is of another version")

// Frozen is a partition as it was at one moment, between two batches.
type Frozen struct {
	partition *Partition // not looked at; its memory is
	tables    []byte
	entries   *table.Frozen
}

// Freeze gives the partition as it is, to be written while it goes on, and to be
// closed. What is booked and not flushed is no part of it.
func (p *Partition) Freeze() *Frozen {
	p.closeAll()
	return &Frozen{partition: p, tables: p.packTables(nil), entries: p.table.Freeze()}
}

// Close lets the partition go on without keeping anything for the image. It may
// be called twice.
func (f *Frozen) Close() { f.entries.Close() }

// Kept is what the partition keeps for the image, in bytes: of what has changed
// since.
func (f *Frozen) Kept() int { return len(f.tables) + f.entries.Kept() }

// WriteTo writes the image, once. It may run beside the partition's own work.
func (f *Frozen) WriteTo(w io.Writer) (n int64, err error) {
	out := &countingWriter{w: w}
	head := append([]byte(imageMagic), imageVersion)
	head = binary.AppendUvarint(head, uint64(len(f.tables)))
	if _, err := out.Write(append(head, f.tables...)); err != nil {
		return out.n, fmt.Errorf("session: write an image: %w", err)
	}
	// Room for the length before what it is of.
	buffer := make([]byte, binary.MaxVarintLen64, 2*blockSize)
	for {
		if buffer, err = f.entries.Next(buffer[:binary.MaxVarintLen64], blockSize); err != nil {
			return out.n, fmt.Errorf("session: write an image: %w", err)
		}
		size := len(buffer) - binary.MaxVarintLen64
		var length [binary.MaxVarintLen64]byte
		k := binary.PutUvarint(length[:], uint64(size))
		from := binary.MaxVarintLen64 - k
		copy(buffer[from:], length[:k])
		if _, err := out.Write(buffer[from:]); err != nil {
			return out.n, fmt.Errorf("session: write an image: %w", err)
		}
		if size == 0 {
			return out.n, nil
		}
	}
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// imageBlocks reads what Frozen.WriteTo wrote, and no byte more.
type imageBlocks struct {
	r     io.Reader
	one   [1]byte
	block bytes.Buffer
}

// ReadByte is for varints.
func (i *imageBlocks) ReadByte() (byte, error) {
	_, err := io.ReadFull(i.r, i.one[:])
	return i.one[0], err
}

// head reads what an image begins with.
func (i *imageBlocks) head() error {
	var head [len(imageMagic) + 1]byte
	if _, err := io.ReadFull(i.r, head[:]); err != nil {
		return cut(err)
	}
	switch version := head[len(imageMagic)]; {
	case string(head[:len(imageMagic)]) != imageMagic:
		return fmt.Errorf("%w: it does not begin as one", ErrImage)
	case version != imageVersion:
		return fmt.Errorf("%w: it has %d, this host knows %d: it was written by another release of Pharos", ErrImageVersion, version, imageVersion)
	}
	return nil
}

// next gives the next block, until the one after it is read.
func (i *imageBlocks) next() ([]byte, error) {
	size, err := binary.ReadUvarint(i)
	if err != nil {
		return nil, cut(err)
	}
	if size > maxBlock {
		return nil, fmt.Errorf("%w: a block of %d bytes", ErrImage, size)
	}
	i.block.Reset()
	if _, err := io.CopyN(&i.block, i.r, int64(size)); err != nil {
		return nil, cut(err)
	}
	return i.block.Bytes(), nil
}

// cut is the error of an image that cannot be read to its end.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends too early", ErrImage)
	}
	return fmt.Errorf("session: read an image: %w", err)
}
