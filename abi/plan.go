package abi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Manifest is what a module says of itself, before it is configured.
type Manifest struct {
	Kind        Kind            `json:"kind"`
	Name        string          `json:"name"`
	Version     string          `json:"version"`
	Description string          `json:"description,omitempty"`
	Config      json.RawMessage `json:"config,omitempty"`   // JSON Schema of the config; nil: any
	Defaults    *Plan           `json:"defaults,omitempty"` // for readers; need not be complete
}

// String returns the type's name, as in a plan's JSON.
func (t Type) String() string {
	switch t {
	case Str:
		return "str"
	case I64:
		return "i64"
	case F64:
		return "f64"
	case Bool:
		return "bool"
	case JSON:
		return "json"
	case Any:
		return "any"
	case Kinds:
		return "kind"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// ParseType returns the type of that name.
func ParseType(name string) (Type, error) {
	for t := Str; t <= Kinds; t++ {
		if t.String() == name {
			return t, nil
		}
	}
	return 0, fmt.Errorf("type %q is none of str, i64, f64, bool, json, any, kind", name)
}

// MarshalText gives the type's name.
func (t Type) MarshalText() ([]byte, error) {
	if t < Str || t > Kinds {
		return nil, fmt.Errorf("%s is no type of a column", t)
	}
	return []byte(t.String()), nil
}

// UnmarshalText takes the type's name.
func (t *Type) UnmarshalText(text []byte) (err error) {
	*t, err = ParseType(string(text))
	return err
}

// Valid reports whether k is a kind of plugin.
func (k Kind) Valid() bool { return k == Filter || k == Split || k == Extract }

// ParseManifest reads and checks the text that pharos_manifest gives.
func ParseManifest(data []byte) (*Manifest, error) {
	if len(data) > MaxManifestBytes {
		return nil, fmt.Errorf("manifest: %d bytes, at most %d are allowed", len(data), MaxManifestBytes)
	}
	m := new(Manifest)
	if err := strictJSON(data, m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

func (m *Manifest) validate() error {
	var errs []error
	if !m.Kind.Valid() {
		errs = append(errs, fmt.Errorf("kind %q is none of filter, split, extract", m.Kind))
	}
	errs = append(errs, checkName("name", m.Name), checkName("version", m.Version))
	if m.Defaults != nil && m.Kind.Valid() {
		if err := m.Defaults.validate(m.Kind, false); err != nil {
			errs = append(errs, fmt.Errorf("defaults: %w", err))
		}
	}
	return errors.Join(errs...)
}

// ParsePlan reads and checks the text that pharos_plan of a plugin of the kind
// gives.
func ParsePlan(kind Kind, data []byte) (*Plan, error) {
	if len(data) > MaxPlanBytes {
		return nil, fmt.Errorf("plan: %d bytes, at most %d are allowed", len(data), MaxPlanBytes)
	}
	p := new(Plan)
	if err := strictJSON(data, p); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if err := p.Validate(kind); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return p, nil
}

// Validate checks the plan of a plugin of the kind and says every fault.
func (p *Plan) Validate(kind Kind) error { return p.validate(kind, true) }

func (p *Plan) validate(kind Kind, complete bool) error {
	var errs []error
	add := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	add(p.checkFields())
	list := func(what string, of Kind, names []string, most int, check func(what, name string) error) {
		add(checkList(what, names, most, check))
		switch {
		case of != kind && len(names) > 0:
			add(fmt.Errorf("%ss are for plugins of the kind %s, not %s", what, of, kind))
		case of == kind && complete && len(names) == 0:
			add(fmt.Errorf("a plugin of the kind %s needs at least one %s", kind, what))
		}
	}
	list("reason", Filter, p.Reasons, MaxReasons, checkName)
	list("route", Split, p.Routes, MaxRoutes, checkName)
	points := make([]string, len(p.Points))
	for i, pt := range p.Points {
		points[i] = pt.Name
		if err := checkList("attribute", pt.Attributes, MaxAttributes, checkIdentifier); err != nil {
			add(fmt.Errorf("point %q: %w", pt.Name, err))
		}
	}
	list("point", Extract, points, MaxPoints, checkPoint)
	cells := make([]string, len(p.Cells))
	for i, c := range p.Cells {
		cells[i] = c.Name
		if c.Type != I64 && c.Type != F64 {
			add(fmt.Errorf("cell %q: type %s is neither i64 nor f64", c.Name, c.Type))
		}
	}
	add(checkList("cell", cells, MaxCells, checkIdentifier))
	if len(cells) > 0 && kind != Extract {
		add(fmt.Errorf("cells are for plugins of the kind %s, not %s", Extract, kind))
	}
	add(checkList("counter", p.Counters, MaxCounters, checkIdentifier))
	return errors.Join(errs...)
}

func (p *Plan) checkFields() error {
	if len(p.Fields) > MaxFields {
		return fmt.Errorf("%d fields, at most %d are allowed", len(p.Fields), MaxFields)
	}
	seen := make(map[Field]bool, len(p.Fields))
	var errs []error
	for i, f := range p.Fields {
		switch {
		case f.Name == "" || len(f.Name) > MaxFieldBytes || !printable(f.Name):
			errs = append(errs, fmt.Errorf("field %d: the name %.40q is not 1 to %d bytes of printable UTF-8", i, f.Name, MaxFieldBytes))
		case f.Type < Str || f.Type > Kinds:
			errs = append(errs, fmt.Errorf("field %q: type is missing", f.Name))
		case f.Dict && f.Type != Str:
			errs = append(errs, fmt.Errorf("field %q: dict is for type str, not %s", f.Name, f.Type))
		case strings.HasPrefix(f.Name, "$") && !isSpecial(f.Name):
			errs = append(errs, fmt.Errorf("field %q is none of $time, $tenant, $session, $source", f.Name))
		case seen[f]:
			errs = append(errs, fmt.Errorf("field %q of type %s is planned twice", f.Name, f.Type))
		}
		seen[f] = true
	}
	return errors.Join(errs...)
}

func isSpecial(name string) bool {
	return name == FieldTime || name == FieldTenant || name == FieldSession || name == FieldSource
}

// The names of fields that are not paths.
const (
	FieldTime    = "$time"    // event time, ms since 1970
	FieldTenant  = "$tenant"  // the tenant's name
	FieldSession = "$session" // the session id
	FieldSource  = "$source"  // the source's name
)

// TupleWidth is the number of values in a tuple of attributes: the largest
// number of attributes of a point.
func (p *Plan) TupleWidth() int {
	width := 0
	for _, pt := range p.Points {
		width = max(width, len(pt.Attributes))
	}
	return width
}

func checkList(what string, names []string, most int, check func(what, name string) error) error {
	if len(names) > most {
		return fmt.Errorf("%d %ss, at most %d are allowed", len(names), what, most)
	}
	seen := make(map[string]bool, len(names))
	var errs []error
	for _, n := range names {
		if err := check(what, n); err != nil {
			errs = append(errs, err)
		} else if seen[n] {
			errs = append(errs, fmt.Errorf("%s %q is named twice", what, n))
		}
		seen[n] = true
	}
	return errors.Join(errs...)
}

func checkName(what, name string) error {
	if name == "" || len(name) > MaxNameBytes || !printable(name) {
		return fmt.Errorf("%s %.40q is not 1 to %d bytes of printable UTF-8", what, name, MaxNameBytes)
	}
	return nil
}

func checkPoint(what, name string) error {
	if name == "visit" || name == "crossover" {
		return fmt.Errorf("%s %q is reserved: the engine books it itself", what, name)
	}
	// "a*b" is how the pair of the points a and b is called.
	if strings.Contains(name, "*") {
		return fmt.Errorf("%s %.40q must not contain *", what, name)
	}
	return checkName(what, name)
}

// checkIdentifier: these names become parts of label and metric names.
func checkIdentifier(what, name string) error {
	ok := name != "" && len(name) <= MaxIdentifierBytes
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && '0' <= c && c <= '9'
	}
	if !ok {
		return fmt.Errorf("%s %.40q is not 1 to %d letters, digits and underscores that begin with no digit", what, name, MaxIdentifierBytes)
	}
	return nil
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// strictJSON decodes one JSON value and refuses unknown keys, bytes that are
// not UTF-8, and anything after the value.
func strictJSON(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("no JSON value")
		}
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}
