package beacon

import (
	"bytes"

	"github.com/seed-6a2d649b/pharos/abi"
)

// clfNames is how many values a line of a web server's log has.
const clfNames = 10

// The values of a line, in the order in which they stand.
const (
	clfRemote = iota
	clfUser
	clfTime
	clfMethod
	clfPath
	clfProto
	clfStatus
	clfBytes
	clfReferer
	clfAgent
)

var clfFields = [clfNames]string{"remote", "user", "time", "method", "path", "proto", "status", "bytes", "referer", "agent"}

// line is what is left of a log line while it is read.
type line struct {
	rest []byte
	bad  bool
}

// decodeCLF reads a line of the common or the combined form.
func decodeCLF(slots *[clfNames]int, raw []byte, values []Value) Cause {
	l := line{rest: raw}
	var v [clfNames][]byte
	v[clfRemote] = l.word()
	l.expect(' ')
	l.word()
	l.expect(' ')
	v[clfUser] = l.word()
	l.expect(' ')
	v[clfTime] = l.bracketed()
	l.expect(' ')
	request := l.quoted()
	l.expect(' ')
	v[clfStatus] = l.word()
	l.expect(' ')
	v[clfBytes] = l.word()
	if len(l.rest) > 0 {
		l.expect(' ')
		v[clfReferer] = l.quoted()
		l.expect(' ')
		v[clfAgent] = l.quoted()
	}
	if l.bad || len(l.rest) > 0 {
		return NotCLF
	}
	if method, rest, ok := bytes.Cut(request, space1); ok {
		if path, proto, ok := bytes.Cut(rest, space1); ok && len(method) > 0 && len(path) > 0 && len(proto) > 0 &&
			bytes.IndexByte(proto, ' ') < 0 {
			v[clfMethod], v[clfPath], v[clfProto] = method, path, proto
		}
	}
	for i, slot := range slots {
		if text := v[i]; slot >= 0 && text != nil && !(len(text) == 1 && text[0] == '-') {
			values[slot] = Value{abi.Untyped, text[:len(text):len(text)]}
		}
	}
	return ""
}

var space1 = []byte{' '}

// cut takes the first n bytes.
func (l *line) cut(n int) []byte {
	b := l.rest[:n]
	l.rest = l.rest[n:]
	return b
}

func (l *line) expect(c byte) {
	if len(l.rest) == 0 || l.rest[0] != c {
		l.bad = true
		l.rest = nil
		return
	}
	l.rest = l.rest[1:]
}

// word takes everything up to white space.
func (l *line) word() []byte {
	n := 0
	for n < len(l.rest) && !blank[l.rest[n]] {
		n++
	}
	if n == 0 {
		l.bad = true
	}
	return l.cut(n)
}

var blank = [256]bool{' ': true, '\t': true, '\n': true, '\f': true, '\r': true}

func (l *line) bracketed() []byte {
	l.expect('[')
	n := bytes.IndexByte(l.rest, ']')
	if n < 0 {
		l.bad = true
		return nil
	}
	text := l.cut(n)
	l.rest = l.rest[1:]
	return text
}

func (l *line) quoted() []byte {
	l.expect('"')
	n := bytes.IndexByte(l.rest, '"')
	if n < 0 {
		l.bad = true
		return nil
	}
	if slash := bytes.IndexByte(l.rest[:n], '\\'); slash >= 0 {
		for n = slash; n < len(l.rest) && l.rest[n] != '"'; n++ {
			if l.rest[n] != '\\' {
				continue
			}
			if n++; n == len(l.rest) || l.rest[n] == '\n' {
				l.bad = true
				return nil
			}
		}
		if n == len(l.rest) {
			l.bad = true
			return nil
		}
	}
	text := l.cut(n)
	l.rest = l.rest[1:]
	return text
}
