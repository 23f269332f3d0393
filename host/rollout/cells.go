package rollout

import (
	"slices"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// Cells with these names are kept with sessions beside those of the versions. No
// plugin can have them: there is a colon in them.
const (
	shadowCell = "shadow:"       // before the name of a cell of a version in a shadow
	seenCell   = "shadow::seen"  // the generation that began the shadow whose cells are there; 0: of none
	sideCell   = "canary::whose" // who closes the session: see its values
)

// The values of sideCell; 0 is a session that has not been looked at in the canary.
const (
	oldsSession = 1
	newsSession = 2
)

// kept are the cells that are kept with a session, and where those of the versions
// are among them.
type kept struct {
	all      []abi.Cell
	new, old []int // by cell of the version
	extra    int   // where seenCell or sideCell is; -1: it is not there
}

// keep lays out the cells that a phase needs.
func keep(phase Phase, new, old *plugin.Plugin) kept {
	k := kept{extra: -1}
	switch phase {
	case Shadow:
		k.old = k.add(old.Cells())
		if len(new.Cells()) > 0 {
			own := slices.Clone(new.Cells())
			for i := range own {
				own[i].Name = shadowCell + own[i].Name
			}
			k.new = k.add(own)
			k.extra = k.place(abi.Cell{Name: seenCell, Type: abi.I64})
		}
	case Canary: // a session stays with one version: so they may share cells, as a promotion will
		k.new, k.old = k.add(new.Cells()), k.add(old.Cells())
		if new.Closes() || old.Closes() {
			k.extra = k.place(abi.Cell{Name: sideCell, Type: abi.I64})
		}
	case RolledBack, Fallback:
		k.old = k.add(old.Cells())
	default:
		k.new = k.add(new.Cells())
	}
	return k
}

func (k *kept) add(cells []abi.Cell) (at []int) {
	for _, c := range cells {
		at = append(at, k.place(c))
	}
	return at
}

// place is where a cell is, added if it is not there.
func (k *kept) place(c abi.Cell) int {
	i := slices.Index(k.all, c)
	if i < 0 {
		i = len(k.all)
		k.all = append(k.all, c)
	}
	return i
}

// of gives the cells of a version. Their values are those of all.
func (k *kept) of(all *abi.Sessions, at []int, slots []uint32) *abi.Sessions {
	s := &abi.Sessions{Slots: slots}
	for _, i := range at {
		s.Cells = append(s.Cells, all.Cells[i])
	}
	return s
}

// seed gives the shadow's cells of sessions that it has not seen the values that a
// promotion would give them: those of old's cells of the same name and type. The
// shadow is that which the generation began: cells of one before are of no use.
func (k *kept) seed(all *abi.Sessions, new []abi.Cell, generation uint64) {
	if k.extra < 0 {
		return
	}
	for _, slot := range all.Slots {
		if all.Cells[k.extra][slot] == generation {
			continue
		}
		all.Cells[k.extra][slot] = generation
		for i, c := range new {
			value := uint64(0)
			if at := slices.Index(k.all[:len(k.old)], c); at >= 0 {
				value = all.Cells[at][slot]
			}
			all.Cells[k.new[i]][slot] = value
		}
	}
}

// forget lets the shadow's cells of sessions go: they are seeded anew.
func (k *kept) forget(all *abi.Sessions) {
	if k.extra < 0 {
		return
	}
	for _, slot := range all.Slots {
		all.Cells[k.extra][slot] = 0
	}
}
