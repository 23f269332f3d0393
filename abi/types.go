// Package abi is the contract between the host and its plugins: the types that
// both sides speak of, their layout in guest memory (SPEC.md), and the limits.
// It imports the standard library only.
package abi

// Version is the ABI version that pharos_abi must return.
const Version = 1

// Kind is what a plugin does with a batch.
type Kind string

// The kinds of plugin.
const (
	Filter  Kind = "filter"  // keeps or drops rows, with a reason
	Split   Kind = "split"   // sends rows to routes
	Extract Kind = "extract" // turns rows into measurements
)

// NoRoute is a splitter's answer for a row it has no opinion on.
const NoRoute = 0xFFFF

// Type is the type of a column.
type Type uint8

// The column types. The numbers are those of the layout.
const (
	Str  Type = 1 // text, as Offsets into Bytes; or Codes into a dictionary of such
	I64  Type = 2 // valid where the value is an integer in range
	F64  Type = 3 // valid where the value is a number
	Bool Type = 4 // bitmap
	JSON Type = 5 // the raw bytes of an array or object, laid out as Str
	Any  Type = 6 // text laid out as Str, and a ValueKind a row

	Kinds Type = 7 // a ValueKind a row, without the text
)

// ValueKind says what a beacon holds at a path; the Kinds of an Any or Kinds column.
type ValueKind uint8

// The kinds of value. Untyped is a value of a query or clf beacon: text that
// stands for a number where a number is wanted and its whole text is one.
const (
	Missing ValueKind = 0
	Null    ValueKind = 1
	False   ValueKind = 2
	True    ValueKind = 3
	Number  ValueKind = 4
	String  ValueKind = 5
	Untyped ValueKind = 6
	Array   ValueKind = 7
	Object  ValueKind = 8
)

// Field is one column that a plugin asks for: a path, a further name of the
// source, or one of $time, $tenant, $session, $source.
type Field struct {
	Name string `json:"name"`
	Type Type   `json:"type"` // in JSON its name: str, i64, f64, bool, json, any, kind
	Dict bool   `json:"dict,omitempty"`
}

// Point is a measurement point and the names of its attributes, in the order
// in which the extractor gives their values.
type Point struct {
	Name       string   `json:"name"`
	Attributes []string `json:"attributes,omitempty"`
}

// Cell is a named value that an extractor keeps with a session.
type Cell struct {
	Name string `json:"name"`
	Type Type   `json:"type"` // I64 or F64
}

// Plan is what a configured plugin needs and may answer.
type Plan struct {
	Fields   []Field  `json:"fields"`
	Routes   []string `json:"routes,omitempty"`   // split
	Reasons  []string `json:"reasons,omitempty"`  // filter
	Points   []Point  `json:"points,omitempty"`   // extract
	Cells    []Cell   `json:"cells,omitempty"`    // extract
	Counters []string `json:"counters,omitempty"` // any kind
}

// Column is one field of a batch. Bitmaps are LSB first; slots of rows that
// are not valid are zero.
type Column struct {
	Type    Type
	Dict    bool
	Valid   []byte   // bitmap of rows
	Offsets []uint32 // Str, JSON, Any: rows+1 offsets into Bytes; with Dict: entries+1
	Bytes   []byte
	Codes   []uint32 // Str with Dict: index of the entry, a row
	I64     []int64
	F64     []float64
	Bits    []byte      // Bool: bitmap of values
	Kinds   []ValueKind // Any, Kinds: a row
}

// Batch is what one call sees: the planned columns, in the plan's order, and the
// cells of an extractor that plans some.
type Batch struct {
	Rows    int
	Columns []Column
	Sessions
	Closed bool // its rows are sessions that have ended: see Closed.Batch

	valid []byte // of all columns of closed sessions
}

// Measurement is one measurement of an extractor. Rows ascend.
type Measurement struct {
	Row        uint32
	Point      uint32 // index in the plan
	Attributes uint32 // 0, or 1 + index in Output.Attributes
	Value      float64
}

// Output is what one call answers; which parts hold depends on the kind. It is
// reused from call to call.
type Output struct {
	Keep         []byte   // filter: bitmap of rows
	Reasons      []uint8  // filter: index in the plan, for each row that is not kept
	Routes       []uint16 // split: index in the plan or NoRoute, a row
	Measurements []Measurement
	// Attributes are the tuples that Measurements refer to: a value for each
	// attribute of the measurement's point, nil where it has none.
	Attributes [][][]byte
	Counters   []uint64   // increments of the plan's counters by this call
	BadValues  []uint32   // extract: a row for each measurement whose value was no number
	Cells      [][]uint64 // those of the batch after the call; not of closed sessions

	values [][]byte // backs the tuples of Attributes
	text   []byte   // backs values
}
