package abi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxBooked is the largest magnitude of a measurement that is booked; beyond
// it, and for NaN, it is a bad value.
const MaxBooked = 1e9

// What a beacon of a golden vector has where it does not say.
const (
	GoldenTime    = 0
	GoldenTenant  = "tenant"
	GoldenSession = "session"
	GoldenSource  = "source"
)

// Vector is one golden vector: beacons and what the plugin must answer.
type Vector struct {
	Line        int               // in the file, from 1
	Config      json.RawMessage   // never nil
	Data        map[string]string // data files by name
	Untyped     bool              // strings are untyped
	Beacons     []map[string]json.RawMessage
	ConfigError string // if the config must be refused: part of the error
	Refused     bool   // the config must be refused
	Counters    map[string]uint64

	answers []*string               // filter, split: nil is kept, no opinion
	points  [][]expectedMeasurement // extract
	// closed is what sessions measure at their end, by name; nil: it is not tried.
	closed map[string][]expectedMeasurement
}

type expectedMeasurement struct {
	Point      string
	Value      *float64
	Attributes map[string]string
}

func (e *expectedMeasurement) UnmarshalJSON(data []byte) error {
	one := 1.0
	plain := struct {
		Point      string            `json:"point"`
		Value      *float64          `json:"value"`
		Attributes map[string]string `json:"attributes"`
	}{Value: &one}
	if err := strictJSON(data, &plain); err != nil {
		return err
	}
	if plain.Point == "" {
		return errors.New("a measurement without point")
	}
	*e = expectedMeasurement(plain)
	return nil
}

// ParseVectors reads the golden vectors of a plugin of the kind. Every faulty
// line is in the error.
func ParseVectors(kind Kind, data []byte) ([]*Vector, error) {
	if len(data) > MaxGoldenBytes {
		return nil, fmt.Errorf("golden vectors: %d bytes, at most %d are allowed", len(data), MaxGoldenBytes)
	}
	var vectors []*Vector
	var errs []error
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		v, err := parseVector(kind, line)
		if err != nil {
			errs = append(errs, fmt.Errorf("golden vector, line %d: %w", n, err))
			continue
		}
		v.Line = n
		vectors = append(vectors, v)
	}
	return vectors, errors.Join(errs...)
}

func parseVector(kind Kind, line []byte) (*Vector, error) {
	var raw struct {
		Config   json.RawMessage              `json:"config"`
		Data     map[string]string            `json:"data"`
		Untyped  bool                         `json:"untyped"`
		Beacons  []map[string]json.RawMessage `json:"beacons"`
		Expect   json.RawMessage              `json:"expect"`
		Close    json.RawMessage              `json:"close"`
		Counters map[string]uint64            `json:"counters"`
	}
	if err := strictJSON(line, &raw); err != nil {
		return nil, err
	}
	v := &Vector{Config: raw.Config, Data: raw.Data, Untyped: raw.Untyped, Beacons: raw.Beacons, Counters: raw.Counters}
	if v.Config == nil {
		v.Config = json.RawMessage("{}")
	}
	if raw.Expect == nil {
		return nil, errors.New("expect is missing")
	}
	if raw.Expect[0] == '{' {
		var refusal struct {
			Error *string `json:"error"`
		}
		if err := strictJSON(raw.Expect, &refusal); err != nil {
			return nil, fmt.Errorf("expect: %w", err)
		}
		if refusal.Error == nil {
			return nil, errors.New("expect: an object must have the key error")
		}
		if raw.Close != nil {
			return nil, errors.New("close, where the config is to be refused")
		}
		v.ConfigError, v.Refused = *refusal.Error, true
		return v, nil
	}
	var into any = &v.answers
	if kind == Extract {
		into = &v.points
	}
	if err := strictJSON(raw.Expect, into); err != nil {
		return nil, fmt.Errorf("expect: %w", err)
	}
	if raw.Close != nil {
		if kind != Extract {
			return nil, fmt.Errorf("close is for plugins of the kind %s, not %s", Extract, kind)
		}
		if err := strictJSON(raw.Close, &v.closed); err != nil {
			return nil, fmt.Errorf("close: %w", err)
		}
	}
	if n := len(v.answers) + len(v.points); n != len(v.Beacons) {
		return nil, fmt.Errorf("expect has %d entries for %d beacons", n, len(v.Beacons))
	}
	if len(v.Beacons) == 0 || len(v.Beacons) > MaxRows {
		return nil, fmt.Errorf("%d beacons, 1 to %d are allowed", len(v.Beacons), MaxRows)
	}
	return v, nil
}

// DataFiles returns Data as bytes.
func (v *Vector) DataFiles() map[string][]byte {
	files := make(map[string][]byte, len(v.Data))
	for name, text := range v.Data {
		files[name] = []byte(text)
	}
	return files
}

// Rows returns the beacons' values of the fields.
func (v *Vector) Rows(fields []Field) ([][]Value, error) {
	rows := make([][]Value, len(v.Beacons))
	for i, beacon := range v.Beacons {
		rows[i] = make([]Value, len(fields))
		for j, f := range fields {
			raw, ok := beacon[f.Name]
			if !ok {
				rows[i][j] = defaultValue(f.Name)
				continue
			}
			value, err := jsonValue(raw, v.Untyped)
			if err != nil {
				return nil, fmt.Errorf("golden vector, line %d: beacon %d, field %q: %w", v.Line, i, f.Name, err)
			}
			rows[i][j] = value
		}
	}
	return rows, nil
}

