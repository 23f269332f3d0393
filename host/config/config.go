// Package config reads the file that describes a whole pipeline. One set of
// structs gives the strict parse, the defaults, the reference (docs/config.md)
// and the canonical form; their tags are:
//
//	key      the key in the file; "*" takes every key that no other field has
//	default  the value where the key is absent, as YAML
//	absent   in words, what holds where the key is absent
//	doc      what the key means
//	example  a value, as YAML
//	enum     the words allowed, separated by |
//	min, max bounds of a number, size or duration
//	required the key must be given
//	notyet   the key is known and refused, with this reason
//	reload   "live": everything below can change while running
package config

import "time"

// Config is a whole file, its included files merged in, with defaults.
type Config struct {
	Kafka     *Kafka        `key:"kafka" absent:"the embedded broker" doc:"The brokers; pharos up and pharos replay need none."`
	Include   []string      `key:"include" doc:"Patterns of further files, relative to the file that names them. Each has the form of a whole file; mappings merge, and a value may be set once. A pattern with wildcards may match nothing." example:"[tenants/*.yaml]"`
	Group     string        `key:"group" default:"pharos" doc:"Prefix of consumer groups and transactional ids." example:"pharos-staging"`
	Topics    Topics        `key:"topics" doc:"The topics of Pharos itself."`
	HTTP      HTTP          `key:"http" doc:"Where the page, the API, /metrics, /healthz and /readyz are served."`
	Data      Path          `key:"data" default:"./data" doc:"Directory of compiled and fetched modules, the embedded broker and the embedded store." example:"/var/lib/pharos"`
	Snapshots Snapshots     `key:"snapshots" doc:"Snapshots of the session stage: what a partition starts from after a restart, or on another host (docs/snapshots.md)."`
	Sources   []Source      `key:"sources" required:"true" doc:"The raw topics, and where their beacons hold what Pharos must know."`
	Plugins   Map[Plugin]   `key:"plugins" reload:"live" doc:"Filters, splitters and extractors by name: WebAssembly modules, or rules. A module may be used under several names."`
	Keys      Map[string]   `key:"keys" reload:"live" doc:"Public keys of those who may sign modules, by name: the last line of the .pub file that pharos plugin keygen, or minisign, has made." example:"RWTn26MbL8ocFJ1YF0LYwdVay90CeZ/ex0SvEIHwIL/n4Za6FYPJ0gkX"`
	Dispatch  Dispatch      `key:"dispatch" reload:"live" doc:"What happens to every beacon first: filters, then the splitter."`
	Session   Session       `key:"session" doc:"How beacons are cut into sessions."`
	Tenants   Map[Tenant]   `key:"tenants" required:"true" reload:"live" doc:"The owners of beacons, their extractors and experiments, by the name that beacons carry."`
	Stores    Map[Store]    `key:"stores" absent:"without kafka: local, embedded" doc:"Where final minutes are kept, by name."`
	Keyspaces Map[Keyspace] `key:"keyspaces" reload:"live" doc:"Views of one tenant's figures, by the name that clients use in the API."`
	Lists     Map[Path]     `key:"lists" reload:"live" doc:"Files of texts that rules look up, by name: lists.NAME. An entry a line; empty lines and those that begin with # are none." example:"lists/bots.txt"`

	files []string // that were read, the main one first
	globs []string // patterns of include, of all files, from where the process stands
	empty []string // patterns of include that match nothing
	clear []Pos    // secrets that stand in a file in clear
	at    positions
}

// Kafka says how to reach the brokers.
type Kafka struct {
	Brokers []string   `key:"brokers" required:"true" doc:"Addresses to begin with, host:port." example:"[localhost:9092]"`
	TLS     *ClientTLS `key:"tls" absent:"plain text" doc:"TLS to the brokers; {} takes the system's roots."`
	SASL    *SASL      `key:"sasl" absent:"no log-in" doc:"Log-in to the brokers."`
}

// ClientTLS is the client's side of TLS.
type ClientTLS struct {
	CA   Path `key:"ca" absent:"the system's roots" doc:"PEM file of the authorities to trust." example:"ca.pem"`
	Cert Path `key:"cert" doc:"PEM file of the client's certificate; needs key." example:"c.pem"`
	Key  Path `key:"key" doc:"PEM file of the certificate's key; needs cert." example:"k.pem"`
}

