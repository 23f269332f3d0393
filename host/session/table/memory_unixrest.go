//go:build unix && !linux

package table

func adviseLarge([]byte) {}
