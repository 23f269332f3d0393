package expr

import (
	"regexp"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Op is what a node does with its operands. "Text" is a String or an Untyped
// value, "holds" is to be True. What an operation says nothing of is no value.
type Op uint8

// The operations. A and B are the values of Args[0] and Args[1]. Those said to
// be of True and False are never of another kind.
const (
	OpConst  Op = iota // Value
	OpField            // what the beacon has at Path; a Number that is beyond float64 is infinite
	OpHas              // True where the beacon has at Path anything but null, else False
	OpTime             // the beacon's event time, $time: a whole Number of ms since 1970, from 0 to MaxTime
	OpCell             // the session's cell of that index, as it was before the rule: a Number
	OpClosed           // of a session that has ended what the column Field of its batch has (abi/SPEC.md, section 8): a Number

	OpNot  // True where A does not hold, else False
	OpAnd  // True where A and B hold, else False
	OpOr   // True where A or B holds, else False
	OpCond // Args[1] where A holds, else Args[2]

	// Comparisons are True or False, and False, OpNotEqual too, where A and B
	// do not compare. What compares is docs/rules.md's table: two texts by bytes;
	// a Number with a Number or with an Untyped that is wholly a JSON number;
	// False before True; Null with Null by OpEqual and OpNotEqual only, whose
	// answer there is True and False. NaN is unequal to and unordered with all.
	OpEqual
	OpNotEqual
	OpLess
	OpLessEqual
	OpGreater
	OpGreaterEqual
	OpIn // True where A is a text in Set, or equal (as OpEqual) to one of Args[1:]; else False. Set may be nil

	// Arithmetic is of Numbers, and of Untyped values that are wholly JSON
	// numbers, in float64 by IEEE 754; of anything else it has no value.
	OpAdd
	OpSubtract
	OpMultiply
	OpDivide
	OpModulo // exact, with the sign of A (C's fmod); NaN by 0 and of an infinite A
	OpNegate

	// Tests of a text are True or False, and False where A (or B) is no text.
	OpStartsWith  // A starts with the bytes of B
	OpEndsWith    // A ends with the bytes of B
	OpContains    // A contains the bytes of B
	OpContainsAny // A contains one of the texts of Set; with none, False
	OpMatches     // Regexp matches somewhere in A
	OpContainsIP  // A is an address in Networks; see there

	OpSize       // size(A): the number of code points of a text, which is valid UTF-8
	OpSizeMethod // A.size(): the same, but False of what is no text
	OpLowerASCII // the text with A to Z made a to z, as a String; False of what is no text
	OpDouble     // A as a Number: a Number as it is, a text that is wholly a JSON number as that number (infinite beyond float64)
	OpTimePart   // Part of OpTime in Zone: a Number
)

// MaxTime is the last event time that a beacon can have: the end of year 9999.
const MaxTime = 253_402_300_799_999

// Node is one operation of a checked expression. A shared definition that is
// used several times is one node below several others.
type Node struct {
	Op       Op
	Args     []*Node
	Value    Value          // OpConst
	Path     string         // OpField, OpHas; abi.FieldTime of OpTime, OpTimePart
	Field    int            // index of Path's column, once Fields.Bind has set it; of OpClosed that of the closed session's
	Cell     int            // OpCell
	Set      *Set           // OpIn, OpContainsAny
	Networks *Networks      // OpContainsIP
	Regexp   *regexp.Regexp // OpMatches
	Part     TimePart       // OpTimePart
	Zone     *Zone          // OpTimePart

	nodes, depth int // operations from here down, and how deep they go
}

// measure counts the operations from here down, and how deep they go.
func (n *Node) measure() (nodes, depth int) {
	if n.nodes == 0 {
		n.nodes, n.depth = 1, 1
		for _, arg := range n.Args {
			nodes, depth := arg.measure()
			n.nodes += nodes
			n.depth = max(n.depth, 1+depth)
		}
	}
	return n.nodes, n.depth
}

// Walk calls visit for the node and all nodes below it, one of several parents
// several times.
func (n *Node) Walk(visit func(*Node)) {
	visit(n)
	for _, arg := range n.Args {
		arg.Walk(visit)
	}
}

// TimePart is a part of a time, as people in a time zone say it.
type TimePart uint8

// The parts of a time, numbered as CEL numbers them.
const (
	Milliseconds TimePart = iota // 0 to 999
	Seconds                      // 0 to 59
	Minutes                      // 0 to 59
	Hours                        // 0 to 23
	DayOfWeek                    // 0 to 6, Sunday is 0
	DayOfMonth                   // 0 to 30
	Date                         // 1 to 31
	DayOfYear                    // 0 to 365
	Month                        // 0 to 11
	FullYear                     // 1969 to 10000
)

// Fields are the columns of a batch, all of type any, for nodes to read.
type Fields struct {
	Paths []string
	index map[string]int
}

// Add gives the index of the path's column, a new one if there is none yet.
func (f *Fields) Add(path string) int {
	i, ok := f.index[path]
	if !ok {
		if f.index == nil {
			f.index = map[string]int{}
		}
		i = len(f.Paths)
		f.index[path] = i
		f.Paths = append(f.Paths, path)
	}
	return i
}

// Bind gives every node of an expression that reads a column its index.
func (f *Fields) Bind(n *Node) {
	n.Walk(func(n *Node) {
		if n.Path != "" {
			n.Field = f.Add(n.Path)
		}
	})
}

// Row is one row of a batch, as expressions see it.
type Row struct {
	Columns []abi.Column // of Fields
	Index   int
	Cells   [][]uint64 // by cell and slot, as in abi.Sessions
	Slot    uint32     // of the row's session
}
