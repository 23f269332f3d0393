package definition

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	rfc3339 = regexp.MustCompile(`^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([-+])(\d\d):(\d\d))$`)
	clfTime = regexp.MustCompile(`^(\d\d)/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/(\d{4}):(\d\d):(\d\d):(\d\d) ([-+])(\d\d)(\d\d)$`)
	months  = []string{1: "Jan", 2: "Feb", 3: "Mar", 4: "Apr", 5: "May", 6: "Jun", 7: "Jul", 8: "Aug", 9: "Sep", 10: "Oct", 11: "Nov", 12: "Dec"}
)

// parseTime gives epoch ms of a number, a string that is one, RFC 3339 or CLF.
func parseTime(v any) (int64, bool) {
	if _, isBool := v.(bool); isBool {
		return 0, false
	}
	text := Value{v}.Text()
	var ms *big.Int
	if jsonNumber.MatchString(text) {
		ms = epoch(text)
	} else if m := rfc3339.FindStringSubmatch(text); m != nil {
		ms = calendar(m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10])
	} else if m := clfTime.FindStringSubmatch(text); m != nil {
		month := 0
		for i, name := range months {
			if name == m[2] {
				month = i
			}
		}
		ms = calendar(m[3], strconv.Itoa(month), m[1], m[4], m[5], m[6], "", m[7], m[8], m[9])
	}
	end := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	if ms == nil || ms.Sign() < 0 || ms.Cmp(big.NewInt(end)) >= 0 {
		return 0, false
	}
	return ms.Int64(), true
}

// epoch cuts the fraction off a JSON number. It gives nil for what is below 0,
// or has so many digits that it is no time.
func epoch(text string) *big.Int {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return new(big.Int)
	}
	if negative {
		return nil
	}
	// The number is 0.DIGITS times ten to the power of places.
	places, ok := new(big.Int).SetString("0"+strings.TrimPrefix(exponent, "+"), 10)
	if strings.HasPrefix(exponent, "-") {
		places, ok = new(big.Int).SetString(exponent, 10)
	}
	if !ok {
		panic("definition: a JSON number with the exponent " + exponent)
	}
	places.Add(places, big.NewInt(int64(len(digits)-len(fraction))))
	switch {
	case places.Sign() <= 0:
		return new(big.Int)
	case places.Cmp(big.NewInt(20)) > 0:
		return nil
	}
	n := int(places.Int64())
	ms, _ := new(big.Int).SetString((digits + strings.Repeat("0", 20))[:n], 10)
	return ms
}

// calendar gives epoch ms of a date, a time and an offset, nil if there is none such.
func calendar(year, month, day, hour, minute, second, fraction, sign, zoneHours, zoneMinutes string) *big.Int {
	n := func(s string) int {
		v, _ := strconv.Atoi(s)
		return v
	}
	if n(hour) > 23 || n(minute) > 59 || n(second) > 59 || n(zoneHours) > 23 || n(zoneMinutes) > 59 {
		return nil
	}
	t := time.Date(n(year), time.Month(n(month)), n(day), n(hour), n(minute), n(second), 0, time.UTC)
	if t.Month() != time.Month(n(month)) || t.Day() != n(day) {
		return nil
	}
	ms := t.Unix()*1000 + int64(n((fraction + "000")[:3]))
	zone := int64(n(zoneHours)*60+n(zoneMinutes)) * 60_000
	if sign == "-" {
		zone = -zone
	}
	return big.NewInt(ms - zone)
}
