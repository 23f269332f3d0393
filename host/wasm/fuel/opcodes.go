package fuel

// The opcodes that the rewriter must tell apart.
// https://webassembly.github.io/spec/core/binary/instructions.html
const (
	opUnreachable        = 0x00
	opNop                = 0x01
	opBlock              = 0x02
	opLoop               = 0x03
	opIf                 = 0x04
	opElse               = 0x05
	opEnd                = 0x0b
	opBr                 = 0x0c
	opBrIf               = 0x0d
	opBrTable            = 0x0e
	opReturn             = 0x0f
	opCall               = 0x10
	opCallIndirect       = 0x11
	opReturnCall         = 0x12
	opReturnCallIndirect = 0x13
	opSelectTyped        = 0x1c
	opLocalGet           = 0x20
	opLocalSet           = 0x21
	opLocalTee           = 0x22
	opGlobalGet          = 0x23
	opGlobalSet          = 0x24
	opTableGet           = 0x25
	opTableSet           = 0x26
	opI32Load            = 0x28
	opI64Store32         = 0x3e
	opMemorySize         = 0x3f
	opMemoryGrow         = 0x40
	opI32Const           = 0x41
	opI64Const           = 0x42
	opF32Const           = 0x43
	opF64Const           = 0x44
	opI32LtS             = 0x48
	opI64LtS             = 0x53
	opI32Add             = 0x6a
	opI32Sub             = 0x6b
	opI64Sub             = 0x7d
	opI64Shl             = 0x86
	opI64ShrU            = 0x88
	opI64ExtendI32U      = 0xad
	opI64Extend32S       = 0xc4
	opRefNull            = 0xd0
	opRefIsNull          = 0xd1
	opRefFunc            = 0xd2
	opBulk               = 0xfc
	opVector             = 0xfd

	emptyBlock = 0x40
	typeI32    = 0x7f
	typeI64    = 0x7e
	typeV128   = 0x7b

	typeFuncref   = 0x70
	typeExternref = 0x6f
)

// Of the prefix opBulk.
const (
	bulkMemoryInit = 8
	bulkDataDrop   = 9
	bulkMemoryCopy = 10
	bulkMemoryFill = 11
	bulkTableInit  = 12
	bulkElemDrop   = 13
	bulkTableCopy  = 14
	bulkTableGrow  = 15
	bulkTableSize  = 16
	bulkTableFill  = 17
)

// Of the prefix opVector.
const (
	vectorStore     = 11 // the last that only loads or stores
	vectorConst     = 12
	vectorShuffle   = 13
	vectorLane      = 21 // the first and
	vectorLaneEnd   = 34 // the last with a lane
	vectorLoadLane  = 84 // the first and
	vectorStoreLane = 91 // the last with memory and a lane
	vectorLoadZero  = 93 // the last with memory
)

// instruction is one of a body.
type instruction struct {
	from, to uint32 // in the body
	index    uint32 // of a function, local, global, label or type; of a br_table how many labels
	stretch  uint32 // the work from it up to where control parts
	op       byte
	bulk     byte // of opBulk
	leaves   bool // it branches out of the function, or may
	typed    bool // a block of the type with that index
}

// next reads one instruction. depth is how many labels there are: the outermost
// is the function's.
func (r *reader) next(depth int) (i instruction) {
	i.from = uint32(r.at)
	i.op = r.byte()
	switch op := i.op; {
	case op == opUnreachable, op == opNop, op == opElse, op == opEnd, op == opReturn, op == 0x1a, op == 0x1b, op == opRefIsNull:
	case op == opBlock, op == opLoop, op == opIf:
		i.index, i.typed = r.blockType()
	case op == opBr, op == opBrIf:
		i.index = r.label(depth)
		i.leaves = int(i.index) == depth-1
	case op == opBrTable:
		i.index = uint32(r.count())
		for range i.index + 1 {
			if int(r.label(depth)) == depth-1 {
				i.leaves = true
			}
		}
	case op == opCall, op == opReturnCall, op == opRefFunc,
		op >= opLocalGet && op <= opTableSet:
		i.index = r.u32()
	case op == opCallIndirect, op == opReturnCallIndirect:
		i.index = r.u32()
		r.u32()
	case op == opSelectTyped:
		if n := r.count(); n != 1 {
			r.fail("a select of %d types", n)
		}
		r.valueType()
	case op >= opI32Load && op <= opI64Store32:
		r.memory()
	case op == opMemorySize, op == opMemoryGrow:
		r.zero()
	case op == opI32Const:
		r.skipSigned(5)
	case op == opI64Const:
		r.skipSigned(10)
	case op == opF32Const:
		r.take(4)
	case op == opF64Const:
		r.take(8)
	case op > opF64Const && op <= opI64Extend32S:
	case op == opRefNull:
		r.refType()
	case op == opBulk:
		i.bulk = r.bulk()
	case op == opVector:
		r.vector()
	default:
		r.at = int(i.from)
		r.fail("the instruction 0x%02x, of a proposal that is not supported", op)
	}
	i.to = uint32(r.at)
	return i
}

func (r *reader) label(depth int) uint32 {
	l := r.u32()
	if int64(l) >= int64(depth) {
		r.fail("a branch to label %d of %d", l, depth)
	}
	return l
}

// memory reads where in a memory.
func (r *reader) memory() {
	if align := r.u32(); align >= 32 {
		r.fail("an alignment of 2^%d: several memories are not supported", align)
	}
	r.u32()
}

func (r *reader) bulk() byte {
	op := r.u32()
	switch op {
	case bulkMemoryInit:
		r.u32()
		r.zero()
	case bulkMemoryCopy:
		r.zero()
		r.zero()
	case bulkMemoryFill:
		r.zero()
	case bulkTableInit, bulkTableCopy:
		r.u32()
		r.u32()
	case bulkDataDrop, bulkElemDrop, bulkTableGrow, bulkTableSize, bulkTableFill:
		r.u32()
	default:
		if op >= bulkMemoryInit {
			r.fail("the instruction 0xfc %d, of a proposal that is not supported", op)
		}
	}
	return byte(op)
}

// vector reads what follows the prefix: a number in as few bytes as it needs, for
// engines look at the first alone.
func (r *reader) vector() {
	r.wide = true
	op := r.byte()
	if op >= 0x80 && r.byte() != 1 {
		r.fail("the instruction 0xfd 0x%02x, of a proposal that is not supported, or written otherwise than it is", op)
	}
	switch {
	case op <= vectorStore, op > vectorStoreLane && op <= vectorLoadZero:
		r.memory()
	case op == vectorConst, op == vectorShuffle:
		r.take(16)
	case op >= vectorLane && op <= vectorLaneEnd:
		r.byte()
	case op >= vectorLoadLane && op <= vectorStoreLane:
		r.memory()
		r.byte()
	}
}