// SASL is a log-in.
type SASL struct {
	Mechanism string `key:"mechanism" required:"true" enum:"PLAIN|SCRAM-SHA-256|SCRAM-SHA-512" doc:"How to prove the password." example:"SCRAM-SHA-512"`
	User      string `key:"user" required:"true" doc:"The user." example:"pharos"`
	Password  Secret `key:"password" required:"true" doc:"The password." example:"${file:secrets/kafka}"`
}

// Topics names the topics that Pharos writes beside its routes.
type Topics struct {
	Metrics     Topic `key:"metrics" default:"{topic: pharos.metrics, partitions: 4}" doc:"Figures on their way to the stores."`
	DeadLetters Topic `key:"dead_letters" default:"{topic: pharos.dead-letters, partitions: 4}" doc:"Beacons that can not be counted, untouched, with their cause."`
	Generations Topic `key:"generations" default:"{topic: pharos.generations, partitions: 1}" doc:"The configurations that hosts run, numbered; always one partition."`
	Decisions   Topic `key:"decisions" default:"{topic: pharos.decisions, partitions: 1}" doc:"What guardrails decide."`
}

// Topic is a topic of Pharos itself. The number of partitions is fixed once it
// exists.
type Topic struct {
	Topic      string `key:"topic" doc:"Its name in Kafka." example:"acme.metrics"`
	Partitions int32  `key:"partitions" min:"1" max:"10000" doc:"Its number of partitions; fixed once the topic exists." example:"8"`
}

// HTTP is the address of the page and the API.
type HTTP struct {
	Listen   string   `key:"listen" default:"127.0.0.1:7070" doc:"Address to serve on. One that other machines can reach needs tokens and tls, or insecure: true." example:"127.0.0.1:8080"`
	Insecure bool     `key:"insecure" default:"false" doc:"Serve other machines without tokens and TLS; say so only where something else guards the address." example:"true"`
	Tokens   []Secret `key:"tokens" notyet:"serve on a loopback address behind a proxy that asks for tokens" doc:"Bearer tokens that clients must show."`
	TLS      Free     `key:"tls" notyet:"serve on a loopback address behind a proxy that speaks TLS" doc:"Certificate and key of the server."`
}

// Snapshots says where the session stage keeps its state.
type Snapshots struct {
	URL   Bucket        `key:"url" absent:"the directory snapshots below data" doc:"Where they are kept: file:// and a directory, or a bucket: s3://, gs:// or azblob://, its name, a path that stands before all names, and settings behind a ?. All hosts of a group must reach it. Log-ins come from the environment." example:"s3://shop-pharos/production?region=eu-central-1"`
	Every time.Duration `key:"every" default:"5m" min:"1s" doc:"How often one is taken, of each partition." example:"1m"`
	Keep  int           `key:"keep" default:"3" min:"1" max:"1000" doc:"How many of a partition are kept; older ones are deleted." example:"5"`
}

// Source is one raw topic.
type Source struct {
	Name   string `key:"name" required:"true" doc:"What plugins see as $source, and replay's --in names." example:"site"`
	Topic  string `key:"topic" absent:"the source's name" doc:"The topic in Kafka." example:"beacons"`
	Format string `key:"format" default:"json" enum:"json|query|clf" doc:"How a beacon is written: a JSON object, a URL query string, or a line of the Common or Combined Log Format." example:"clf"`
	Fields Fields `key:"fields" doc:"Where beacons hold the logical fields, and further names."`
}

// Fields locates the logical fields of a source's beacons. A field of a clf
// source that is not given, and has no default there, is the zero Locator.
type Fields struct {
	Time        Locator      `key:"time" default:"ts" doc:"Event time: epoch ms, RFC 3339, or the form of access logs. A clf source must name it: time." example:"time"`
	Tenant      Locator      `key:"tenant" default:"tenant" doc:"Who owns the beacon." example:"{const: shop}"`
	Session     Locator      `key:"session" default:"sid" doc:"The session id that the client gave." example:"[remote, agent]"`
	ID          Locator      `key:"id" default:"id" doc:"The beacon's id; of beacons with one id only one counts." example:"event_id"`
	Assignments Locator      `key:"assignments" default:"exp" doc:"The variants that the session has: [{id, variant}] or {experiment: variant}." example:"experiments"`
	Names       Map[Locator] `key:"*" doc:"Any further name: plugins and rules see it before a path of that name." example:"headers.ua"`
}