// Batch builds the columns of the fields from the vector's beacons.
func (v *Vector) Batch(fields []Field, dst *Batch) error {
	rows, err := v.Rows(fields)
	if err != nil {
		return err
	}
	Build(fields, rows, dst)
	return nil
}

func defaultValue(field string) Value {
	switch field {
	case FieldTime:
		return Value{Kind: Number, Text: fmt.Append(nil, GoldenTime)}
	case FieldTenant:
		return Value{Kind: String, Text: []byte(GoldenTenant)}
	case FieldSession:
		return Value{Kind: String, Text: []byte(GoldenSession)}
	case FieldSource:
		return Value{Kind: String, Text: []byte(GoldenSource)}
	}
	return Value{}
}

func jsonValue(raw json.RawMessage, untyped bool) (Value, error) {
	switch raw[0] {
	case 'n':
		return Value{Kind: Null}, nil
	case 't':
		return Value{Kind: True, Text: raw}, nil
	case 'f':
		return Value{Kind: False, Text: raw}, nil
	case '{':
		return Value{Kind: Object, Text: raw}, nil
	case '[':
		return Value{Kind: Array, Text: raw}, nil
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return Value{}, err
		}
		if untyped {
			return Value{Kind: Untyped, Text: []byte(s)}, nil
		}
		return Value{Kind: String, Text: []byte(s)}, nil
	}
	return Value{Kind: Number, Text: raw}, nil
}

// IsBadValue reports whether a measurement of that value is not booked.
func IsBadValue(v float64) bool { return math.IsNaN(v) || math.Abs(v) > MaxBooked }

// Mismatch is an answer that is not what a vector says.
type Mismatch struct {
	Line      int    // of the vector
	Beacon    int    // in the vector, from 0; -1 of a counter, and of a session's end
	Counter   string // its name
	Session   string // its name, where Counter is empty
	Got, Want string // as a vector has them
}

func (m *Mismatch) Error() string {
	what := fmt.Sprintf("beacon %d", m.Beacon)
	switch {
	case m.Beacon >= 0:
	case m.Counter != "":
		what = "counter " + m.Counter
	default:
		what = fmt.Sprintf("end of session %q", m.Session)
	}
	return fmt.Sprintf("golden vector, line %d: %s: answered %s, expected %s", m.Line, what, m.Got, m.Want)
}

// Check compares what a plugin answered to the vector's batch with what it must
// answer; the error joins a *Mismatch for every difference.
func (v *Vector) Check(kind Kind, plan *Plan, out *Output) error {
	var errs []error
	for i := range v.Beacons {
		var got, want string
		switch kind {
		case Filter:
			got, want = answer(!Bit(out.Keep, i), plan.Reasons, func() int { return int(out.Reasons[i]) }), wanted(v.answers[i])
		case Split:
			got, want = answer(out.Routes[i] != NoRoute, plan.Routes, func() int { return int(out.Routes[i]) }), wanted(v.answers[i])
		case Extract:
			got, want = extracted(plan, out, uint32(i)), expected(v.points[i])
		}
		if got != want {
			errs = append(errs, &Mismatch{Line: v.Line, Beacon: i, Got: got, Want: want})
		}
	}
	for name, want := range v.Counters {
		got, found := uint64(0), false
		for i, c := range plan.Counters {
			if c == name {
				got, found = out.Counters[i], true
			}
		}
		if !found || got != want {
			errs = append(errs, &Mismatch{Line: v.Line, Beacon: -1, Counter: name, Got: strconv.FormatUint(got, 10), Want: strconv.FormatUint(want, 10)})
		}
	}
	return errors.Join(errs...)
}

func wanted(s *string) string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *s)
}

func answer(has bool, names []string, index func() int) string {
	if !has {
		return "null"
	}
	return fmt.Sprintf("%q", names[index()])
}

// extracted writes a row's measurements in the form that expected writes too.
// Bad values come last: of some guests only their number is known.
func extracted(plan *Plan, out *Output, row uint32) string {
	var good []string
	bad := 0
	for _, r := range out.BadValues {
		if r == row {
			bad++
		}
	}
	for _, m := range out.Measurements {
		if m.Row != row {
			continue
		}
		if IsBadValue(m.Value) {
			bad++
			continue
		}
		p := plan.Points[m.Point]
		attributes := make(map[string]string)
		if m.Attributes > 0 {
			for i, text := range out.Attributes[m.Attributes-1] {
				if len(text) > 0 {
					attributes[p.Attributes[i]] = string(text)
				}
			}
		}
		good = append(good, describe(p.Name, m.Value, attributes))
	}
	return join(good, bad)
}

func expected(list []expectedMeasurement) string {
	var good []string
	bad := 0
	for _, m := range list {
		if m.Value == nil {
			bad++
			continue
		}
		attributes := make(map[string]string)
		for k, text := range m.Attributes {
			if text != "" {
				attributes[k] = text
			}
		}
		good = append(good, describe(m.Point, *m.Value, attributes))
	}
	return join(good, bad)
}

func describe(point string, value float64, attributes map[string]string) string {
	text, _ := json.Marshal(struct {
		Point      string            `json:"point"`
		Value      float64           `json:"value"`
		Attributes map[string]string `json:"attributes,omitempty"`
	}{point, value, attributes}) // strings, and numbers that are finite here
	return string(text)
}

func join(good []string, bad int) string {
	s := "[" + strings.Join(good, ",") + "]"
	if bad > 0 {
		s += fmt.Sprintf(" and %d bad values", bad)
	}
	return s
}
