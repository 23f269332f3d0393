package metric

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendFigureJSON appends the line of replay's output for one figure, without
// a newline: an object with the series, the minute in RFC 3339 UTC, and the
// four stats as the shortest numbers that read back as the same float64. Dims
// and attributes are sorted by name; attributes are left out where there are
// none. Lines of zero figures are the caller's to leave out; Totals.Each does.
func AppendFigureJSON(dst []byte, s *Series, minute int64, f Figure) []byte {
	dst = strconv.AppendInt(append(appendKeyJSON(dst, s, minute), `,"hits":`...), f.Hits, 10)
	dst = appendJSONFloat(append(dst, `,"sum":`...), f.Sum.Float64(s.SumDecimals()))
	dst = strconv.AppendInt(append(dst, `,"sessions":`...), f.Sessions, 10)
	dst = appendJSONFloat(append(dst, `,"sumsq":`...), f.SumSq.Float64(sumSqDecimals))
	return append(dst, '}')
}

// AppendSampleJSON appends a sample as AppendFigureJSON does the figure.
func AppendSampleJSON(dst []byte, s *Sample) []byte {
	dst = appendJSONFloat(append(appendKeyJSON(dst, s.Series, s.Minute), `,"hits":`...), s.Hits)
	dst = appendJSONFloat(append(dst, `,"sum":`...), s.Sum)
	dst = appendJSONFloat(append(dst, `,"sessions":`...), s.Sessions)
	dst = appendJSONFloat(append(dst, `,"sumsq":`...), s.SumSq)
	return append(dst, '}')
}

// AppendSeriesJSON appends a series as an object.
func AppendSeriesJSON(dst []byte, s *Series) []byte { return append(appendNamesJSON(dst, s), '}') }

// appendKeyJSON begins the object of a figure: its series and minute.
func appendKeyJSON(dst []byte, s *Series, minute int64) []byte {
	dst = append(appendNamesJSON(dst, s), `,"minute":"`...)
	dst = time.Unix(minute*60, 0).UTC().AppendFormat(dst, "2006-01-02T15:04:05Z")
	return append(dst, '"')
}

func appendNamesJSON(dst []byte, s *Series) []byte {
	for _, p := range [...][2]string{
		{`{"tenant":`, s.Tenant}, {`,"experiment":`, s.Experiment}, {`,"variant":`, s.Variant},
		{`,"status":`, s.Status}, {`,"point":`, s.Point},
	} {
		dst = appendJSONString(append(dst, p[0]...), p[1])
	}
	dst = appendLabelsJSON(append(dst, `,"dims":`...), s.Dims)
	if attributes := canonical(s.Attributes); len(attributes) > 0 {
		dst = appendLabelsJSON(append(dst, `,"attributes":`...), attributes)
	}
	return dst
}

func appendLabelsJSON(dst []byte, labels []Label) []byte {
	dst = append(dst, '{')
	for i, l := range canonical(labels) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, l.Name), ':')
		dst = appendJSONString(dst, l.Value)
	}
	return append(dst, '}')
}

// appendJSONFloat writes v with an exponent where the number is very small or
// beyond 2^53: there, what reads digits as an integer would not read v.
func appendJSONFloat(dst []byte, v float64) []byte {
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1<<53) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, 64)
}

func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s { // a byte that is no UTF-8 comes as the replacement character
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// Summary is what became of all beacons: the form of replay --summary.
type Summary struct {
	Tenants     map[string]*TenantSummary `json:"tenants"`
	Undecodable map[string]int64          `json:"undecodable"` // by cause; no tenant
	BadValue    map[string]int64          `json:"bad_value"`   // by tenant
}

// TenantSummary counts one tenant's beacons by outcome.
type TenantSummary struct {
	In           int64            `json:"in"`
	Counted      int64            `json:"counted"`
	Filtered     map[string]int64 `json:"filtered"` // by reason
	Duplicate    int64            `json:"duplicate"`
	Late         int64            `json:"late"`
	DeadLettered map[string]int64 `json:"dead_lettered"` // by cause
}

// Summary sums the counts up. All tenants given are listed, beside those that
// the counts name.
func (c *Counts) Summary(tenants []string) *Summary {
	s := &Summary{Tenants: map[string]*TenantSummary{}, Undecodable: map[string]int64{}, BadValue: map[string]int64{}}
	tenant := func(name string) *TenantSummary {
		t := s.Tenants[name]
		if t == nil {
			t = &TenantSummary{Filtered: map[string]int64{}, DeadLettered: map[string]int64{}}
			s.Tenants[name] = t
		}
		return t
	}
	for _, name := range tenants {
		tenant(name)
	}
	for k, n := range c.n {
		switch k.Outcome {
		case In:
			tenant(k.Tenant).In += n
		case Counted:
			tenant(k.Tenant).Counted += n
		case Filtered:
			tenant(k.Tenant).Filtered[k.Reason] += n
		case Duplicate:
			tenant(k.Tenant).Duplicate += n
		case LateBeacon:
			tenant(k.Tenant).Late += n
		case DeadLettered:
			tenant(k.Tenant).DeadLettered[k.Reason] += n
		case Undecodable:
			s.Undecodable[k.Reason] += n
		case BadValue:
			s.BadValue[k.Tenant] += n
		}
	}
	return s
}

// JSON returns the summary in one line without a newline, keys sorted.
func (s *Summary) JSON() []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // maps of strings and integers always encode
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// Conserved checks that no beacon was lost: for every tenant, in = counted +
// filtered + duplicate + late + dead-lettered. The error names the tenants.
func (s *Summary) Conserved() error {
	var bad []string
	for _, name := range slices.Sorted(maps.Keys(s.Tenants)) {
		t := s.Tenants[name]
		out := t.Counted + t.Duplicate + t.Late
		for _, n := range t.Filtered {
			out += n
		}
		for _, n := range t.DeadLettered {
			out += n
		}
		if out != t.In {
			bad = append(bad, fmt.Sprintf("%s: in %d, accounted for %d", name, t.In, out))
		}
	}
	if bad != nil {
		return fmt.Errorf("beacons were lost or counted twice: %s", strings.Join(bad, "; "))
	}
	return nil
}
