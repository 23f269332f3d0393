// Package fuel makes WebAssembly modules count their work, and how deep their calls
// go. The code that counts is put into the module itself, so a module stops at the same
// instruction every time and on every machine, and counting costs little: an engine's
// own interruption asks at each turn of a loop, in memory and with a call.
//
// The work is counted in a global behind all that the module has: no instruction
// of the module can name it. It counts down; a function that finds it below 0
// traps. Work is that of instructions, mostly 1 each, and of what bulk
// instructions move; see function.go. The stack is another such global; see stack.go.
package fuel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Export is the name of the exported global that holds the fuel, a mutable i64:
// the host fills it before a call. Below 0 it says that it was used up.
const Export = "pharos_fuel"

// ErrInvalid is a module that cannot be metered: it is broken, or uses a proposal
// that is not supported.
var ErrInvalid = errors.New("the module cannot be metered")

// StackExport is the name of the exported global that holds what is left of the stack,
// a mutable i32: the host sets it to Stack before a call. Below 0 it says that calls
// went too deep.
const StackExport = "pharos_stack"

// Start is the name of the exported function that is to be called first, if it is
// there. It calls the module's start function, which the engine would call before
// anybody can see how much fuel it leaves.
const Start = "pharos_start"

// Metered is a module that counts its work.
type Metered struct {
	Code []byte

	// Globals are the names of exported globals. With the memory they are all that
	// changes in an instance, so that another one can be made its equal.
	Globals []string
	// Hidden says what else changes, which nobody outside can read or write; empty of
	// most modules. Globals are then none.
	Hidden string
}

// globalExport is what the names of Metered's Globals begin with.
const globalExport = "pharos_global_"

// Inject gives a module that does what code does and counts its work. An instance
// begins with so much fuel, and all of its stack. The result is no module where code is none; what the
// rewriter does not look at it leaves as it is, to be judged by the engine. An error
// is ErrInvalid or ErrTooLarge.
func Inject(code []byte, begin int64) (Metered, error) {
	m := &module{start: -1, mutable: added, referred: map[uint32]bool{}, moreAt: map[string]int{}}
	metered, err := m.inject(code, begin)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err != nil {
		return Metered{}, err
	}
	return Metered{Code: metered, Globals: m.kept(), Hidden: m.hidden}, nil
}

func (m *module) inject(code []byte, begin int64) ([]byte, error) {
	if err := m.read(code); err != nil {
		return nil, err
	}
	for i := range m.functions {
		b, err := m.open(&m.functions[i])
		if err != nil {
			return nil, err
		}
		b.measure()
		b.survey()
		m.effort += b.size.effort()
	}
	if err := m.checkEffort(); err != nil {
		return nil, err
	}
	m.planStack()
	return m.write(begin)
}

// The sections of a module.
// https://webassembly.github.io/spec/core/binary/modules.html
const (
	customSection   = 0
	typeSection     = 1
	importSection   = 2
	functionSection = 3
	globalSection   = 6
	exportSection   = 7
	startSection    = 8
	elementSection  = 9
	codeSection     = 10
	dataSection     = 11
	dataCount       = 12
)

// order is where a section stands in a module.
var order = map[byte]int{
	typeSection: 1, importSection: 2, functionSection: 3, 4: 4, 5: 5, globalSection: 6, exportSection: 7,
	startSection: 8, elementSection: 9, dataCount: 10, codeSection: 11, dataSection: 12,
}

// section is a section as it stands.
type section struct {
	id      byte
	content []byte
}

// module is a module taken apart.
type module struct {
	sections  []section
	types     []functype
	more      [][]byte       // types that are added
	moreAt    map[string]int // by what they give: which of them
	typeOf    []uint32       // of functions, imported ones too: index of a type
	imported  int            // functions
	globals   uint32         // imported ones too: the number of the first that is added
	mutable   int            // globals that change, those that are added too
	changing  []uint32       // their numbers, without those that are added
	hidden    string         // what else changes, and nobody can see from outside
	functions []function
	referred  map[uint32]bool // functions that a table or a global may have
	start     int             // function that is called first; -1: none
	effort    int             // of all functions
	wide      bool            // it may have vectors
	scratch   []instruction   // memory
}

