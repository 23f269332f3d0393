package author

// c is C without libc, by clang.
func c() *language {
	return &language{
		name: "c", title: "C",
		marks:  []string{"*.c"},
		needs:  "clang and wasm-ld (Debian: `apt install clang lld`)",
		source: "{name}.c",
		copies: []copied{
			{"sdk/c/examples/{kind}.c", "{name}.c"},
			{"sdk/c/examples/{kind}.golden.ndjson", "{name}.golden.ndjson"},
			{"sdk/c/pharos.h", "pharos.h"},
		},
		replace: [][2]string{{`"../pharos.h"`, `"pharos.h"`}},
		build: func(p *project) ([]command, error) {
			sources, err := files(p.dir, "*.c")
			if err != nil {
				return nil, err
			}
			const get = "install clang and lld: apt install clang lld"
			return []command{{
				program: "clang",
				args: append([]string{"--target=wasm32", "-O2", "-Wall", "-Wextra", "-Wno-unused-function", "-nostdlib", "-mbulk-memory",
					"-Wl,--no-entry", "-Wl,--stack-first", "-o", p.built}, sources...),
				missing: get,
				hints:   map[string]string{"unable to execute command": get, "wasm-ld' failed": get, "No available targets are compatible": get},
			}}, nil
		},
	}
}
