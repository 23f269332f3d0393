package beacon

import "github.com/seed-6a2d649b/pharos/abi"

// Format is how the value of a raw record is written.
type Format string

// The formats.
const (
	JSON  Format = "json"  // an object
	Query Format = "query" // a URL query string
	CLF   Format = "clf"   // a line of the Common or Combined Log Format
)

// Cause is why a beacon is a dead letter. The causes are part of the
// dead-letter topic's and the summary's form.
type Cause string

// The causes of a beacon that cannot be decoded; "" is none.
const (
	NotJSON   Cause = "not JSON"
	NotObject Cause = "not an object"
	NotCLF    Cause = "not CLF"
	BadEscape Cause = "bad escape"
	NotUTF8   Cause = "not UTF-8"
	TooLarge  Cause = "too large"
	TooDeep   Cause = "too deep"
)

// The causes of a beacon that is decoded but can not be counted.
const (
	NoTenant        Cause = "no tenant"
	UnknownTenant   Cause = "unknown tenant"
	NoTime          Cause = "no time"
	NoSession       Cause = "no session"
	Future          Cause = "future"
	Late            Cause = "late"
	SessionOverflow Cause = "session overflow"
)

// Bounds of a beacon.
const (
	MaxBytes = 1 << 20 // of its raw bytes
	MaxDepth = 128     // of its JSON
)

// Locator says where a source's logical field or further name is found: paths
// whose texts are joined with "|", or a constant.
type Locator struct {
	Paths   []string
	Const   string // holds where Paths is empty and IsConst
	IsConst bool
}

// Source describes the beacons of one raw topic.
type Source struct {
	Name        string
	Topic       string
	Format      Format
	Time        Locator
	Tenant      Locator
	Session     Locator
	ID          Locator
	Assignments Locator
	Names       map[string]Locator // further names, seen before paths
}

// Value is what a beacon holds at a path: its kind and its text (a string's
// content unescaped, a number as written, true, false; the raw bytes of an
// array or object; empty otherwise). It is valid until the batch is reset.
type Value struct {
	Kind abi.ValueKind
	Text []byte
}

// Assignment is one entry of a beacon's assignments.
type Assignment struct {
	Experiment, Variant []byte
}

// Row is one decoded beacon. A logical field without a value is empty. All
// slices are valid until the batch is reset.
type Row struct {
	Raw         []byte
	Source      *Source
	Time        int64 // event time, epoch ms
	HasTime     bool
	Tenant      []byte
	Session     []byte
	ID          []byte
	Assignments []Assignment
	Values      []Value // in the order of the batch's fields
	again       bool    // see Batch.SetAgain
}

// Drop is why a row does not go on: filtered with a Reason, or a dead letter
// with a Cause.
type Drop struct {
	Reason  string // filtered: the filter's reason
	Cause   Cause  // dead letter: "plugin NAME: …"
	Plugin  string
	Version string
	Digest  string // of the plugin's code, "sha256:" and hex
	Detail  string // the error, for the dead-letter record
}
