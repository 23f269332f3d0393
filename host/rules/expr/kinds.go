package expr

import "github.com/seed-6a2d649b/pharos/abi"

// Kinds is a set of kinds of value.
type Kinds uint16

// Sets of kinds.
const (
	NoValue  Kinds = 1 << abi.Missing
	Null     Kinds = 1 << abi.Null
	Boolean  Kinds = 1<<abi.False | 1<<abi.True
	Number   Kinds = 1 << abi.Number
	Text     Kinds = 1<<abi.String | 1<<abi.Untyped
	AnyKind  Kinds = 1<<(abi.Object+1) - 1
	Numeric  Kinds = Number | 1<<abi.Untyped // what may be a number where one is wanted
	textOnly Kinds = 1 << abi.String
)

// Has says whether the set has the kind.
func (k Kinds) Has(kind abi.ValueKind) bool { return k>>kind&1 == 1 }

// Kinds are the kinds of value that the expression can come to, whatever the
// beacon; it may be said to come to more than it does.
func (n *Node) Kinds() Kinds {
	switch n.Op {
	case OpConst:
		return 1 << n.Value.Kind
	case OpField:
		return AnyKind
	case OpTime, OpCell, OpClosed, OpTimePart:
		return Number
	case OpCond:
		return n.Args[1].Kinds() | n.Args[2].Kinds()
	case OpAdd, OpSubtract, OpMultiply, OpDivide, OpModulo, OpNegate:
		return n.numbers(Numeric)
	case OpDouble:
		return n.numbers(Numeric | Text)
	case OpSize:
		k := n.Args[0].Kinds()
		return when(k&Text != 0, Number) | when(k&^Text != 0, NoValue)
	case OpSizeMethod:
		k := n.Args[0].Kinds()
		return when(k&Text != 0, Number) | when(k&^Text != 0, 1<<abi.False)
	case OpLowerASCII:
		k := n.Args[0].Kinds()
		return when(k&Text != 0, textOnly) | when(k&^Text != 0, 1<<abi.False)
	}
	return Boolean
}

// numbers are the kinds of what is a number where all operands are of the
// wanted kinds, of which all but Number may yet be none.
func (n *Node) numbers(wanted Kinds) Kinds {
	kinds := Number
	for _, arg := range n.Args {
		k := arg.Kinds()
		if k&wanted == 0 {
			return NoValue
		}
		if k != Number {
			kinds |= NoValue
		}
	}
	return kinds
}

func when(is bool, kinds Kinds) Kinds {
	if is {
		return kinds
	}
	return 0
}
