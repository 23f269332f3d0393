package snapshot

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The kinds of what a group has.
const (
	snapshots = "snapshots"
	handovers = "handovers"
	marks     = "marks"
)

// prefix is what the names of a kind begin with.
func (s *Store) prefix(kind string) string {
	return "groups/" + escape(s.group) + "/" + kind + "/"
}

// name is the partition's part of a name.
func (k Key) name() string {
	return fmt.Sprintf("%s/%s/%x/%05d", escape(k.Route), escape(k.Topic), k.TopicID, k.Partition)
}

// name has offsets of one length, so that a listing of names is in their order.
func (s *Store) name(i Info) string {
	kind := snapshots
	if i.Handover {
		kind = handovers
	}
	return fmt.Sprintf("%s%s/%019d-g%d", s.prefix(kind), i.Key.name(), i.Offset, i.Generation)
}

// parse reads a name that name has made; ok is false of any other.
func (s *Store) parse(name string) (i Info, ok bool) {
	rest, ok := strings.CutPrefix(name, s.prefix(snapshots))
	if !ok {
		rest, i.Handover = strings.CutPrefix(name, s.prefix(handovers))
	}
	part := strings.Split(rest, "/")
	if len(part) != 5 {
		return Info{}, false
	}
	var okRoute, okTopic bool
	i.Route, okRoute = unescape(part[0])
	i.Topic, okTopic = unescape(part[1])
	id, err := hex.DecodeString(part[2])
	if !okRoute || !okTopic || err != nil || len(id) != len(i.TopicID) {
		return Info{}, false
	}
	i.TopicID = [16]byte(id)
	partition, errPartition := strconv.ParseInt(part[3], 10, 32)
	offset, generation, _ := strings.Cut(part[4], "-g")
	var errOffset, errGeneration error
	i.Offset, errOffset = strconv.ParseInt(offset, 10, 64)
	i.Generation, errGeneration = strconv.ParseUint(generation, 10, 64)
	i.Partition = int32(partition)
	if errPartition != nil || errOffset != nil || errGeneration != nil || i.check() != nil {
		return Info{}, false
	}
	return i, s.name(i) == name
}

// cutLast takes the last part off a name.
func cutLast(name string) (before, last string, found bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

// longest is how long a part of a name may be, in bytes.
const longest = 255

// escape makes a part of a name of any text: what is no letter, digit, _ or -,
// and a dot that stands first, becomes = and two hexadecimal digits. Texts that
// would become too long stand there in base64, behind =_.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	if b.Len() == 0 {
		return "="
	}
	if b.Len() > longest {
		return "=_" + base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	return b.String()
}

// unescape gives the text of a part that escape has made; ok is false of any
// other.
func unescape(part string) (text string, ok bool) {
	var b []byte
	if long, ok := strings.CutPrefix(part, "=_"); ok {
		b, _ = base64.RawURLEncoding.DecodeString(long)
	} else {
		for i := 0; i < len(part); i++ {
			c := part[i]
			if c == '=' && i+2 < len(part) {
				n, err := strconv.ParseUint(part[i+1:i+3], 16, 8)
				if err != nil {
					return "", false
				}
				c, i = byte(n), i+2
			} else if c == '=' {
				break
			}
			b = append(b, c)
		}
	}
	return string(b), escape(string(b)) == part
}
