package plugin

import (
	"fmt"
	"strconv"
	"strings"
)

// What checking a config may take, so that no manifest holds up the host: references
// can make a small schema as large as one likes. The work of a schema is how many
// schemas it is with all references put in; checking takes at most so much for each
// byte of a config.
const (
	maxSchemaWork = 10_000
	maxCheckWork  = 1 << 30
)

// workOf is the work of a schema. One that refers to itself, or is too large, is an
// error.
func workOf(doc any) (int, error) {
	w := &schemaWork{root: doc, known: map[string]int{}}
	n, err := w.of("", doc)
	if err == nil && n > maxSchemaWork {
		err = fmt.Errorf("it is more than %d schemas with its references put in", maxSchemaWork)
	}
	return n, err
}

type schemaWork struct {
	root  any
	known map[string]int // by JSON pointer; 0: in hand
}

// of is the work of what stands at a pointer.
func (w *schemaWork) of(at string, node any) (n int, err error) {
	if n, known := w.known[at]; known {
		if n == 0 {
			return 0, fmt.Errorf("#%s refers to itself, which the schema of a config may not", at)
		}
		return n, nil
	}
	w.known[at] = 0
	n = 1
	add := func(at string, node any) {
		if err == nil && n <= maxSchemaWork {
			var more int
			more, err = w.of(at, node)
			n += more
		}
	}
	switch node := node.(type) {
	case []any:
		for i, one := range node {
			add(at+"/"+strconv.Itoa(i), one)
		}
	case map[string]any:
		for key, one := range node {
			switch ref, isText := one.(string); {
			case key == "$defs" || key == "definitions": // only where something refers to them
			case isText && (key == "$ref" || key == "$dynamicRef" || key == "$recursiveRef"):
				to, found := w.find(ref)
				if !found {
					return 0, fmt.Errorf("%s: the reference %q is none by its place, as #/$defs/name is", "#"+at, ref)
				}
				add(strings.TrimPrefix(ref, "#"), to)
			default:
				add(at+"/"+pointerEscape.Replace(key), one)
			}
		}
	}
	w.known[at] = n
	return n, err
}

var (
	pointerEscape   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// find is what a reference refers to.
func (w *schemaWork) find(ref string) (node any, found bool) {
	pointer, local := strings.CutPrefix(ref, "#")
	if !local || pointer != "" && pointer[0] != '/' {
		return nil, false
	}
	if strings.Contains(pointer, "%") { // the one place would have two names
		return nil, false
	}
	node = w.root
	for key := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if pointer == "" {
			break
		}
		key = pointerUnescape.Replace(key)
		switch in := node.(type) {
		case map[string]any:
			if node, found = in[key]; !found {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(in) {
				return nil, false
			}
			node = in[i]
		default:
			return nil, false
		}
	}
	return node, true
}
