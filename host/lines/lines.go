// Package lines reads files of beacons, one a line.
package lines

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/seed-6a2d649b/pharos/host/beacon"
)

// Reader reads the beacons of a file: \n or \r\n ends a line, an empty line is
// none. Of a line that is too large for a beacon only as much is kept as shows
// that it is.
type Reader struct {
	Path   string
	Read   int64 // bytes of the file so far, compressed
	Size   int64 // of the file, 0 unknown
	Number int64 // of the last line, from 1
	in     *bufio.Reader
	buf    []byte
	close  []func() error
}

// Open opens a file: .gz, .zst or plain; "-" is stdin.
func Open(path string, stdin io.Reader) (*Reader, error) {
	l := &Reader{Path: path}
	var raw io.Reader = stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("open input: %w", err)
		}
		l.close = append(l.close, f.Close)
		if info, err := f.Stat(); err == nil {
			l.Size = info.Size()
		}
		raw = f
	}
	raw = &countingReader{raw, &l.Read}
	switch {
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read %s as gzip: %w", path, err), l.Close())
		}
		l.close = append(l.close, z.Close)
		raw = z
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewReader(raw)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read %s as zstd: %w", path, err), l.Close())
		}
		l.close = append(l.close, func() error { z.Close(); return nil })
		raw = z
	}
	l.in = bufio.NewReaderSize(raw, 256<<10)
	return l, nil
}

// Next gives the next beacon's bytes, valid until the next call, or io.EOF.
func (l *Reader) Next() ([]byte, error) {
	for {
		l.buf = l.buf[:0]
		l.Number++
		for {
			part, err := l.in.ReadSlice('\n')
			if room := beacon.MaxBytes + 2 - len(l.buf); len(part) > room {
				l.buf = append(l.buf, part[:max(room, 0)]...)
			} else {
				l.buf = append(l.buf, part...)
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) {
				if len(l.buf) == 0 {
					return nil, io.EOF
				}
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read %s, line %d: %w", l.Path, l.Number, err)
			}
			break
		}
		line := bytes.TrimSuffix(bytes.TrimSuffix(l.buf, []byte("\n")), []byte("\r"))
		if len(line) > 0 {
			return line, nil
		}
	}
}

// Close closes the file.
func (l *Reader) Close() error {
	var err error
	for i := len(l.close) - 1; i >= 0; i-- {
		err = errors.Join(err, l.close[i]())
	}
	return err
}

type countingReader struct {
	r io.Reader
	n *int64
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}
