package fuel

import (
	"testing"

	"github.com/tetratelabs/wazero"
)

// A loop that an engine sees in what a careless reader takes for a constant is no
// module with fuel.
func TestHiddenLoop(t *testing.T) {
	inside := []byte{opI32Const, 0, opVector, 0x8c, 0, opEnd, opLoop, emptyBlock, opBr, 0, opEnd, opBlock, emptyBlock, opNop, opNop, opNop, opNop, opNop}
	body := []byte{0, opBlock, emptyBlock, opI32Const, 1, opBrIf, 0, opVector, vectorConst}
	body = append(append(body, make([]byte, 16)...), inside...)
	body = append(body, opNop, opNop, opNop, opEnd, opEnd)
	code := append([]byte(header), typeSection, 4, 1, 0x60, 0, 0, functionSection, 2, 1, 0)
	code = append(code, codeSection, byte(len(body)+2), 1, byte(len(body)))
	code = append(code, body...)
	r := wazero.NewRuntime(t.Context())
	defer r.Close(t.Context())
	_, plain := r.CompileModule(t.Context(), code)
	if metered, err := Inject(code, 1); err == nil {
		t.Errorf("it is taken (without fuel: %v): %x", plain, metered.Code)
	}
}
