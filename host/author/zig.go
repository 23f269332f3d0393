package author

import "os/exec"

// zig is Zig without libc, by the compiler that PyPI has too.
func zig() *language {
	const sdk = "pharos/"
	return &language{
		name: "zig", title: "Zig",
		marks:  []string{"*.zig"},
		needs:  "Zig 0.17 (`pip install ziglang==0.17.1`, or https://ziglang.org/download)",
		source: "{name}.zig",
		copies: []copied{
			{"sdk/zig/examples/{kind}.zig", "{name}.zig"},
			{"sdk/zig/examples/{kind}.golden.ndjson", "{name}.golden.ndjson"},
			{"sdk/zig", "pharos"},
		},
		native: "zig test --dep pharos -Mroot={name}.zig -Mpharos=" + sdk + "pharos.zig",
		build: func(p *project) ([]command, error) {
			source, err := mainSource(p, ".zig")
			if err != nil {
				return nil, err
			}
			program, args := findZig()
			return []command{{
				program: program,
				args: append(args, "build-exe", "-target", "wasm32-freestanding", "-O", "ReleaseSafe", "-fno-entry", "-rdynamic", "-fsingle-threaded",
					"--stack", "65536", "-femit-bin="+p.built, "--dep", "pharos", "-Mroot="+source, "-Mpharos="+sdk+"pharos.zig"),
				missing: "install Zig 0.17: pip install ziglang==0.17.1, or https://ziglang.org/download",
			}}, nil
		},
	}
}

// findZig is zig as it is found, else the one that PyPI's package brings.
func findZig() (program string, args []string) {
	if _, err := exec.LookPath("zig"); err != nil && exec.Command("python3", "-c", "import ziglang").Run() == nil {
		return "python3", []string{"-m", "ziglang"}
	}
	return "zig", nil
}
