package config

import (
	"reflect"
	"slices"
)

// RestartKeys are the sections that a running host does not take from a changed
// file, in the order of the file.
func RestartKeys() (keys []string) {
	for _, f := range topFields() {
		if key := f.Tag.Get("key"); f.Tag.Get("reload") != "live" && key != "include" {
			keys = append(keys, key)
		}
	}
	return keys
}

// Shared is JSON of the shared sections only. It holds no secret, nor a reference
// to one.
func (c *Config) Shared() []byte {
	return c.part(func(key string) bool { return !slices.Contains(hostKeys, key) })
}

// Section is JSON of one section only.
func (c *Config) Section(key string) []byte {
	return c.part(func(k string) bool { return k == key })
}

// FilePath is a path as a config would write it, to be resolved by whoever reads
// what is written.
func FilePath(given string) Path { return Path{given: given, path: given} }

// FileURL is the URL of a file, likewise.
func FileURL(given string) URL { return URL{given: "file://" + given, Path: FilePath(given)} }

func topFields() fields { return fieldsOf(reflect.TypeFor[Config]()) }
