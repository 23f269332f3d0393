package beacon

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
)

var (
	refRFC3339 = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[-+]\d\d:\d\d)$`)
	refCLFTime = regexp.MustCompile(`^\d\d/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/\d{4}:\d\d:\d\d:\d\d [-+]\d{4}$`)
	refZone    = regexp.MustCompile(`[-+]([01]\d|2[0-3]):?[0-5]\d$`)
)

func refTime(v refValue) (int64, bool) {
	if v.Kind != abi.Number && v.Kind != abi.String && v.Kind != abi.Untyped {
		return 0, false
	}
	ms := new(big.Int)
	switch m := refRFC3339.FindStringSubmatch(v.Text); {
	case refNumber.MatchString(v.Text):
		rat := refRat(v.Text)
		if rat == nil || rat.Sign() < 0 {
			return 0, false
		}
		ms.Quo(rat.Num(), rat.Denom())
	case m != nil:
		zone := strings.ToUpper(m[4])
		t, err := time.Parse(time.RFC3339, m[1]+"T"+m[2]+zone)
		if err != nil || zone != "Z" && !refZone.MatchString(zone) {
			return 0, false
		}
		frac, _ := strconv.Atoi((m[3] + "0000")[1:4])
		if m[3] == "" {
			frac = 0
		}
		ms.SetInt64(t.UnixMilli() + int64(frac))
	case refCLFTime.MatchString(v.Text) && refZone.MatchString(v.Text):
		t, err := time.Parse("02/Jan/2006:15:04:05 -0700", v.Text)
		if err != nil {
			return 0, false
		}
		ms.SetInt64(t.UnixMilli())
	default:
		return 0, false
	}
	end := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	if ms.Sign() < 0 || ms.Cmp(big.NewInt(end)) >= 0 {
		return 0, false
	}
	return ms.Int64(), true
}

// refRat is the exact value of a JSON number, nil if it is beyond any range: the
// exponent is checked against the digits first, so that it stays computable.
func refRat(text string) *big.Rat {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	value, _ := new(big.Rat).SetString(mantissa)
	if value.Sign() == 0 || exponent == "" {
		return value
	}
	e, _ := new(big.Int).SetString(exponent, 10)
	bound := int64(len(text) + 30)
	switch {
	case e.Cmp(big.NewInt(bound)) > 0:
		return nil
	case e.Cmp(big.NewInt(-bound)) < 0: // all of it is fraction
		return big.NewRat(int64(value.Sign()), 2)
	}
	value, _ = value.SetString(mantissa + "e" + e.String())
	return value
}
