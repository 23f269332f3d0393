package main

import (
	"fmt"
	"strings"
)

// table writes the rows in Markdown. The ratio is that of CPU time per record to
// the plain copy's.
func table(rows []row) string {
	perMillion := func(r row) float64 { return r.cpu.Seconds() / float64(r.records) * 1e6 }
	var copied float64
	for _, r := range rows {
		if r.job == copyName {
			copied = perMillion(r)
		}
	}
	var b strings.Builder
	b.WriteString("| job | records | records/s | CPU s per million | to the copy | peak RSS, MiB |\n|---|---:|---:|---:|---:|---:|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %d | %.0f | %.2f | %.2f | %d |\n",
			r.job, r.records, float64(r.records)/r.took.Seconds(), perMillion(r), perMillion(r)/copied, r.peak>>20)
	}
	return b.String()
}