// functype is a function's type.
type functype struct {
	params, results int
	text            string // as it stands
	given           []byte // types of results
}

const header = "\x00asm\x01\x00\x00\x00"

func (m *module) read(code []byte) error {
	if len(code) < len(header) || string(code[:len(header)]) != header {
		return errors.New("it does not begin as a WebAssembly module of version 1")
	}
	r := &reader{code: code, at: len(header)}
	last := 0
	for !r.done() {
		s := section{id: r.byte()}
		s.content = r.take(r.count())
		if r.err != nil {
			return r.err
		}
		if s.id != customSection {
			if order[s.id] <= last {
				return fmt.Errorf("at byte %d: a section of the kind %d, which is not known, stands there twice, or in the wrong order", r.at, s.id)
			}
			last = order[s.id]
		}
		if err := m.section(s); err != nil {
			return fmt.Errorf("section %d: %w", s.id, err)
		}
	}
	for _, f := range m.functions {
		if f.body == nil {
			return errors.New("it declares functions, and has no code section")
		}
	}
	return r.err
}

// section notes what the rewriter needs of a section.
func (m *module) section(s section) error {
	r := &reader{code: s.content}
	switch s.id {
	case customSection:
		name := r.name()
		if strings.HasPrefix(name, ".debug_") {
			return r.err // its places in the code are no more what they were
		}
		if name == "name" {
			r.atMost("bytes of names of functions", len(s.content), maxNames)
		}
	case typeSection:
		m.readTypes(r)
	case importSection:
		m.readImports(r)
	case functionSection:
		m.readFunctions(r)
	case globalSection:
		m.readGlobals(r)
	case exportSection:
		m.readExports(r)
	case startSection:
		m.readStart(r)
	case elementSection:
		m.readElements(r)
	case codeSection:
		m.readCode(r)
	case dataSection:
		n := (&reader{code: s.content}).u32()
		r.atMost("segments of data", int(n), maxSegments)
	}
	m.sections = append(m.sections, s)
	if looked := s.id != customSection && r.at > 0; looked && !r.done() {
		r.fail("something follows what the section says that it has")
	}
	m.wide = m.wide || r.wide
	return r.err
}

func (m *module) readTypes(r *reader) {
	n := r.count()
	if !r.atMost("types", n, maxTypes) {
		return
	}
	for range n {
		if form := r.byte(); form != 0x60 {
			r.fail("a type of the form 0x%02x, of a proposal that is not supported", form)
		}
		params, results := r.valueTypes("parameters"), r.valueTypes("results")
		text := string(append(append([]byte{byte(len(params)), byte(len(params) >> 8)}, params...), results...))
		m.types = append(m.types, functype{params: len(params), results: len(results), text: text, given: results})
	}
}

// valueTypes reads the types of some values, a byte each.
func (r *reader) valueTypes(what string) []byte {
	n := r.count()
	if !r.atMost(what+" of a function", n, maxValues) {
		return nil
	}
	from := r.at
	for range n {
		r.valueType()
	}
	return r.code[from:r.at:r.at]
}

func (m *module) readImports(r *reader) {
	n := r.count()
	if !r.atMost("imports", n, maxImports) {
		return
	}
	for range n {
		r.name()
		r.name()
		switch kind := r.byte(); kind {
		case 0:
			m.typeOf = append(m.typeOf, r.u32())
			m.imported++
		case 1:
			r.refType()
			r.limits()
		case 2:
			r.limits()
		case 3:
			if r.valueType(); r.byte()&1 != 0 {
				m.mutable++
				m.hide("it imports a global that changes")
			}
			m.globals++
		default:
			r.fail("an import of the kind %d, of a proposal that is not supported", kind)
		}
	}
}

