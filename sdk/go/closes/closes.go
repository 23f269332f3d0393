// Package closes makes a module export pharos_close, for an extractor that measures
// sessions when they have ended:
//
//	import _ "github.com/seed-6a2d649b/pharos/sdk/go/closes"
//
// It has nothing but that: what is to be done is the Close of the registered
// pharos.Plugin.
package closes

import "github.com/seed-6a2d649b/pharos/sdk/go/internal/closing"

func init() { closing.Linked = true }
