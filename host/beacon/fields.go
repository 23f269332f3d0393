package beacon

// The names that every source has beside its paths and further names.
const (
	FieldTime    = "$time"    // event time, epoch ms
	FieldTenant  = "$tenant"  // the logical field
	FieldSession = "$session" // the logical field
	FieldSource  = "$source"  // name of the source
)

// Path names the field at a path even where the source has a further name that
// hides it: what dimensions and units ask for.
func Path(path string) string { return pathMark + path }

const pathMark = "\x00"

// Fields is an ordered set of field names: paths, further names of a source, and
// $time, $tenant, $session, $source. It does not change once made.
type Fields struct {
	names []string
	index map[string]int
}

// NewFields makes a set of the names, in their order, each once.
func NewFields(names ...string) *Fields {
	f := &Fields{index: make(map[string]int, len(names))}
	for _, name := range names {
		if _, there := f.index[name]; !there {
			f.index[name] = len(f.names)
			f.names = append(f.names, name)
		}
	}
	return f
}

// Index is the position of name, -1 if the set does not have it.
func (f *Fields) Index(name string) int {
	if i, ok := f.index[name]; ok {
		return i
	}
	return -1
}

// Names gives the names in order. The caller does not change them.
func (f *Fields) Names() []string { return f.names }
