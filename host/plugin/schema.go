package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema is the JSON Schema of a module's config; nil takes any.
type schema struct {
	compiled *jsonschema.Schema
	work     int // for each byte of a config, at most
}

// schemaURL names the schema of a manifest to the compiler.
const schemaURL = "manifest.json"

// compileSchema compiles the schema of a manifest. A reference to another
// document is refused: a module must not make the host fetch anything.
func compileSchema(text json.RawMessage) (*schema, error) {
	if len(text) == 0 {
		return &schema{}, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the config's schema in the manifest: %w", err)
	}
	work, err := workOf(doc)
	if err != nil {
		return nil, fmt.Errorf("the config's schema in the manifest: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("the config's schema in the manifest: %w", err)
	}
	compiled, err := c.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("the config's schema in the manifest: %w", err)
	}
	return &schema{compiled, work}, nil
}

// SchemaError is of a config that the schema in a module's manifest refuses.
type SchemaError struct{ err error }

// Error says every place where the config is not what the schema wants.
func (e *SchemaError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *SchemaError) Unwrap() error { return e.err }

// check finds what the schema refuses.
func (s *schema) check(config json.RawMessage) error {
	if err := s.faults(config); err != nil {
		return &SchemaError{err}
	}
	return nil
}

// faults are every place where a config is not what the schema wants.
func (s *schema) faults(config json.RawMessage) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		return err
	}
	if s.compiled == nil {
		return nil
	}
	if work := s.workFor(config); work > maxCheckWork {
		return fmt.Errorf("%d bytes are too many for its schema, which is %d schemas with its references put in", len(config), s.work)
	}
	err = s.compiled.Validate(doc)
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	return errors.Join(places(invalid)...)
}

// workFor is what checking a config takes at most.
func (s *schema) workFor(config json.RawMessage) int { return s.work * len(config) }

// places are the faults of which the others are only the consequence.
func places(e *jsonschema.ValidationError) []error {
	if len(e.Causes) == 0 {
		return []error{errors.New(e.Error())}
	}
	var errs []error
	for _, cause := range e.Causes {
		errs = append(errs, places(cause)...)
	}
	return errs
}
