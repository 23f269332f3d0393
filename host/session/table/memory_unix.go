//go:build unix

package table

import "golang.org/x/sys/unix"

// allocate asks the system for zeroed memory. Of a table that is large it may
// come in large pages, where the system has such.
func allocate(size int, large bool) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil && large {
		adviseLarge(b)
	}
	return b, err
}

func release(b []byte) error { return unix.Munmap(b) }
