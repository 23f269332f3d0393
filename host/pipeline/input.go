package pipeline

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

// Input is a file of beacons, one a line, and the source that they belong to.
type Input struct {
	Source string // "" where the config has one source
	Path   string // .gz, .zst or plain; "-" is standard input
}

// ParseInputs reads the value of --in: F[,F…], each F or source=F.
func ParseInputs(values []string) []Input {
	var all []Input
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			source, path, found := strings.Cut(one, "=")
			if !found || strings.ContainsRune(source, '/') {
				source, path = "", one
			}
			all = append(all, Input{Source: source, Path: path})
		}
	}
	return all
}

// lines reads the beacons of a file: \n or \r\n ends a line, an empty line is
// none. Of a line that is too large for a beacon only as much is kept as shows
// that it is.
type lines struct {
	path   string
	read   int64 // bytes of the file so far, compressed
	size   int64 // of the file, 0 unknown
	number int64 // of the last line, from 1
	in     *bufio.Reader
	buf    []byte
	close  []func() error
}

func openLines(path string, stdin io.Reader) (*lines, error) {
	l := &lines{path: path}
	var raw io.Reader = stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("open input: %w", err)
		}
		l.close = append(l.close, f.Close)
		if info, err := f.Stat(); err == nil {
			l.size = info.Size()
		}
		raw = f
	}
	raw = &countingReader{raw, &l.read}
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
func (l *lines) Next() ([]byte, error) {
	for {
		l.buf = l.buf[:0]
		l.number++
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
				return nil, fmt.Errorf("read %s, line %d: %w", l.path, l.number, err)
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
func (l *lines) Close() error {
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
