package expr

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/words"
)

// usage says how each function is called.
var usage = map[string]string{
	"cell":        `cell("name")`,
	"cidr":        `cidr("10.0.0.0/8").containsIP(x)`,
	"contains":    "x.contains(y)",
	"containsAny": `x.containsAny(["a", "b"]) or x.containsAny(lists.name)`,
	"containsIP":  `cidr("10.0.0.0/8").containsIP(x)`,
	"count":       `count("point")`,
	"double":      "double(x)",
	"endsWith":    "x.endsWith(y)",
	"has":         "has(path)",
	"lowerAscii":  "x.lowerAscii()",
	"matches":     `x.matches("re") or matches(x, "re")`,
	"size":        "x.size() or size(x)",
	"startsWith":  "x.startsWith(y)",
	"time":        "time()",
}

// timeParts are the methods of time().
var timeParts = map[string]TimePart{
	"getMilliseconds": Milliseconds,
	"getSeconds":      Seconds,
	"getMinutes":      Minutes,
	"getHours":        Hours,
	"getDayOfWeek":    DayOfWeek,
	"getDayOfMonth":   DayOfMonth,
	"getDate":         Date,
	"getDayOfYear":    DayOfYear,
	"getMonth":        Month,
	"getFullYear":     FullYear,
}

// absent are functions of CEL, and of its common extensions, that rules do not
// have, with what to do about it.
var absent = map[string]string{
	"all": macro, "exists": macro, "exists_one": macro, "existsOne": macro, "filter": macro, "map": macro,
	"transformList": macro, "transformMap": macro, "transformMapEntry": macro,
	"optMap": optional, "optFlatMap": optional, "orValue": optional,
	"bind": "shared definitions stand in let",
	"int":  "there is one type of number: double(x) makes one of a text", "uint": "there is one type of number: double(x) makes one of a text",
	"string": "there is no text of a number that was computed", "bytes": "there are texts only", "bool": "write x == true",
	"dyn": "nothing has a type that could be put off", "type": "has(path) says that there is a value",
	"timestamp": "time() is the beacon's own time", "duration": "times are numbers of ms",
	"upperAscii": "lowerAscii is the one to compare by",
	"ip":         "cidr(…).containsIP(x) takes the text of an address", "isIP": "cidr(…).containsIP(x) is false of what is no address",
}

const (
	macro    = "lists are for x in […] and x.containsAny([…])"
	optional = "any field may be missing, and is no fault then"
)

func init() {
	for name := range timeParts {
		usage[name] = `time().` + name + `() or time().` + name + `("Europe/Berlin")`
	}
}

// function checks a call that stands alone.
func (k *checker) function(e ast.Expr, name string, args []ast.Expr) *Node {
	switch {
	case name == "has" && len(args) == 1:
		return k.has(args[0])
	case name == "size" && len(args) == 1:
		return k.node(OpSize, args...)
	case name == "double" && len(args) == 1:
		return k.node(OpDouble, args...)
	case name == "matches" && len(args) == 2:
		return k.matches(args[0], args[1])
	case name == "time" && len(args) == 0:
		if k.scope.Closed {
			return k.refuse(k.offset(e), "the times of a session that has ended are session.first and session.last")
		}
		return &Node{Op: OpTime, Path: abi.FieldTime}
	case name == "count" && len(args) == 1:
		if !k.scope.Closed {
			return k.refuse(k.offset(e), "count is of sessions that have ended: it stands in close only")
		}
		return k.count(args[0])
	case name == "cell" && len(args) == 1:
		return k.cell(args[0])
	case name == "cidr" && len(args) == 1:
		return k.cidr(args[0])
	}
	return k.unknown(e, name)
}

// methods are the functions of a text, called as text.name(text).
var methods = map[string]Op{
	"startsWith": OpStartsWith,
	"endsWith":   OpEndsWith,
	"contains":   OpContains,
}

// method checks a call that stands behind a dot.
func (k *checker) method(e ast.Expr, name string, target ast.Expr, args []ast.Expr) *Node {
	part, isPart := timeParts[name]
	switch o, ok := methods[name]; {
	case ok && len(args) == 1:
		return k.node(o, target, args[0])
	case name == "size" && len(args) == 0:
		return k.node(OpSizeMethod, target)
	case name == "lowerAscii" && len(args) == 0:
		return k.node(OpLowerASCII, target)
	case name == "matches" && len(args) == 1:
		return k.matches(target, args[0])
	case name == "containsAny" && len(args) == 1:
		return k.containsAny(target, args[0])
	case name == "containsIP" && len(args) == 1:
		return k.containsIP(target, args[0])
	case isPart && len(args) <= 1:
		return k.timePart(part, target, args)
	}
	return k.unknown(e, name)
}

