// Package closing joins package closes, which exports the close function, and
// package pharos, which knows what it does: only modules that have the first are to
// export it.
package closing

// Linked says that package closes is part of the module.
var Linked bool

// Close closes the sessions of the batch at an address.
var Close func(at uint32) int32
