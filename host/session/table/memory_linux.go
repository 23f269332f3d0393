package table

import "golang.org/x/sys/unix"

// adviseLarge is an advice: it does not matter if it is not taken.
func adviseLarge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
