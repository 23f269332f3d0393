package author

// golang is Go, by its standard toolchain.
func golang() *language {
	const sdk = "pharos/" // a module of its own, which go.mod puts in the place of the published one
	return &language{
		name: "go", title: "Go",
		marks:  []string{"go.mod"},
		needs:  "Go 1.26 or later (https://go.dev/dl)",
		source: "main.go",
		copies: []copied{
			{"sdk/go/examples/{kind}/main.go", "main.go"},
			{"sdk/go/examples/{kind}/main_test.go", "main_test.go"},
			{"sdk/go/examples/{kind}/{kind}.golden.ndjson", "{name}.golden.ndjson"},
			{"abi", sdk + "abi"},
			{"sdk/go", sdk + "sdk/go"},
		},
		replace: [][2]string{
			{"Command {kind} is an example plugin:", "Command {name} is a plugin:"},
		},
		native: "go test ./...",
		build: func(p *project) ([]command, error) {
			const get = "install Go 1.26 or later: https://go.dev/dl, or apt install golang where that is as new"
			return []command{{
				program: "go", args: []string{"build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-o", p.built, "."},
				env:     []string{"GOOS=wasip1", "GOARCH=wasm", "GOWORK=off"},
				missing: get,
				hints:   map[string]string{"requires go >=": get, "toolchain not available": get},
			}}, nil
		},
	}
}
