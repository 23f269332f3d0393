package author

import (
	"fmt"
	"os"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/rules/module"
)

// Module compiles the rules to a module, which carries their tests and golden vectors
// as its own.
func (s *RuleSet) Module() ([]byte, error) {
	code, err := module.Build(s.Program, module.Options{Name: s.Name, Version: s.Version, Description: s.description})
	if err != nil {
		return nil, err
	}
	golden := s.golden()
	if len(golden) == 0 {
		return code, nil
	}
	if len(golden) > abi.MaxGoldenBytes {
		return nil, fmt.Errorf("the tests have %d bytes as golden vectors, and %d are allowed: give fewer, or smaller beacons", len(golden), abi.MaxGoldenBytes)
	}
	section := append(name(abi.GoldenSection), golden...)
	return append(append(code, 0), sized(section)...), nil
}

// BuildRules writes the module of rules to a file.
func BuildRules(s *RuleSet, out string) (*Built, error) {
	code, err := s.Module()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(out, code, 0o644); err != nil {
		return nil, err
	}
	return &Built{Path: out, Language: "rules", Size: len(code), Digest: fetch.Digest(code)}, nil
}
