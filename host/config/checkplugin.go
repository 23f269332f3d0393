package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The kinds of plugin, as far as a config shows them.
const (
	filterPlugin  = "filter"
	splitPlugin   = "splitter"
	extractPlugin = "extractor"
)

// kind is what the rules of a plugin make it; empty where only its module
// knows.
func (p *Plugin) kind() string {
	switch r := p.Rules; {
	case r == nil:
		return ""
	case len(r.Drop) > 0:
		return filterPlugin
	case len(r.Split) > 0:
		return splitPlugin
	case len(r.Extract) > 0:
		return extractPlugin
	}
	return ""
}

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (c *checker) plugins() {
	for name, p := range c.Plugins.All() {
		at := keyPath{"plugins", name}
		hasModule, hasRules := c.given(at.to("module")), p.Rules != nil
		switch {
		case hasModule && hasRules:
			c.atKey(at.to("rules"), "a plugin has a module or rules, not both")
		case !hasModule && !hasRules:
			c.atKey(at, "a plugin needs a module (file://, https:// or oci://) or rules")
		}
		for _, key := range []string{"digest", "config", "data", "key", "signature", "golden"} {
			if c.given(at.to(key)) && !hasModule {
				c.atKey(at.to(key), "only a plugin with a module has it")
			}
		}
		if p.Digest != "" && !digest.MatchString(p.Digest) {
			c.at(at.to("digest"), "%q is no digest: sha256: and 64 hexadecimal digits, lower case", p.Digest)
		}
		if s := p.Module.Scheme(); s != "" && s != "file" && p.Digest == "" {
			c.atKey(at.to("module"), "a module that is not file:// needs a digest")
		}
		if canary := p.Canary; canary != nil && canary.By != "session" {
			if why := badPath(canary.By); why != "" {
				c.at(at.to("canary").to("by"), "%s", why)
			}
		}
		if p.Rules != nil {
			c.rules(p.Rules, at.to("rules"))
		}
	}
}

func (c *checker) rules(r *Rules, at keyPath) {
	var kinds []string
	for _, k := range []struct {
		key string
		n   int
	}{{"drop", len(r.Drop)}, {"split", len(r.Split)}, {"extract", len(r.Extract)}} {
		if k.n > 0 {
			kinds = append(kinds, k.key)
		}
	}
	switch {
	case len(kinds) == 0:
		c.atKey(at, "there are no rules: give one of drop, split and extract")
	case len(kinds) > 1:
		c.atKey(at, "rules are of one kind, not of %s; give the others to another plugin", strings.Join(kinds, " and "))
	}
	for i, rule := range r.Drop {
		c.name(at.to("drop").to(strconv.Itoa(i)).to("reason"), rule.Reason)
	}
	for i, rule := range r.Split {
		c.name(at.to("split").to(strconv.Itoa(i)).to("route"), rule.Route)
	}
	for i, rule := range r.Extract {
		here := at.to("extract").to(strconv.Itoa(i))
		if !c.given(here.to("point")) && len(rule.Set) == 0 {
			c.atKey(here, "point is missing")
		}
		c.point(here.to("point"), rule.Point)
		for name, path := range rule.Attributes.All() {
			c.label(here.to("attributes").to(name), name)
			if why := badPath(*path); why != "" {
				c.at(here.to("attributes").to(name), "%s", why)
			}
		}
	}
	c.closing(r, at)
}

// closing checks the rules for sessions that have ended.
func (c *checker) closing(r *Rules, at keyPath) {
	if len(r.Close) > 0 && len(r.Extract) == 0 {
		c.atKey(at.to("close"), "close stands beside extract: no other rules see sessions")
	}
	for i, rule := range r.Close {
		c.point(at.to("close").to(strconv.Itoa(i)).to("point"), rule.Point)
	}
}

// name checks a name that must be given; that it is missing is said elsewhere.
func (c *checker) name(at keyPath, name string) {
	if !c.given(at) {
		return
	}
	if why := badName(name); why != "" {
		c.at(at, "%s", why)
	}
}

