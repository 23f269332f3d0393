package pipeline

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// packedText is what a record calls a file, in its JSON.
var packedText = regexp.MustCompile(`"(?:file://)?` + moduleFolder + `/sha256-([0-9a-f]{64})"`)

// asGiven is a record's config for people: of a file it says what this host's config
// file calls it, where that names it by now, and its digest.
func (p *packed) asGiven(text []byte) []byte {
	return packedText.ReplaceAllFunc(text, func(found []byte) []byte {
		digest := "sha256:" + string(packedText.FindSubmatch(found)[1])
		said, err := json.Marshal(strings.TrimSpace(p.given[digest] + " " + digest))
		if err != nil {
			panic(err) // a string can always be written
		}
		return said
	})
}

// withoutDigests leaves out the digests of modules: what is said of the module has it.
func (p *packed) withoutDigests(changes []change) []change {
	return slices.DeleteFunc(changes, func(c change) bool {
		name, is := strings.CutSuffix(strings.TrimPrefix(c.Path, "plugins."), ".digest")
		return is && p.Plugins.Get(name) != nil
	})
}
