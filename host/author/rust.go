package author

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const wasmTarget = "wasm32-unknown-unknown"

// rust is Rust without std, by cargo.
func rust() *language {
	const sdk = "pharos/" // a crate of its own
	return &language{
		name: "rust", title: "Rust",
		marks:  []string{"Cargo.toml"},
		needs:  "Rust 1.63 or later with its target " + wasmTarget + " (Debian: `apt install rustc cargo libstd-rust-dev-wasm32`; rustup: `rustup target add " + wasmTarget + "`)",
		source: "src/lib.rs",
		copies: []copied{
			{"sdk/rust/examples/{kind}.rs", "src/lib.rs"},
			{"sdk/rust/examples/{kind}.golden.ndjson", "{name}.golden.ndjson"},
			{"sdk/rust/.cargo/config.toml", ".cargo/config.toml"},
			{"sdk/rust/src", sdk + "src"},
		},
		replace: [][2]string{{`include_str!("{kind}.golden.ndjson")`, `include_str!("../{name}.golden.ndjson")`}},
		native:  "cargo test --offline",
		build: func(*project) ([]command, error) {
			const missing = "install Rust with its target " + wasmTarget + ": apt install rustc cargo libstd-rust-dev-wasm32, or rustup target add " + wasmTarget
			cargo, env := findCargo()
			return []command{{
				program: cargo, args: []string{"build", "--release", "--offline", "--target", wasmTarget, "--target-dir", "target"}, env: env,
				missing: missing,
				hints:   map[string]string{"can't find crate for `core`": missing, "target may not be installed": missing},
			}}, nil
		},
		module: func(p *project) (string, error) {
			return newest(filepath.Join(p.dir, "target", wasmTarget, "release"), "*.wasm")
		},
	}
}

// findCargo is cargo as it is found, if its compiler has the target; else Debian's,
// whose target is a package, if that is there. The two do not get on with each other.
func findCargo() (program string, env []string) {
	const debian = "/usr/bin"
	out, err := exec.Command("rustc", "--print", "target-libdir", "--target", wasmTarget).Output()
	if err == nil {
		if _, err := os.Stat(strings.TrimSpace(string(out))); err == nil {
			return "cargo", nil
		}
	}
	if _, err := os.Stat("/usr/lib/rustlib/" + wasmTarget); err == nil {
		return debian + "/cargo", []string{"PATH=" + debian + ":/bin"}
	}
	return "cargo", nil
}

// newest is the file of a folder that was written last.
func newest(dir, pattern string) (string, error) {
	found, err := files(dir, pattern)
	if err != nil {
		return "", err
	}
	var last os.FileInfo
	for _, name := range found {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		if last == nil || info.ModTime().After(last.ModTime()) {
			last = info
		}
	}
	if last == nil {
		return "", fmt.Errorf("no module came out in %s: the crate's [lib] must have crate-type = [\"cdylib\"]", dir)
	}
	return filepath.Join(dir, last.Name()), nil
}
