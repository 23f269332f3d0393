package asm

// Op is an instruction without immediates; one of two bytes has the prefix in
// the upper.
type Op uint16

const (
	opEnd      = 0x0B
	opI32Const = 0x41
	opI64Const = 0x42
	opF64Const = 0x44
)

// The instructions that are used here.
const (
	Unreachable Op = 0x00
	Drop        Op = 0x1A
	Select      Op = 0x1B
	MemorySize  Op = 0x3F
	MemoryGrow  Op = 0x40
	MemoryCopy  Op = 0xFC0A
	MemoryFill  Op = 0xFC0B

	I32Eqz Op = 0x45
	I32Eq  Op = 0x46
	I32Ne  Op = 0x47
	I32LtS Op = 0x48
	I32LtU Op = 0x49
	I32GtS Op = 0x4A
	I32GtU Op = 0x4B
	I32LeS Op = 0x4C
	I32LeU Op = 0x4D
	I32GeS Op = 0x4E
	I32GeU Op = 0x4F

	I64Eqz Op = 0x50
	I64Eq  Op = 0x51
	I64Ne  Op = 0x52
	I64LtS Op = 0x53
	I64LtU Op = 0x54
	I64GtS Op = 0x55
	I64GtU Op = 0x56
	I64LeS Op = 0x57
	I64LeU Op = 0x58
	I64GeU Op = 0x5A

	F64Eq Op = 0x61
	F64Ne Op = 0x62
	F64Lt Op = 0x63
	F64Gt Op = 0x64
	F64Le Op = 0x65
	F64Ge Op = 0x66

	I32Clz  Op = 0x67
	I32Add  Op = 0x6A
	I32Sub  Op = 0x6B
	I32Mul  Op = 0x6C
	I32DivU Op = 0x6E
	I32RemU Op = 0x70
	I32And  Op = 0x71
	I32Or   Op = 0x72
	I32Xor  Op = 0x73
	I32Shl  Op = 0x74
	I32ShrU Op = 0x76

	I64Clz    Op = 0x79
	I64Ctz    Op = 0x7A
	I64Popcnt Op = 0x7B
	I64Add    Op = 0x7C
	I64Sub    Op = 0x7D
	I64Mul    Op = 0x7E
	I64DivU   Op = 0x80
	I64RemU   Op = 0x82
	I64And    Op = 0x83
	I64Or     Op = 0x84
	I64Xor    Op = 0x85
	I64Shl    Op = 0x86
	I64ShrU   Op = 0x88
	I64Rotl   Op = 0x89

	F64Abs Op = 0x99
	F64Neg Op = 0x9A
	F64Add Op = 0xA0
	F64Sub Op = 0xA1
	F64Mul Op = 0xA2
	F64Div Op = 0xA3

	I32WrapI64        Op = 0xA7
	I64ExtendI32U     Op = 0xAD
	F64ConvertI32U    Op = 0xB8
	F64ConvertI64S    Op = 0xB9
	F64ConvertI64U    Op = 0xBA
	I64ReinterpretF64 Op = 0xBD
	F64ReinterpretI64 Op = 0xBF
	I64TruncSatF64S   Op = 0xFC06
)

// MemoryOp is a load or store; the upper byte is the alignment that it is
// promised, as a power of two.
type MemoryOp uint16

// Loads and stores. Unaligned are those whose address may be any.
const (
	I32Load    MemoryOp = 0x0228
	I64Load    MemoryOp = 0x0329
	F64Load    MemoryOp = 0x032B
	I32Load8U  MemoryOp = 0x002D
	I32Load16U MemoryOp = 0x012F
	I32Store   MemoryOp = 0x0236
	I64Store   MemoryOp = 0x0337
	F64Store   MemoryOp = 0x0339
	I32Store8  MemoryOp = 0x003A
	I32Store16 MemoryOp = 0x013B

	I32LoadUnaligned MemoryOp = 0x0028
	I64LoadUnaligned MemoryOp = 0x0029
)
