package kafka

import (
	"testing"

	"pgregory.net/rapid"
)

func TestPropertyAlias(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOf(rapid.Byte()).Draw(t, "key")
		head := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "head")
		if alias := Alias(head[:32:32], key); len(alias) != 36 || murmur2(alias) != murmur2(key) {
			t.Fatalf("%x stands for %x: %x and %x", alias, key, murmur2(alias), murmur2(key))
		}
	})
}