func (r *reader) limits() {
	flags := r.u32()
	if r.u32(); flags&1 != 0 {
		r.u32()
	}
	if flags > 3 {
		r.fail("limits of the form %d, of a proposal that is not supported", flags)
	}
}

func (m *module) readFunctions(r *reader) {
	n := r.count()
	if !r.atMost("functions", n, maxFunctions) {
		return
	}
	for i := range n {
		t := r.u32()
		if int64(t) >= int64(len(m.types)) {
			r.fail("a function of type %d of %d", t, len(m.types))
			return
		}
		m.typeOf = append(m.typeOf, t)
		m.functions = append(m.functions, function{number: m.imported + i, params: m.types[t].params})
	}
}

func (m *module) readGlobals(r *reader) {
	n := r.count()
	if !r.atMost("globals", n, maxGlobals) {
		return
	}
	for range n {
		kind := r.valueType()
		if r.byte()&1 != 0 {
			m.mutable++
			m.changing = append(m.changing, m.globals)
			if kind == typeV128 || kind == typeFuncref || kind == typeExternref {
				m.hide("it has a global with a vector or a reference that changes")
			}
		}
		m.readConstant(r)
		m.globals++
	}
}

// hide takes note that something changes which cannot be seen from outside.
func (m *module) hide(what string) {
	if m.hidden == "" {
		m.hidden = what
	}
}

// kept are the names by which all globals that change are exported; none where that
// is not all that changes.
func (m *module) kept() (names []string) {
	if m.hidden != "" {
		return nil
	}
	for _, number := range m.changing {
		names = append(names, fmt.Sprintf("%s%d", globalExport, number))
	}
	return names
}

// readConstant reads an expression that gives what something begins with.
func (m *module) readConstant(r *reader) {
	for r.err == nil {
		switch i := r.next(1); i.op {
		case opRefFunc:
			m.refer(r, i.index)
		case opEnd:
			return
		}
	}
}

// refer takes note that a function can be called by who does not name it.
func (m *module) refer(r *reader, number uint32) {
	if int64(number) >= int64(len(m.typeOf)) {
		r.fail("it refers to function %d of %d", number, len(m.typeOf))
		return
	}
	m.referred[number] = true
}

// readElements reads what tables begin with, or may be given.
// https://webassembly.github.io/spec/core/binary/modules.html#element-section
func (m *module) readElements(r *reader) {
	const (
		notActive   = 1 << iota // or, of an active one:
		numbered                // the table has a number; otherwise: it is only declared
		expressions             // elements are expressions, not numbers of functions
	)
	if !r.atMost("bytes of elements of tables", len(r.code), maxElements) {
		return
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		flags := r.u32()
		if flags > notActive|numbered|expressions {
			r.fail("elements of the form %d, of a proposal that is not supported", flags)
		}
		if flags&notActive == 0 {
			if flags&numbered != 0 {
				r.u32()
			}
			m.readConstant(r)
		}
		if flags&(notActive|numbered) != 0 {
			r.byte() // the kind of elements
		}
		for of := r.count(); of > 0 && r.err == nil; of-- {
			if flags&expressions != 0 {
				m.readConstant(r)
			} else {
				m.refer(r, r.u32())
			}
		}
	}
}

func (m *module) readExports(r *reader) {
	n := r.count()
	if !r.atMost("exports", n, maxExports) {
		return
	}
	for range n {
		name, kind, index := r.name(), r.byte(), r.u32()
		switch {
		case name == Export || name == StackExport || name == Start || strings.HasPrefix(name, globalExport):
			r.fail("it exports %s, a name that is the host's", name)
		case kind == 0 && int64(index) >= int64(len(m.typeOf)):
			r.fail("it exports function %d of %d", index, len(m.typeOf))
		case kind == 3 && index >= m.globals:
			r.fail("it exports global %d of %d", index, m.globals)
		}
	}
}

