package wasm

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/tetratelabs/wazero"
)

// checkImports finds every import that is not answered.
func checkImports(code []byte, c wazero.CompiledModule) error {
	var errs []error
	for _, f := range c.ImportedFunctions() {
		module, name, _ := f.Import()
		want, ok := wasi[name]
		switch {
		case module != abi.WASIModule || !ok:
			errs = append(errs, fmt.Errorf("imports the function %s.%s: only the functions of %s are there", module, name, abi.WASIModule))
		case !slices.Equal(f.ParamTypes(), want.params) || !slices.Equal(f.ResultTypes(), want.results()):
			errs = append(errs, fmt.Errorf("imports %s.%s as %s, it is %s", module, name,
				signature{params: f.ParamTypes(), results: f.ResultTypes()}, signature{params: want.params, results: want.results()}))
		}
	}
	for _, mem := range c.ImportedMemories() {
		module, name, _ := mem.Import()
		errs = append(errs, fmt.Errorf("imports the memory %s.%s: a guest must have a memory of its own", module, name))
	}
	for _, i := range otherImports(code) {
		errs = append(errs, fmt.Errorf("imports the %s: only functions of %s are there", i, abi.WASIModule))
	}
	return some(errs)
}

// importSection is the id of the section that declares imports.
const importSection = 2

// otherImports are the imports of tables and globals of a module that is sound: those
// the engine does not list.
func otherImports(code []byte) (found []string) {
	body := sectionOf(code, importSection)
	number := func() uint64 {
		v, n := binary.Uvarint(body)
		body = body[max(n, 0):]
		return v
	}
	name := func() string {
		n := min(number(), uint64(len(body)))
		text := string(body[:n])
		body = body[n:]
		return text
	}
	for n := number(); n > 0 && len(body) > 0; n-- {
		from := name() + "." + name()
		kind := number()
		switch kind {
		case 1:
			found = append(found, "table "+from)
		case 3:
			found = append(found, "global "+from)
		}
		switch kind { // what kind of
		case 0: // a type
			number()
		case 1, 2: // a table's type and limits, a memory's limits
			if kind == 1 {
				number()
			}
			if bounded := number()&1 == 1; bounded {
				number()
			}
			number()
		case 3: // a type, and whether it changes
			number()
			number()
		}
	}
	return found
}
