package abi

// The layout of a batch in guest memory. All numbers are little-endian, every
// area starts at a multiple of Align, and every position is relative to the
// batch's first byte; an absent area's position is 0. SPEC.md says the same in
// prose.

// Align is the alignment of a batch and of each area in it, in bytes.
const Align = 8

// The numbers of the kinds in a batch's header.
const (
	KindFilter  = 1
	KindSplit   = 2
	KindExtract = 3
	KindClose   = 4
)

// HeaderSize is the size of a batch's header in bytes.
const HeaderSize = 128

// Positions of the u32 words of a batch's header.
const (
	HSize             = 0  // bytes of the whole batch, outputs included
	HKind             = 4  // KindFilter, …
	HRows             = 8  // at least 1
	HColumns          = 12 // number of columns
	HColumnsAt        = 16 // column descriptors, ColumnSize each
	HCounters         = 20 // number of counters
	HCountersAt       = 24 // u64 each, zero before the call
	HCells            = 28 // number of cells
	HCellsAt          = 32 // cell descriptors, CellSize each
	HSlots            = 36 // number of values in each cell's array
	HSlotsAt          = 40 // u32 a row: its session's index in the cells' arrays
	HKeepAt           = 44 // filter: bitmap of rows
	HReasonsAt        = 48 // filter: u8 a row
	HRoutesAt         = 52 // split: u16 a row
	HMeasurementsAt   = 56 // extract, close: MeasurementSize each
	HMeasurementsCap  = 60
	HMeasurementCount = 64 // the guest writes it
	HTupleWidth       = 68 // values in one tuple
	HTuplesAt         = 72 // HTupleWidth values of ValueSize each
	HTuplesCap        = 76
	HTupleCount       = 80 // the guest writes it
	HTextAt           = 84 // bytes for texts that the guest makes
	HTextCap          = 88
	HTextCount        = 92 // the guest writes it
)

// ColumnSize is the size of a column descriptor in bytes.
const ColumnSize = 32

// Positions of the u32 words of a column descriptor.
const (
	CType      = 0  // a Type
	CFlags     = 4  // CDict or 0
	CValidAt   = 8  // bitmap of rows
	CDataAt    = 12 // I64, F64: 8 bytes a row; Bool: bitmap; dictionary: u32 code a row; Any, Kinds: u8 ValueKind a row
	CEntries   = 16 // texts: number of them (rows, or entries of the dictionary)
	COffsetsAt = 20 // texts: u32 each and one more, into the bytes
	CBytesAt   = 24 // texts: the bytes
	CBytesLen  = 28 // texts: number of bytes
)

// CDict in CFlags says that a Str column is a dictionary and codes.
const CDict = 1

// CellSize is the size of a cell descriptor in bytes.
const CellSize = 8

// Positions of the u32 words of a cell descriptor.
const (
	CellType = 0 // I64 or F64
	CellAt   = 4 // 8 bytes a slot
)

// MeasurementSize is the size of a measurement in bytes.
const MeasurementSize = 24

// Positions in a measurement.
const (
	MRow        = 0  // u32
	MPoint      = 4  // u32, index in the plan
	MAttributes = 8  // u32, 0 or 1 + index of a tuple
	MZero       = 12 // u32, 0
	MValue      = 16 // f64
)

// ValueSize is the size of one value of a tuple in bytes.
const ValueSize = 8

// Positions of the u32 words of a value of a tuple.
const (
	VAt  = 0 // position of the text in the batch; anywhere in it, columns included
	VLen = 4 // its bytes; 0 is no value
)

// What pharos_process and pharos_close return; anything else is an error whose
// text pharos_error gives.
const (
	Done     = 0
	TooSmall = 1 // an output is too small; the needed counts are in the header
)

// Limits of what a guest may ask and answer.
const (
	MaxRows                     = 65536 // of a batch
	MaxMeasurementsPerRow       = 256
	MaxTuples                   = 1 << 20  // of a call
	MaxTextBytes                = 16 << 20 // of guest-made attribute texts, a call
	MaxValueBytes               = 64 << 20 // of the texts of all attributes, a call
	MaxFields                   = 256
	MaxReasons                  = 256
	MaxRoutes                   = 1024
	MaxPoints                   = 1024
	MaxAttributes               = 16 // of a point
	MaxCells                    = 16
	MaxCounters                 = 32
	MaxNameBytes                = 128 // of a point, reason, route; of a plugin's name and version
	MaxIdentifierBytes          = 64  // of an attribute, cell, counter
	MaxFieldBytes               = 256 // of a field's name
	MaxManifestBytes            = 1 << 20
	MaxPlanBytes                = 1 << 20
	MaxConfigBytes              = 1 << 20  // of the plugin's config as JSON
	MaxDataBytes                = 64 << 20 // of all data files together
	MaxErrorBytes               = 4 << 10  // of pharos_error's text; the rest is cut off
	MaxModuleBytes              = 32 << 20
	MaxGoldenBytes              = 16 << 20
	PageBytes                   = 65536
	DefaultMemory         int64 = 16 << 20 // of one instance
	MaxMemory             int64 = 1 << 30  // that a config may give
)

// Names of the exports of a guest.
const (
	ExportMemory    = "memory"
	ExportABI       = "pharos_abi"
	ExportManifest  = "pharos_manifest"
	ExportConfigure = "pharos_configure"
	ExportPlan      = "pharos_plan"
	ExportAlloc     = "pharos_alloc"
	ExportProcess   = "pharos_process"
	ExportClose     = "pharos_close"
	ExportError     = "pharos_error"
	ExportPrefix    = "pharos_" // reserved: an unknown export with it is refused

	ExportInitialize = "_initialize" // optional: called once, before all else
)

// GoldenSection is the custom section that may hold a module's golden vectors.
const GoldenSection = "pharos.golden"

// WASIModule is the only module that a guest may import from.
const WASIModule = "wasi_snapshot_preview1"

func align(n int) int { return (n + Align - 1) &^ (Align - 1) }

// BitmapBytes returns how many bytes a bitmap of n rows has without padding.
func BitmapBytes(n int) int { return (n + 7) / 8 }

// Bit reports bit i of a bitmap.
func Bit(bitmap []byte, i int) bool { return bitmap[i>>3]&(1<<(i&7)) != 0 }

// SetBit sets bit i of a bitmap to 1.
func SetBit(bitmap []byte, i int) { bitmap[i>>3] |= 1 << (i & 7) }
