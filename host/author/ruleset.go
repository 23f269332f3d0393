package author

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
	"github.com/seed-6a2d649b/pharos/host/rules/written"
)

// RuleSet is the rules of one plugin, checked, with what they are tried with.
type RuleSet struct {
	Name, Version string
	Kind          abi.Kind
	Program       *rules.Program

	description string
	lists       rules.Rules
	file        written.File
	below       []string // the keys that the rules stand below in the file
	list        string   // drop, split or extract
	vectors     []*ruleVector
}

// NoRulesError tells that a file has no such rules.
type NoRulesError struct{ Path, Why string }

func (e *NoRulesError) Error() string { return e.Path + ": " + e.Why }

// LoadRules reads the rules of a file of rules; or of a config, those of the named
// plugin, and if none is named all. What is wrong with the file is of type
// config.Faults.
func LoadRules(path, plugin string) ([]*RuleSet, error) {
	whole, err := config.IsConfig(path)
	if err != nil {
		return nil, err
	}
	if whole {
		return rulesOfConfig(path, plugin)
	}
	f, err := config.LoadRules(path)
	if err != nil {
		return nil, err
	}
	if plugin != "" && plugin != f.Name {
		return nil, &NoRulesError{path, fmt.Sprintf("these are the rules of %s, not of %s", f.Name, plugin)}
	}
	s := &RuleSet{Name: f.Name, Version: f.Version, description: f.Description, file: f}
	lists, faults := written.ReadLists(f, f.Lists)
	if len(faults) > 0 {
		return nil, faults
	}
	if err := s.check(&f.Rules, lists); err != nil {
		return nil, err
	}
	if faults = s.takeTests(f.Tests); len(faults) > 0 {
		return nil, faults
	}
	return []*RuleSet{s}, s.takeGolden(goldenBeside(path))
}

// rulesOfConfig are those of a config's plugins.
func rulesOfConfig(path, plugin string) (all []*RuleSet, _ error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	var names []string
	lists, faults := written.ReadLists(cfg, cfg.Lists)
	for name, p := range cfg.Plugins.All() {
		if p.Rules == nil {
			continue
		}
		if names = append(names, name); plugin != "" && plugin != name {
			continue
		}
		s := &RuleSet{Name: name, Version: "1.0.0", file: cfg, below: []string{"plugins", name, "rules"}}
		var more config.Faults
		if err := s.check(p.Rules, lists); errors.As(err, &more) {
			faults = append(faults, more...)
		} else if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	switch {
	case len(faults) > 0:
		return nil, faults
	case len(names) == 0:
		return nil, &NoRulesError{path, "no plugin has rules"}
	case len(all) == 0:
		return nil, &NoRulesError{path, fmt.Sprintf("no plugin %s has rules; those that have are %s", plugin, strings.Join(names, ", "))}
	}
	return all, nil
}

// check compiles the rules.
func (s *RuleSet) check(r *config.Rules, lists map[string]*expr.Set) (err error) {
	all := written.Lists(r)
	all.Lists = lists
	s.lists = *all
	if s.Kind, err = all.Kind(); err != nil {
		return config.Faults{s.file.Faultf(s.below, "%v", err)}
	}
	s.list = map[abi.Kind]string{abi.Filter: "drop", abi.Split: "split", abi.Extract: "extract"}[s.Kind]
	var errs rules.Errors
	if s.Program, err = rules.Compile(s.Kind, *all); errors.As(err, &errs) {
		return written.Faults(s.file, s.below, r, errs)
	}
	return err
}

// goldenBeside is where golden vectors beside a file of rules are: a module NAME.wasm
// there, which NAME.rules.yaml is written after, may have others.
func goldenBeside(path string) string {
	return strings.TrimSuffix(strings.TrimSuffix(path, ".yaml"), ".yml") + ".golden.ndjson"
}

// ruleVector is beacons and what the rules are to answer: a test, or a golden vector.
type ruleVector struct {
	*abi.Vector
	line    []byte                  // as a golden vector, without its end
	what    func(beacon int) string // where the beacon stands
	beacons func(beacon int) string // as they are written
}

// takeGolden reads golden vectors from beside the rules, if there are any. They are
// those of a module with no config.
func (s *RuleSet) takeGolden(path string) error {
	text, err := readGolden(path)
	if err != nil {
		return err
	}
	vectors, err := abi.ParseVectors(s.Kind, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	lines := bytes.Split(text, []byte("\n"))
	for _, v := range vectors {
		if string(v.Config) != "{}" || v.Refused || len(v.Data) > 0 {
			return fmt.Errorf("%s, line %d: rules have no config and no data: leave them out", path, v.Line)
		}
		s.vectors = append(s.vectors, &ruleVector{
			Vector: v, line: lines[v.Line-1],
			what:    func(i int) string { return fmt.Sprintf("%s, line %d: beacon %d", path, v.Line, i) },
			beacons: func(i int) string { return vectorBeacon(v, i) },
		})
	}
	return nil
}

func readGolden(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > abi.MaxGoldenBytes {
		err = fmt.Errorf("%s has %d bytes, golden vectors may have %d", path, info.Size(), abi.MaxGoldenBytes)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// Vectors is how many tests and golden vectors there are.
func (s *RuleSet) Vectors() int { return len(s.vectors) }

// golden are all vectors, as a file of golden vectors has them.
func (s *RuleSet) golden() []byte {
	var b bytes.Buffer
	for _, v := range s.vectors {
		b.Write(v.line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// rule is what people call a rule of the set, by its index: its answer and its place.
func (s *RuleSet) rule(i int) string {
	what := map[abi.Kind]string{abi.Filter: "reason ", abi.Split: "route ", abi.Extract: "point "}[s.Kind]
	where := s.list + "." + strconv.Itoa(i) + ", " + s.place(s.list, i)
	if answer := s.answer(&s.Program.Checked()[i]); answer != "" {
		return what + answer + ", " + where
	}
	return where
}

// answer is a rule's reason, route or point; empty of one that measures nothing.
func (s *RuleSet) answer(r *rules.Checked) string {
	plan, answer := s.Program.Plan(), r.Answer
	switch {
	case answer < 0:
		return ""
	case s.Kind == abi.Filter:
		return plan.Reasons[answer]
	case s.Kind == abi.Split:
		return plan.Routes[answer]
	}
	return plan.Points[answer].Name
}

// place is where a rule of a list stands in its file.
func (s *RuleSet) place(list string, i int) string {
	return s.file.Faultf(append(slices.Clip(s.below), list, strconv.Itoa(i)), "").Pos.String()
}
