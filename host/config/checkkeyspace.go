package config

import (
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	_ "time/tzdata" // so that a keyspace's timezone is known on any machine
)

// implicitStore is the store where a config has neither stores nor brokers.
const implicitStore = "local"

func (c *checker) stores() {
	if len(c.Stores) == 0 && !c.given(keyPath{"stores"}) && c.Kafka == nil {
		d := &decoder{parser: &parser{}, main: &file{}, at: positions{}, cfg: c.Config}
		(&c.Stores).add(d, entry{implicitStore, Pos{}, &node{kind: mapping}}, keyPath{"stores", implicitStore})
		c.Stores[0].Value.Type = "embedded"
	}
	dirs := map[string]string{}
	for name, s := range c.Stores.All() {
		c.store(keyPath{"stores", name}, s)
		if s.Type != "embedded" {
			continue
		}
		if s.Dir.IsZero() {
			s.Dir = c.Data.Join("tsdb")
		}
		dir := filepath.Clean(s.Dir.String())
		if other, taken := dirs[dir]; taken {
			c.at(keyPath{"stores", name, "dir"}, "the store %s has that directory too", other)
		}
		dirs[dir] = name
	}
}

// ofType are the keys of stores that only some types have.
var ofType = map[string][]string{
	"dir": {"embedded"}, "database": {"influx"}, "index": {"elasticsearch"},
	"url": remoteStores, "user": remoteStores, "password": remoteStores, "token": remoteStores, "tls": remoteStores,
}

var remoteStores = []string{"m3", "kairosdb", "elasticsearch", "prometheus", "victoria", "influx"}

// store checks what hangs on its type.
func (c *checker) store(at keyPath, s *Store) {
	if s.Type == "" {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(ofType)) {
		if c.given(at.to(key)) && !slices.Contains(ofType[key], s.Type) {
			c.atKey(at.to(key), "a store of type %s has no %s", s.Type, key)
		}
	}
	if s.Type != "embedded" {
		c.remoteStore(at, s)
	}
}

func (c *checker) remoteStore(at keyPath, s *Store) {
	u, err := url.Parse(s.URL)
	switch {
	case s.URL == "":
		c.atKey(at, "url is missing: the address of the store, as http://localhost:9090")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		c.at(at.to("url"), "not the address of a store: write http:// or https://, host and port, without user or query")
	case s.TLS != nil && u.Scheme != "https":
		c.atKey(at.to("tls"), "the address begins with http://, which has no TLS")
	}
	password, token := s.Password.Reveal() != "", s.Token.Reveal() != ""
	switch {
	case token && (s.User != "" || password):
		c.atKey(at.to("token"), "a log-in is a token, or a user with a password")
	case password != (s.User != ""):
		c.atKey(at, "user and password go together")
	}
}

// word is a name that stands in formulas.
var word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (c *checker) keyspaces() {
	for name, k := range c.Keyspaces.All() {
		at := keyPath{"keyspaces", name}
		if strings.ContainsAny(name, "/?#%") {
			c.atKey(at, "the name stands in addresses: leave out / ? # and %%")
		}
		tenant := c.Tenants.Get(k.Tenant)
		if k.Tenant != "" && tenant == nil {
			c.at(at.to("tenant"), "there is no tenant %q%s", k.Tenant, suggest(k.Tenant, c.Tenants.Names()))
		}
		switch {
		case k.Store == "" && len(c.Stores) == 1:
			k.Store = c.Stores[0].Name
		case k.Store == "":
			c.atKey(at, "store is missing; name one of stores")
		case c.Stores.Get(k.Store) == nil:
			c.at(at.to("store"), "there is no store %q%s", k.Store, suggest(k.Store, c.Stores.Names()))
		}
		c.timezone(at.to("timezone"), k.Timezone)
		for metric, m := range k.Metrics.All() {
			c.metric(at.to("metrics").to(metric), metric, m, tenant)
		}
		for formula, f := range k.Formulas.All() {
			c.formula(at.to("formulas").to(formula), formula, f, k)
		}
	}
}

// formulaName checks a name that formulas use.
func (c *checker) formulaName(at keyPath, name string) {
	if !word.MatchString(name) {
		c.atKey(at, "formulas use the name: take letters, digits and _, a digit not first")
	}
}

func (c *checker) metric(at keyPath, name string, m *Metric, tenant *Tenant) {
	c.formulaName(at, name)
	if strings.Contains(m.Point, "*") && m.Stat != "sum" && m.Stat != "" {
		c.at(at.to("stat"), "a pair has a sum only")
	}
	if tenant == nil {
		return
	}
	if a, b, isPair := strings.Cut(m.Point, "*"); isPair && !hasPair(tenant.Pairs, a, b) {
		c.at(at.to("point"), "the tenant has no pair [%s, %s]", a, b)
	}
	for dim := range m.Dimensions.All() {
		if tenant.Dimensions.Get(dim) == nil {
			c.atKey(at.to("dimensions").to(dim), "the tenant has no such dimension%s", suggest(dim, tenant.Dimensions.Names()))
		}
	}
}

func hasPair(pairs []Pair, a, b string) bool {
	for _, p := range pairs {
		if p == (Pair{a, b}) {
			return true
		}
	}
	return false
}

var currency = regexp.MustCompile(`^[A-Z]{3}$`)

func (c *checker) formula(at keyPath, name string, f *Formula, k *Keyspace) {
	c.formulaName(at, name)
	if k.Metrics.Get(name) != nil {
		c.atKey(at, "a metric has that name too; formulas could not tell them apart")
	}
	switch {
	case f.Currency != "" && f.Format != "currency":
		c.atKey(at.to("currency"), "only with format: currency")
	case f.Format == "currency" && f.Currency == "":
		c.at(at.to("format"), "the currency is missing, such as currency: USD")
	case f.Currency != "" && !currency.MatchString(f.Currency):
		c.at(at.to("currency"), "%q is no code of ISO 4217, such as USD", f.Currency)
	}
	for param := range f.Params.All() {
		c.formulaName(at.to("params").to(param), param)
		if k.Metrics.Get(param) != nil || k.Formulas.Get(param) != nil {
			c.atKey(at.to("params").to(param), "a metric or formula has that name")
		}
	}
}