// unknown refuses a call, at its name: the call itself stands at its bracket.
func (k *checker) unknown(e ast.Expr, name string) *Node {
	offset := k.offset(e)
	before := string([]rune(k.source)[:offset])
	if strings.HasSuffix(before, name) {
		offset -= int32(utf8.RuneCountInString(name))
	}
	if how, ok := usage[name]; ok {
		return k.refuse(offset, "%s is called as %s", name, how)
	}
	if why, ok := absent[name]; ok {
		return k.refuse(offset, "rules have no %s: %s", name, why)
	}
	known := slices.Sorted(maps.Keys(usage))
	if near := words.Nearest(name, known); near != "" {
		return k.refuse(offset, "rules have no function %s, did you mean %q? It is called as %s", name, near, usage[near])
	}
	return k.refuse(offset, "rules have no function %s; they have %s", name, strings.Join(known, ", "))
}

func (k *checker) matches(text, pattern ast.Expr) *Node {
	n, p := k.node(OpMatches, text), k.check(pattern)
	if p == nil {
		return nil
	}
	source, ok := p.text()
	if !ok {
		return k.refuse(k.offset(pattern), "the regular expression of matches is a string, written out")
	}
	re := k.regexp(k.offset(pattern), source)
	if n == nil || re == nil {
		return nil
	}
	n.Regexp = re
	return n
}

func (k *checker) containsAny(text, list ast.Expr) *Node {
	n := k.node(OpContainsAny, text)
	set, is := k.namedList(list)
	if !is {
		set = k.texts(list)
	}
	if n == nil || set == nil {
		return nil
	}
	n.Set = set
	return n
}

// texts is the set of the strings of a list that is written out.
func (k *checker) texts(list ast.Expr) *Set {
	if list.Kind() != ast.ListKind {
		k.refuse(k.offset(list), "containsAny takes a list, written out, or one of lists")
		return nil
	}
	elements, ok := k.elements(list)
	if !ok {
		return nil
	}
	var texts []string
	for _, e := range elements {
		n := k.check(e)
		if n == nil {
			return nil
		}
		text, ok := n.text()
		if !ok {
			k.refuse(k.offset(e), "the list of containsAny has strings, written out")
			return nil
		}
		texts = append(texts, text)
	}
	return NewSet("", texts)
}

// cidr is the networks of one prefix, or of a named list.
func (k *checker) cidr(arg ast.Expr) *Node {
	var texts []string
	set, is := k.namedList(arg)
	switch {
	case is && set == nil:
		return nil
	case is:
		texts = set.Texts
	default:
		n := k.check(arg)
		if n == nil {
			return nil
		}
		text, ok := n.text()
		if !ok {
			return k.refuse(k.offset(arg), "cidr takes a string, written out, or one of lists")
		}
		texts = []string{text}
	}
	networks, err := parseNetworks(texts)
	switch {
	case err != nil && is:
		return k.refuse(k.listOffset(arg), "list %s: %v", set.Name, err)
	case err != nil:
		return k.refuse(k.offset(arg), "%v", err)
	}
	return &Node{Op: opNetworks, Networks: networks}
}

func (k *checker) containsIP(target, addr ast.Expr) *Node {
	t, n := k.checkAny(target), k.node(OpContainsIP, addr)
	if t == nil {
		return nil
	}
	if t.Op != opNetworks {
		return k.refuse(k.offset(target), "containsIP is called as %s", usage["containsIP"])
	}
	if n != nil {
		n.Networks = t.Networks
	}
	return n
}

func (k *checker) timePart(part TimePart, target ast.Expr, args []ast.Expr) *Node {
	t := k.check(target)
	if t == nil {
		return nil
	}
	if t.Op != OpTime {
		return k.refuse(k.offset(target), "the parts of a time are those of time()")
	}
	zone := utc
	if len(args) == 1 {
		if zone = k.zone(args[0]); zone == nil {
			return nil
		}
	}
	return &Node{Op: OpTimePart, Path: t.Path, Part: part, Zone: zone}
}

func (k *checker) zone(arg ast.Expr) *Zone {
	n := k.check(arg)
	if n == nil {
		return nil
	}
	name, ok := n.text()
	if !ok {
		k.refuse(k.offset(arg), "a time zone is a string, written out")
		return nil
	}
	zone, err := LoadZone(name)
	if err != nil {
		k.refuse(k.offset(arg), "%v", err)
		return nil
	}
	return zone
}

func (k *checker) cell(arg ast.Expr) *Node {
	n := k.check(arg)
	if n == nil {
		return nil
	}
	name, ok := n.text()
	if !ok {
		return k.refuse(k.offset(arg), "the name of a cell is a string, written out")
	}
	i := slices.Index(k.scope.Cells, name)
	switch {
	case i < 0 && len(k.scope.Cells) == 0:
		return k.refuse(k.offset(arg), "there are no cells here: rules of the list extract have those that stand in cells")
	case i < 0:
		return k.refuse(k.offset(arg), "there is no cell %q; cells has %s", name, strings.Join(k.scope.Cells, ", "))
	}
	return &Node{Op: OpCell, Cell: i}
}
