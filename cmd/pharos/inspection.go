package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// whatItIs names a plugin of a kind.
var whatItIs = map[abi.Kind]string{abi.Filter: "a filter", abi.Split: "a splitter", abi.Extract: "an extractor"}

// shownFunctions is how many of a module's functions are named.
const shownFunctions = 10

// writeInspection writes what is known of a module, in columns.
func writeInspection(w io.Writer, i *plugin.Inspection) {
	fmt.Fprintf(w, "module\t%s\ndigest\t%s\nsize\t%d bytes\n", i.Path, i.Digest, i.Size)
	if i.Metered > 0 {
		plain := withoutDebug(i)
		fmt.Fprintf(w, "metered\t%d bytes\tit counts its own work by %d more, %.1f %%\n", i.Metered, i.Metered-plain, 100*float64(i.Metered-plain)/float64(plain))
	}
	if m := i.Manifest; m != nil {
		fmt.Fprintf(w, "plugin\t%s %s, %s\n", m.Name, m.Version, whatItIs[m.Kind])
		if m.Description != "" {
			fmt.Fprintf(w, "\t%s\n", m.Description)
		}
	}
	if p := i.Plan; p != nil {
		for _, f := range p.Fields {
			form := f.Type.String()
			if f.Dict {
				form += ", dictionary"
			}
			fmt.Fprintf(w, "field\t%s\t%s\n", f.Name, form)
		}
		for _, list := range []struct {
			what  string
			names []string
		}{{"reasons", p.Reasons}, {"routes", p.Routes}, {"counters", p.Counters}} {
			if len(list.names) > 0 {
				fmt.Fprintf(w, "%s\t%s\n", list.what, strings.Join(list.names, ", "))
			}
		}
		for _, point := range p.Points {
			fmt.Fprintf(w, "point\t%s\t%s\n", point.Name, strings.Join(point.Attributes, ", "))
		}
		for _, cell := range p.Cells {
			fmt.Fprintf(w, "cell\t%s\t%s\n", cell.Name, cell.Type)
		}
	}
	if i.Closes {
		fmt.Fprintf(w, "close\tmeasures sessions when they have ended\n")
	}
	if i.Refusal != "" {
		fmt.Fprintf(w, "needs a config\t%s\n", i.Refusal)
	}
	fmt.Fprintf(w, "golden vectors\t%d\n", i.Vectors)
	for _, s := range i.Sections {
		fmt.Fprintf(w, "section\t%s\t%d bytes\t%.1f %%\n", s.Name, s.Size, 100*float64(s.Size)/float64(i.Size))
	}
	for _, f := range i.Functions[:min(len(i.Functions), shownFunctions)] {
		fmt.Fprintf(w, "function\t%s\t%d bytes\t%.1f %%\n", short(f.Name), f.Size, 100*float64(f.Size)/float64(i.Size))
	}
	if more := len(i.Functions) - shownFunctions; more > 0 {
		fmt.Fprintf(w, "\tand %d smaller ones\n", more)
	}
	for _, name := range i.Imports {
		fmt.Fprintf(w, "import\t%s\n", name)
	}
	for _, name := range i.Exports {
		fmt.Fprintf(w, "export\t%s\n", name)
	}
	for _, problem := range i.Problems {
		fmt.Fprintf(w, "PROBLEM\t%v\n", problem)
	}
}

// withoutDebug is how large a module is without what is known of its source: the
// metered one has none of that.
func withoutDebug(i *plugin.Inspection) int {
	size := i.Size
	for _, s := range i.Sections {
		if strings.HasPrefix(s.Name, "custom .debug_") {
			size -= s.Size
		}
	}
	return size
}
