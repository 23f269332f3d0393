package author

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/config"
)

// takeTests makes golden vectors of the tests in a file of rules.
func (s *RuleSet) takeTests(tests []config.RuleTest) (faults config.Faults) {
	for _, t := range tests {
		v, more := s.testVector(t)
		if faults = append(faults, more...); len(more) == 0 {
			s.vectors = append(s.vectors, v)
		}
	}
	return faults
}

// testVector is a test as a golden vector: of a real beacon the vector has the values
// of the fields that the rules look at.
func (s *RuleSet) testVector(t config.RuleTest) (*ruleVector, config.Faults) {
	var faults config.Faults
	var raw struct {
		Untyped bool                         `json:"untyped,omitempty"`
		Beacons []map[string]json.RawMessage `json:"beacons"`
		Expect  []json.RawMessage            `json:"expect"`
		Close   map[string]json.RawMessage   `json:"close,omitempty"`
	}
	for i, b := range t.Beacons {
		flat, untyped, err := s.flat(b.Beacon)
		if err == nil && i > 0 && untyped != raw.Untyped {
			err = errors.New("the beacons of one test are all mappings, or all query strings")
		}
		if err != nil {
			faults = append(faults, config.Fault{Pos: b.Pos, Message: "beacon: " + err.Error()})
		}
		expect, err := s.expected(b.Expect)
		if err != nil {
			faults = append(faults, config.Fault{Pos: b.Pos, Message: "expect: " + err.Error()})
		}
		raw.Untyped = untyped
		raw.Beacons, raw.Expect = append(raw.Beacons, flat), append(raw.Expect, expect)
	}
	if t.Close != nil {
		closed, err := s.expectedClose(t.Close)
		if err != nil {
			faults = append(faults, config.Fault{Pos: t.Pos, Message: "close: " + err.Error()})
		}
		raw.Close = map[string]json.RawMessage{abi.GoldenSession: closed}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	line, err := json.Marshal(raw)
	if err != nil {
		return nil, config.Faults{{Pos: t.Pos, Message: err.Error()}}
	}
	vectors, err := abi.ParseVectors(s.Kind, line)
	if err != nil {
		return nil, config.Faults{{Pos: t.Pos, Message: err.Error()}}
	}
	return &ruleVector{
		Vector: vectors[0], line: line,
		what:    func(i int) string { return t.Beacons[i].Pos.String() },
		beacons: func(i int) string { return string(t.Beacons[i].Beacon) },
	}, nil
}

// flat decodes a beacon as the stream does, and gives the fields of the plan that it
// has. A JSON string is a query string, whose values have no types.
func (s *RuleSet) flat(raw json.RawMessage) (fields map[string]json.RawMessage, untyped bool, err error) {
	in := Input{Format: string(beacon.JSON)}
	text := []byte(raw)
	if raw[0] == '"' {
		var query string
		if err := json.Unmarshal(raw, &query); err != nil {
			return nil, false, err
		}
		in.Format, text, untyped = string(beacon.Query), []byte(query), true
	}
	names := fieldsOf(s.Program.Plan())
	projection, err := beacon.NewProjection(in.source(), names)
	if err != nil {
		return nil, false, err
	}
	b := beacon.NewBatch(names)
	row, cause := b.Add(projection, text)
	if cause != "" {
		return nil, false, fmt.Errorf("it can not be decoded: %s", cause)
	}
	fields = map[string]json.RawMessage{}
	for i, name := range names.Names() {
		if value, has := shownValue(b.Row(row).Values[i]); has {
			fields[name] = value
		}
	}
	if r := b.Row(row); r.HasTime && s.Kind == abi.Extract { // a session's end hangs on it
		fields[abi.FieldTime] = strconv.AppendInt(nil, r.Time, 10)
	}
	return fields, untyped, nil
}

// expectedClose is what a test expects of a session that has ended.
func (s *RuleSet) expectedClose(raw json.RawMessage) (json.RawMessage, error) {
	if s.Kind != abi.Extract {
		return nil, errors.New("only an extractor measures sessions when they have ended")
	}
	return s.expected(raw)
}

// expected is what a test expects, as a golden vector has it: a reason, a route, a
// list of measurements.
func (s *RuleSet) expected(raw json.RawMessage) (json.RawMessage, error) {
	plan := s.Program.Plan()
	switch s.Kind {
	case abi.Filter:
		return raw, oneOf(raw, "reason", plan.Reasons)
	case abi.Split:
		return raw, oneOf(raw, "route", plan.Routes)
	}
	var list []json.RawMessage
	switch {
	case string(raw) == "null":
	case raw[0] == '[':
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
	default:
		list = []json.RawMessage{raw}
	}
	all := []expectedMeasurement{}
	for _, one := range list {
		more, err := s.measurements(one)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return json.Marshal(all)
}

// oneOf refuses an expected answer that the rules never give.
func oneOf(raw json.RawMessage, what string, names []string) error {
	if string(raw) == "null" {
		return nil
	}
	var name string
	if json.Unmarshal(raw, &name) != nil {
		return fmt.Errorf("a %s or null is wanted, not %s", what, raw)
	}
	return known(name, what, names)
}

func known(name, what string, names []string) error {
	for _, n := range names {
		if n == name {
			return nil
		}
	}
	return fmt.Errorf("no rule has the %s %q; there are %s", what, name, strings.Join(names, ", "))
}

// expectedMeasurement is a measurement as a golden vector has it.
type expectedMeasurement struct {
	Point      string            `json:"point"`
	Value      json.RawMessage   `json:"value,omitempty"` // null of a bad value
	Attributes map[string]string `json:"attributes,omitempty"`
}

// measurements reads POINT, {POINT: value, …} or {point, value, attributes}.
func (s *RuleSet) measurements(raw json.RawMessage) (all []expectedMeasurement, err error) {
	var points []string
	for _, p := range s.Program.Plan().Points {
		points = append(points, p.Name)
	}
	var name string
	if json.Unmarshal(raw, &name) == nil && raw[0] == '"' {
		return []expectedMeasurement{{Point: name}}, known(name, "point", points)
	}
	if raw[0] != '{' {
		return nil, fmt.Errorf("a point, {POINT: value} or {point, value, attributes} is wanted, not %s", raw)
	}
	full, err := fullMeasurement(raw)
	if err != nil {
		return nil, err
	}
	if full != nil {
		return []expectedMeasurement{*full}, known(full.Point, "point", points)
	}
	err = eachOf(raw, func(point string, value json.RawMessage) error {
		all = append(all, expectedMeasurement{Point: point, Value: value})
		if err := known(point, "point", points); err != nil {
			return err
		}
		return numberOrNull(value)
	})
	return all, err
}

// fullMeasurement reads {point, value, attributes}; nil where there is no point.
func fullMeasurement(raw json.RawMessage) (*expectedMeasurement, error) {
	var full struct {
		Point      *string
		Value      json.RawMessage
		Attributes map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &full); err != nil || full.Point == nil {
		return nil, nil // it is the short form, or what is wrong with that is said
	}
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&full); err != nil {
		return nil, err
	}
	m := &expectedMeasurement{Point: *full.Point, Value: full.Value}
	if m.Value != nil {
		if err := numberOrNull(m.Value); err != nil {
			return nil, err
		}
	}
	for name, value := range full.Attributes {
		text := string(value) // a number as it is written
		if value[0] == '"' {
			if err := json.Unmarshal(value, &text); err != nil {
				return nil, err
			}
		}
		if m.Attributes == nil {
			m.Attributes = map[string]string{}
		}
		m.Attributes[name] = text
	}
	return m, nil
}

func numberOrNull(raw json.RawMessage) error {
	var number *float64
	if err := json.Unmarshal(raw, &number); err != nil {
		return fmt.Errorf("the value of a measurement is a number, or null where it is bad, not %s", raw)
	}
	return nil
}

// eachOf goes through an object in the order in which it is written.
func eachOf(raw json.RawMessage, f func(key string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := f(key.(string), value); err != nil {
			return err
		}
	}
	return nil
}
