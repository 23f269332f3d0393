//go:build wasip1

package closes

import "github.com/seed-6a2d649b/pharos/sdk/go/internal/closing"

//go:wasmexport pharos_close
func exportClose(at uint32) int32 { return closing.Close(at) }