// point checks the name of a measurement point that somebody gives.
func (c *checker) point(at keyPath, name string) {
	if !c.given(at) {
		return
	}
	switch why := badName(name); {
	case why != "":
		c.at(at, "%s", why)
	case isReserved(name):
		c.at(at, "the point %s is booked by Pharos itself; take another name", name)
	case strings.Contains(name, "*"):
		c.at(at, "%q: a * in a point's name means a pair; take another name", name)
	case strings.HasPrefix(name, "_"):
		c.at(at, "%q: names that begin with _ are for Pharos itself; take another", name)
	}
}

func isReserved(point string) bool { return point == "visit" || point == "crossover" }

var labelName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// label checks a name that becomes part of a label in stores.
func (c *checker) label(at keyPath, name string) {
	if !labelName.MatchString(name) {
		c.atKey(at, "the name %q becomes a label in stores: take letters, digits and _", name)
	}
}

// plugin checks a reference to a plugin of a kind.
func (c *checker) plugin(at keyPath, name, kind string) *Plugin {
	if name == "" {
		if c.given(at) {
			c.at(at, "the name of a plugin is empty")
		}
		return nil
	}
	p := c.Plugins.Get(name)
	if p == nil {
		c.at(at, "there is no plugin %q%s", name, suggest(name, c.Plugins.Names()))
		return nil
	}
	if is := p.kind(); is != "" && is != kind {
		c.at(at, "the rules of %s make it %s, not %s", name, article(is), article(kind))
		return nil
	}
	return p
}

func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// filters checks a list of filters.
func (c *checker) filters(at keyPath, names []string) {
	seen := map[string]bool{}
	for i, name := range names {
		here := at.to(strconv.Itoa(i))
		c.plugin(here, name, filterPlugin)
		if seen[name] {
			c.at(here, "%s is listed twice", name)
		}
		seen[name] = true
	}
}

// maxRoutes is how many routes a splitter may choose from.
const maxRoutes = 1000

func (c *checker) dispatch() {
	d, at := &c.Dispatch, keyPath{"dispatch"}
	c.filters(at.to("filters"), d.Filters)
	if len(d.Routes) == 0 {
		d.Routes = Map[Route]{{Name: "all", Value: Route{Topic: "pharos.all", Partitions: 4}}}
	}
	if len(d.Routes) > maxRoutes {
		c.at(at.to("routes"), "there are more than %d routes", maxRoutes)
	}
	for name, r := range d.Routes.All() {
		if r.Topic == "" {
			r.Topic = "pharos." + name
		}
		c.topic(at.to("routes").to(name).to("topic"), r.Topic)
	}
	switch {
	case d.Default == "" && len(d.Routes) == 1:
		d.Default = d.Routes[0].Name
	case d.Default == "":
		c.atKey(at, "default is missing: name the route of beacons on which the splitter has no opinion")
	case d.Routes.Get(d.Default) == nil:
		c.at(at.to("default"), "there is no route %q%s", d.Default, suggest(d.Default, d.Routes.Names()))
	}
	p := c.plugin(at.to("split"), d.Split, splitPlugin)
	if p == nil || p.Rules == nil {
		return
	}
	for i, rule := range p.Rules.Split {
		if rule.Route != "" && d.Routes.Get(rule.Route) == nil {
			c.at(keyPath{"plugins", d.Split, "rules", "split", strconv.Itoa(i), "route"},
				"dispatch has no route %q%s", rule.Route, suggest(rule.Route, d.Routes.Names()))
		}
	}
}

// points are the measurement points of a plugin with rules; nil where only its
// module knows.
func (p *Plugin) points() (names []string) {
	if p == nil || p.Rules == nil {
		return nil
	}
	add := func(point string) {
		if point != "" && !slices.Contains(names, point) {
			names = append(names, point)
		}
	}
	for _, rule := range p.Rules.Extract {
		add(rule.Point)
	}
	for _, rule := range p.Rules.Close {
		add(rule.Point)
	}
	return names
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
