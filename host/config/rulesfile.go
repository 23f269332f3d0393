package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// RulesFile is a file of rules that stands on its own: what a config has below the
// rules of a plugin, and beacons to try it with.
type RulesFile struct {
	Rules
	Name        string     `key:"name" absent:"the file's" doc:"The plugin's name."`
	Version     string     `key:"version" default:"1.0.0" doc:"The version of the module that is built."`
	Description string     `key:"description" doc:"What the rules are for, in the module that is built."`
	Lists       Map[Path]  `key:"lists" doc:"Files of texts that the rules look up, by name, as in a config."`
	Tests       []RuleTest `key:"tests" doc:"Beacons, and what the rules are to say of each."`

	path string
	at   positions
}

// RuleTest is a beacon, or those of one session in their order, and what the rules
// are to say of each, and of the session when it has ended.
type RuleTest struct {
	Pos     Pos
	Beacons []RuleBeacon
	Close   json.RawMessage // nil: it is not tried
}

// RuleBeacon is one beacon of a test.
type RuleBeacon struct {
	Pos
	Beacon json.RawMessage // a JSON object; of a query string, a JSON string
	Expect json.RawMessage
}

// decode reads {beacon, expect}, or {beacons: [{beacon, expect}, …]}; beside either may
// be close.
func (t *RuleTest) decode(d *decoder, n *node, at keyPath) {
	if !d.want(mapping, n, at) {
		return
	}
	t.Pos = n.pos
	if e := n.get("close"); e != nil {
		t.Close = d.json(nil, e.value, at.to("close"))
		own := *n
		own.entries = slices.DeleteFunc(slices.Clone(n.entries), func(e entry) bool { return e.key == "close" })
		n = &own
	}
	list := n.get("beacons")
	if list == nil {
		if b, ok := d.ruleBeacon(n, at, []string{"beacon", "expect", "beacons", "close"}); ok {
			t.Beacons = []RuleBeacon{b}
		}
		return
	}
	for _, e := range n.entries {
		if e.key != "beacons" {
			d.faultAt(e.pos, at, "%s has no place beside beacons: each of them has its own beacon and expect", e.key)
		}
	}
	at = at.to("beacons")
	if !d.want(sequence, list.value, at) {
		return
	}
	if len(list.value.items) == 0 {
		d.faultAt(list.value.pos, at, "there are none")
	}
	for i, item := range list.value.items {
		if b, ok := d.ruleBeacon(item, at.to(strconv.Itoa(i)), []string{"beacon", "expect"}); ok {
			t.Beacons = append(t.Beacons, b)
		}
	}
}

func (d *decoder) ruleBeacon(n *node, at keyPath, known []string) (b RuleBeacon, ok bool) {
	if !d.want(mapping, n, at) {
		return b, false
	}
	before := len(d.faults)
	b.Pos = n.pos
	for _, e := range n.entries {
		here := at.to(e.key)
		d.at[here.id()] = place{key: e.pos, value: e.value.pos}
		switch e.key {
		case "beacon":
			if e.value.kind != mapping && (e.value.kind != scalar || e.value.tag != "!!str") {
				d.faultAt(e.value.pos, here, "a beacon is a mapping, or the text of a query string, not %s", e.value.kind)
				continue
			}
			b.Beacon = d.json(nil, e.value, here)
		case "expect":
			b.Expect = d.json(nil, e.value, here)
		default:
			d.faultAt(e.pos, at, "unknown key %q%s", e.key, suggest(e.key, known))
		}
	}
	for _, key := range []string{"beacon", "expect"} {
		if n.get(key) == nil {
			d.faultAt(n.pos, at, "%s is missing", key)
		}
	}
	return b, len(d.faults) == before
}

// goodVersion is what a module may call its version.
var goodVersion = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$`)

// LoadRules reads a file of rules, and checks it as Load does a config.
func LoadRules(path string) (*RulesFile, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	return parseRules(&file{name: path, dir: filepath.Dir(path), text: text}, os.LookupEnv)
}

func parseRules(f *file, env func(string) (string, bool)) (*RulesFile, error) {
	d := &decoder{parser: &parser{}, main: f, env: env, at: positions{}, cfg: &Config{}}
	n := d.parse(f)
	if d.broken {
		return nil, d.faults
	}
	if n == nil || n.kind == null {
		n = &node{kind: mapping, pos: Pos{f.name, 1, 1}, file: f}
	}
	r := &RulesFile{path: f.name, at: d.at}
	d.at[keyPath{}.id()] = place{key: n.pos, value: n.pos}
	v := reflect.ValueOf(r).Elem()
	d.defaults(v)
	if d.value(v, n, nil, ""); n.kind == mapping {
		(&checker{Config: &Config{at: d.at}, faults: &d.faults}).rulesFile(r)
	}
	if len(d.faults) > 0 {
		return nil, d.faults.sorted([]string{f.name})
	}
	return r, nil
}

func (c *checker) rulesFile(r *RulesFile) {
	c.said = map[Pos]bool{}
	for _, f := range *c.faults {
		c.said[f.Pos] = true
	}
	c.rules(&r.Rules, nil)
	if r.Name == "" {
		r.Name = nameOfFile(r.path)
	}
	if why := badName(r.Name); why != "" {
		c.at(keyPath{"name"}, "%s", why)
	}
	if !goodVersion.MatchString(r.Version) {
		c.at(keyPath{"version"}, "%q is no version: letters, digits, dots, - and +, as in 1.4.0", r.Version)
	}
}

// nameOfFile is the plugin's name that a file's is taken for.
func nameOfFile(path string) string {
	base := filepath.Base(path)
	for _, suffix := range []string{".yaml", ".yml", ".rules"} {
		base = strings.TrimSuffix(base, suffix)
	}
	return base
}

// Position is where a value stands, as Config.Position says it.
func (r *RulesFile) Position(keys ...string) Pos { return r.at.find(keys).value }

// Faultf is a fault at a value, as that of Config.Faultf.
func (r *RulesFile) Faultf(keys []string, format string, args ...any) Fault {
	return Fault{r.at.find(keys).value, keyPath(keys).saying(format, args...)}
}

// Path is the file that the rules were read from.
func (r *RulesFile) Path() string { return r.path }

// IsConfig tells a config from a file of rules, by what it has that the other has
// not. The error is that of reading; what is wrong with the file Load and LoadRules say.
func IsConfig(path string) (bool, error) {
	text, err := readBounded(path)
	if err != nil {
		return false, fmt.Errorf("read the rules: %w", err)
	}
	n := new(parser).parse(&file{name: path, text: text})
	if n == nil {
		return false, nil
	}
	for _, key := range []string{"sources", "plugins", "tenants", "include"} {
		if n.get(key) != nil {
			return true, nil
		}
	}
	return false, nil
}
