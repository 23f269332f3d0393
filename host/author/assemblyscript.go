package author

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// assemblyScript is AssemblyScript, by asc of the project or of the machine.
func assemblyScript() *language {
	const sdk = "pharos/"
	return &language{
		name: "as", title: "AssemblyScript",
		marks:  []string{"*.ts"},
		needs:  "Node 20 or later and AssemblyScript (`npm install` in this folder, or `npm install --global assemblyscript`)",
		source: "{name}.ts",
		copies: []copied{
			{"sdk/assemblyscript/examples/{kind}.ts", "{name}.ts"},
			{"sdk/assemblyscript/examples/{kind}.golden.ndjson", "{name}.golden.ndjson"},
			{"sdk/assemblyscript/assembly", sdk + "assembly"},
			{"sdk/assemblyscript/package.json", sdk + "package.json"},
			{"sdk/assemblyscript/testing.mjs", sdk + "testing.mjs"},
			{"sdk/assemblyscript/testing-batch.mjs", sdk + "testing-batch.mjs"},
		},
		replace: [][2]string{{`"../assembly`, `"./pharos/assembly`}},
		native:  "npm test",
		build: func(p *project) ([]command, error) {
			source, err := mainSource(p, ".ts")
			if err != nil {
				return nil, err
			}
			asc := filepath.Join(p.dir, "node_modules", ".bin", "asc")
			if _, err := os.Stat(asc); err != nil {
				asc = "asc"
			}
			built, err := filepath.Rel(p.dir, p.built)
			if err != nil {
				return nil, fmt.Errorf("build %s: %w", p.dir, err)
			}
			return []command{{
				program: asc, args: []string{source, "-O3", "--noAssert", "--debug", "--use", "abort=", "-o", built},
				missing: "install AssemblyScript: npm install in this folder, or npm install --global assemblyscript (Node: apt install nodejs npm)",
			}}, nil
		},
	}
}

// mainSource is the source that has the project's name, else the only one there is.
func mainSource(p *project, ending string) (string, error) {
	found, err := files(p.dir, "*"+ending)
	if err != nil {
		return "", err
	}
	if name := p.name + ending; slices.Contains(found, name) {
		return name, nil
	}
	if len(found) != 1 {
		return "", fmt.Errorf("which of %s is the plugin? Name it %s%s", strings.Join(found, ", "), p.name, ending)
	}
	return found[0], nil
}
