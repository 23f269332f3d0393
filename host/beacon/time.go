package beacon

import (
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
)

// maxTime is the first ms of the year 10000.
const maxTime = 253402300800000

// ParseTime gives the event time of a value in epoch ms: a number, or a string
// that is a JSON number, RFC 3339 or CLF's form, between 1970-01-01 and
// 9999-12-31. Fractions of a ms are cut off.
func ParseTime(kind abi.ValueKind, text []byte) (ms int64, ok bool) {
	switch kind {
	case abi.Number, abi.String, abi.Untyped:
	default:
		return 0, false
	}
	if n, ok := natural(text); ok && n < maxTime {
		return int64(n), true
	}
	switch {
	case len(text) == 0:
		return 0, false
	case number(text, 0) == len(text):
		return epochTime(text)
	case len(text) > 4 && text[4] == '-':
		ms, ok = parseRFC3339(text)
	default:
		ms, ok = parseCLFTime(text)
	}
	if !ok || ms < 0 || ms >= maxTime {
		return 0, false
	}
	return ms, true
}

func epochTime(text []byte) (int64, bool) {
	n, rest, ok := wholePart(text)
	if !ok || n >= maxTime || text[0] == '-' && (n > 0 || rest) {
		return 0, false
	}
	return int64(n), true
}

// parseRFC3339 reads 2006-01-02T15:04:05[.999…](Z|+07:00).
func parseRFC3339(b []byte) (int64, bool) {
	if len(b) < 20 || b[7] != '-' || b[10]|0x20 != 't' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	ms, ok := clock(decimal(b[0:4]), decimal(b[5:7]), decimal(b[8:10]), decimal(b[11:13]), decimal(b[14:16]), decimal(b[17:19]))
	if !ok {
		return 0, false
	}
	b = b[19:]
	if b[0] == '.' {
		end := digits(b, 1)
		if end == 1 || end == len(b) {
			return 0, false
		}
		for i, unit := 1, int64(100); i < end && unit > 0; i, unit = i+1, unit/10 {
			ms += int64(b[i]-'0') * unit
		}
		b = b[end:]
	}
	if len(b) == 1 {
		return ms, b[0]|0x20 == 'z'
	}
	if len(b) != 6 || b[3] != ':' {
		return 0, false
	}
	zone, ok := offset(b[0], b[1:3], b[4:6])
	return ms - zone, ok
}

// parseCLFTime reads 02/Jan/2006:15:04:05 -0700.
func parseCLFTime(b []byte) (int64, bool) {
	if len(b) != 26 || b[2] != '/' || b[6] != '/' || b[11] != ':' || b[14] != ':' || b[17] != ':' || b[20] != ' ' {
		return 0, false
	}
	ms, ok := clock(decimal(b[7:11]), month(b[3:6]), decimal(b[0:2]), decimal(b[12:14]), decimal(b[15:17]), decimal(b[18:20]))
	if !ok {
		return 0, false
	}
	zone, ok := offset(b[21], b[22:24], b[24:26])
	return ms - zone, ok
}

// decimal reads a number of digits only, -1 if it is none.
func decimal(b []byte) int {
	n := 0
	for _, c := range b {
		if c -= '0'; c > 9 {
			return -1
		}
		n = n*10 + int(c)
	}
	return n
}

func month(b []byte) int {
	for m := time.January; m <= time.December; m++ {
		if m.String()[:3] == string(b) {
			return int(m)
		}
	}
	return -1
}

// offset gives a zone's distance from UTC in ms.
func offset(sign byte, hours, minutes []byte) (int64, bool) {
	h, m := decimal(hours), decimal(minutes)
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	ms := int64(h*60+m) * 60000
	switch sign {
	case '+':
		return ms, true
	case '-':
		return -ms, true
	}
	return 0, false
}

// clock gives the epoch ms of a date and time in UTC.
func clock(year, month, day, hour, minute, second int) (int64, bool) {
	if year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 59 {
		return 0, false
	}
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0)
	length := int("\x1f\x1c\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"[month-1])
	if leap && month == 2 {
		length = 29
	}
	if day > length {
		return 0, false
	}
	// Count years from March, so that a leap day is the last of its year.
	y := year
	if month <= 2 {
		y--
	}
	days := y*365 + floor(y, 4) - floor(y, 100) + floor(y, 400) + (153*((month+9)%12)+2)/5 + day - 1 - 719468
	return int64(((days*24+hour)*60+minute)*60+second) * 1000, true
}

func floor(a, b int) int {
	if a < 0 {
		return -1
	}
	return a / b
}
