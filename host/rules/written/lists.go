package written

import (
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// ReadLists reads the lists that a file names below its key lists, and gives the faults
// of those that can not be read: they have no entries.
func ReadLists(in File, paths config.Map[config.Path]) (lists map[string]*expr.Set, faults config.Faults) {
	lists = map[string]*expr.Set{}
	for name, path := range paths.All() {
		content, err := fetch.ReadFile(path.String(), expr.MaxListBytes)
		if err == nil {
			lists[name], err = expr.ParseList(name, content)
		}
		if err != nil {
			lists[name] = expr.NewSet(name, nil)
			faults = append(faults, in.Faultf([]string{"lists", name}, "%v", err))
		}
	}
	return lists, faults
}
