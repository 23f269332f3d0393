package pipeline

import "strings"

// Input is a file of beacons, one a line, and the source that they belong to.
type Input struct {
	Source string // "" where the config has one source
	Path   string // .gz, .zst or plain; "-" is standard input
}

// ParseInputs reads the value of --in: F[,F…], each F or source=F.
func ParseInputs(values []string) []Input {
	var all []Input
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			source, path, found := strings.Cut(one, "=")
			if !found || strings.ContainsRune(source, '/') {
				source, path = "", one
			}
			all = append(all, Input{Source: source, Path: path})
		}
	}
	return all
}
