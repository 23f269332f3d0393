package config

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// checker completes a decoded config with the defaults that depend on other
// values, and checks what its parts say of each other.
type checker struct {
	*Config
	faults *Faults
	said   map[Pos]bool       // where reading has found a fault
	topics map[string]keyPath // every topic and what names it
}

// at says what is wrong with the value at a path. Where reading it has failed
// already, its meaning is not faulted too.
func (c *checker) at(p keyPath, format string, args ...any) {
	pos := c.Config.at.find(p).value
	if !c.said[pos] {
		*c.faults = append(*c.faults, Fault{pos, p.saying(format, args...)})
	}
}

// atKey is as at, for the key.
func (c *checker) atKey(p keyPath, format string, args ...any) {
	*c.faults = append(*c.faults, Fault{c.Config.at.find(p).key, p.saying(format, args...)})
}

// given tells whether the file gives a value at a path.
func (c *checker) given(p keyPath) bool {
	found, ok := c.Config.at[p.id()]
	return ok && !found.empty
}

func (c *checker) check() {
	c.said = map[Pos]bool{}
	for _, f := range *c.faults {
		c.said[f.Pos] = true
	}
	c.topics = map[string]keyPath{}
	c.infrastructure()
	c.sources()
	c.plugins()
	c.dispatch()
	c.tenants()
	c.keys()
	c.stores()
	c.keyspaces()
}

func (c *checker) infrastructure() {
	if c.Kafka != nil {
		c.kafka()
	}
	if why := badName(c.Group); why != "" {
		c.at(keyPath{"group"}, "%s", why)
	}
	for _, t := range []struct {
		key   string
		topic string
	}{{"metrics", c.Topics.Metrics.Topic}, {"dead_letters", c.Topics.DeadLetters.Topic},
		{"generations", c.Topics.Generations.Topic}, {"decisions", c.Topics.Decisions.Topic}} {
		c.topic(keyPath{"topics", t.key, "topic"}, t.topic)
	}
	if c.Topics.Generations.Partitions != 1 {
		c.at(keyPath{"topics", "generations", "partitions"}, "generations are numbered by their order in one partition; leave it at 1")
	}
	c.http()
}

func (c *checker) kafka() {
	at := keyPath{"kafka", "brokers"}
	if len(c.Kafka.Brokers) == 0 && c.given(at) {
		c.at(at, "the list is empty")
	}
	for i, b := range c.Kafka.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || !isPort(port) {
			c.at(at.to(strconv.Itoa(i)), "%q is not host:port", b)
		}
	}
	if t := c.Kafka.TLS; t != nil && t.Cert.IsZero() != t.Key.IsZero() {
		c.at(keyPath{"kafka", "tls"}, "a certificate needs its key, and a key its certificate: give cert and key")
	}
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

func (c *checker) http() {
	at := keyPath{"http", "listen"}
	host, port, err := net.SplitHostPort(c.HTTP.Listen)
	if err != nil || !isPort(port) {
		c.at(at, "%q is not host:port", c.HTTP.Listen)
		return
	}
	if !isLoopback(host) && !c.HTTP.Insecure {
		c.at(at, "other machines reach %s: that needs tokens and tls, or insecure: true", c.HTTP.Listen)
	}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// topic checks a topic's name, and that nothing else has it.
func (c *checker) topic(at keyPath, name string) {
	if !topicName.MatchString(name) || name == "." || name == ".." {
		c.at(at, "%q is no topic's name: letters, digits, dots, - and _, at most 249", name)
		return
	}
	if other, taken := c.topics[name]; taken {
		c.at(at, "the topic %s is that of %s too; every topic has one use", name, other)
		return
	}
	c.topics[name] = at
}

func (c *checker) sources() {
	at := keyPath{"sources"}
	if len(c.Sources) == 0 && c.given(at) {
		c.at(at, "the list is empty; name at least one raw topic")
	}
	names := map[string]int{}
	for i := range c.Sources {
		s, here := &c.Sources[i], at.to(strconv.Itoa(i))
		if s.Name == "" {
			continue // said already
		}
		if why := badName(s.Name); why != "" {
			c.at(here.to("name"), "%s", why)
		}
		if first, twice := names[s.Name]; twice {
			c.at(here.to("name"), "sources.%d has the name %q too", first, s.Name)
		} else {
			names[s.Name] = i
		}
		if s.Topic == "" {
			s.Topic = s.Name
		}
		c.topic(here.to("topic"), s.Topic)
		c.fields(s, here.to("fields"))
	}
}

// fieldOf are the logical fields, in the order of Fields.
func (f *Fields) logical() []struct {
	key string
	*Locator
} {
	return []struct {
		key string
		*Locator
	}{{"time", &f.Time}, {"tenant", &f.Tenant}, {"session", &f.Session}, {"id", &f.ID}, {"assignments", &f.Assignments}}
}

func (c *checker) fields(s *Source, at keyPath) {
	for _, f := range s.Fields.logical() {
		here := at.to(f.key)
		if s.Format == "clf" && !c.given(here) {
			*f.Locator = Locator{} // an access log has none of the default paths
			switch f.key {
			case "time":
				c.at(at, "a clf source names where its time is: time: time")
			case "tenant":
				c.at(at, "a clf source names its tenant: tenant: {const: …}")
			case "session":
				c.at(at, "a clf source names its session: session: [remote, agent]")
			}
		}
		switch {
		case f.key == "tenant" && f.IsConst:
			if f.Const != "" && c.Tenants.Get(f.Const) == nil {
				c.at(here, "there is no tenant %q%s", f.Const, suggest(f.Const, c.Tenants.Names()))
			}
		case f.key == "tenant" || f.key == "session":
		case f.key == "id" && f.IsConst:
			c.at(here, "a constant id would make every beacon of a session a duplicate")
		case f.key == "id":
		case f.IsConst || len(f.Paths) > 1:
			c.at(here, "one path is wanted, not %s", f.Locator)
		}
		c.clf(s, *f.Locator, here)
	}
	for name, l := range s.Fields.Names.All() {
		switch here := at.to(name); name {
		case "$time", "$tenant", "$session", "$source":
			c.atKey(here, "%s is what plugins call the logical field; take another name", name)
		default:
			c.clf(s, *l, here)
		}
	}
}

// clfNames are the paths of an access log's line.
var clfNames = []string{"remote", "user", "time", "method", "path", "proto", "status", "bytes", "referer", "agent"}

// clf checks that the paths of a clf source are an access log's.
func (c *checker) clf(s *Source, l Locator, at keyPath) {
	if s.Format != "clf" {
		return
	}
	for _, p := range l.Paths {
		if !slices.Contains(clfNames, p) {
			c.at(at, "an access log's line has no %q%s", p, suggest(p, clfNames))
		}
	}
}

func (c *checker) timezone(at keyPath, name string) {
	if _, err := time.LoadLocation(name); err != nil || name == "Local" || name == "" {
		c.at(at, "%q is no timezone; take a name such as America/Chicago, or UTC", name)
	}
}