func (m *module) readStart(r *reader) {
	n := r.u32()
	if int64(n) >= int64(len(m.typeOf)) {
		r.fail("it starts with function %d of %d", n, len(m.typeOf))
		return
	}
	if t := m.typeOf[n]; int64(t) >= int64(len(m.types)) || m.types[t].params+m.types[t].results > 0 {
		r.fail("it starts with function %d, which takes or gives values", n)
	}
	m.start = int(n)
}

func (m *module) readCode(r *reader) {
	if n := r.count(); n != len(m.functions) {
		r.fail("%d bodies of %d functions", n, len(m.functions))
		return
	}
	for i := range m.functions {
		m.functions[i].body = r.take(r.count())
	}
}

// write puts the module together again.
func (m *module) write(begin int64) ([]byte, error) {
	m.need(globalSection)
	m.need(exportSection)
	if m.start >= 0 {
		m.need(functionSection)
		m.need(codeSection)
	}
	size := len(header)
	for _, s := range m.sections {
		size += len(s.content) + len(s.content)/4
	}
	out := append(make([]byte, 0, size), header...)
	for _, s := range m.sections {
		if s.id == startSection {
			continue
		}
		content, err := m.rewritten(s, begin)
		if err != nil {
			return nil, err
		}
		out = append(out, s.id)
		out = append(appendU32(out, uint32(len(content))), content...)
	}
	return out, nil
}

// added is how many globals are added: the fuel, and what is left of the stack.
const added = 2

// rewritten is a section with what is added to it.
func (m *module) rewritten(s section, begin int64) ([]byte, error) {
	starts := m.start >= 0
	switch s.id {
	case typeSection:
		return add(s.content, m.more...)
	case functionSection:
		if starts {
			return add(s.content, appendU32(nil, m.typeOf[m.start]))
		}
	case globalSection:
		left := append(appendS64([]byte{typeI64, 1, opI64Const}, begin), opEnd)
		stack := append(appendS64([]byte{typeI32, 1, opI32Const}, Stack), opEnd)
		return add(s.content, left, stack)
	case exportSection:
		entries := [][]byte{export(Export, 3, m.globals), export(StackExport, 3, m.globals+1)}
		for i, name := range m.kept() {
			entries = append(entries, export(name, 3, m.changing[i]))
		}
		if starts {
			entries = append(entries, export(Start, 0, uint32(len(m.typeOf))))
		}
		return add(s.content, entries...)
	case codeSection:
		return m.code()
	}
	return s.content, nil
}

// export is an entry of the export section.
func export(name string, kind byte, index uint32) []byte {
	entry := append(appendU32(nil, uint32(len(name))), name...)
	return appendU32(append(entry, kind), index)
}

// need adds a section that is not there, without entries.
func (m *module) need(id byte) {
	at := len(m.sections)
	for i, s := range m.sections {
		if s.id == id {
			return
		}
		if s.id != customSection && order[s.id] > order[id] {
			at = i
			break
		}
	}
	m.sections = slices.Insert(m.sections, at, section{id, []byte{0}})
}

// add appends entries to a section's vector.
func add(content []byte, entries ...[]byte) ([]byte, error) {
	r := &reader{code: content}
	n := r.u32()
	out := append(appendU32(nil, n+uint32(len(entries))), content[r.at:]...)
	for _, entry := range entries {
		out = append(out, entry...)
	}
	return out, r.err
}

func (m *module) code() ([]byte, error) {
	n := len(m.functions)
	if m.start >= 0 {
		n++
	}
	out := appendU32(nil, uint32(n))
	var text []byte
	for i := range m.functions {
		b, err := m.open(&m.functions[i])
		if err != nil {
			return nil, err
		}
		text = b.rewrite(text[:0])
		out = append(appendU32(out, uint32(len(text))), text...)
	}
	if m.start >= 0 { // a function of its own: exported ones may be referred to
		text = append(appendU32([]byte{0, opCall}, uint32(m.start)), opEnd)
		out = append(appendU32(out, uint32(len(text))), text...)
	}
	return out, nil
}
