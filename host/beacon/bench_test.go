package beacon

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
)

// lines gives the lines of a real data file, or where this checkout has none
// beside it, made-up ones of the same form.
func lines(t testing.TB, file string, format Format) (all [][]byte, real bool) {
	data, err := os.ReadFile("../../../shared/data/" + file)
	if err != nil {
		t.Logf("generated input: %v", err)
		for i := range 1000 {
			all = append(all, madeUp(format, i))
		}
		return all, false
	}
	if strings.HasSuffix(file, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var plain bytes.Buffer
		if _, err := plain.ReadFrom(z); err != nil {
			t.Fatal(err)
		}
		data = plain.Bytes()
	}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		all = append(all, bytes.Clone(s.Bytes()))
	}
	return all, true
}

func madeUp(format Format, i int) []byte {
	switch format {
	case JSON:
		return fmt.Appendf(nil, `{"id":"shop-%d","ts":%d,"tenant":"shop","sid":"72d76fde-8bb3-4e00-8c23-%012d","type":"view","visitor":"%d","product":{"id":"%d","category":"furniture.living_room.sofa","brand":"shiseido","price":%d.79}}`,
			i, 1569888000000+int64(i)*700, i%90, 541312140+i, 44600062+i, i%300)
	case Query:
		return fmt.Appendf(nil, `id=shop-%d&ts=%d&tenant=shop&sid=72d76fde-8bb3-4e00-8c23-%012d&type=view&visitor=%d&product=%%7B%%22id%%22%%3A%%22%d%%22%%2C%%22price%%22%%3A%d.79%%7D`,
			i, 1569888000000+int64(i)*700, i%90, 541312140+i, 44600062+i, i%300)
	}
	return fmt.Appendf(nil, `83.149.9.%d - - [17/May/2015:10:%02d:%02d +0000] "GET /presentations/logstash/kibana-%d.png HTTP/1.1" 200 %d "http://semicomplete.com/presentations/logstash/" "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36"`,
		i%250, i/60%60, i%60, i%17, 200000+i)
}

var shopSource = &Source{
	Name: "shop", Format: JSON, Time: path("ts"), Tenant: path("tenant"), Session: path("sid"), ID: path("id"), Assignments: path("exp"),
}

var shopFields = []string{"type", "product.price", "product.brand", "visitor"}

var logSource = &Source{
	Name: "log", Format: CLF, Time: path("time"), Tenant: Locator{Const: "site", IsConst: true}, Session: path("remote", "agent"),
}

var logFields = []string{"path", "agent", "status"}

func projection(t testing.TB, src *Source, fields ...string) (*Projection, *Batch) {
	f := NewFields(fields...)
	p, err := NewProjection(src, f)
	if err != nil {
		t.Fatal(err)
	}
	return p, NewBatch(f)
}

func BenchmarkDecode(b *testing.B) {
	shop, _ := lines(b, "shop.ndjson", JSON)
	log, _ := lines(b, "apache-access.log.gz", CLF)
	query := *shopSource
	query.Format = Query
	for _, c := range []struct {
		name   string
		src    *Source
		fields []string
		lines  [][]byte
	}{
		{"json", shopSource, shopFields, shop},
		{"json-logical-only", shopSource, nil, shop},
		{"json-assigned", shopSource, shopFields, assignedLines()},
		{"clf", logSource, logFields, log},
		{"query", &query, shopFields, queryLines()},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, batch := projection(b, c.src, c.fields...)
			const rows = 500
			size := 0
			for _, l := range c.lines {
				size += len(l)
			}
			for range 8 * rows { // memory settles
				if batch.Len() == rows {
					batch.Reset()
				}
				batch.Add(p, c.lines[batch.Len()%len(c.lines)])
			}
			b.SetBytes(int64(size / len(c.lines)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if batch.Len() == rows {
					batch.Reset()
				}
				batch.Add(p, c.lines[i])
				if i++; i == len(c.lines) {
					i = 0
				}
			}
		})
	}
}

func assignedLines() (all [][]byte) {
	for i := range 1000 {
		all = append(all, fmt.Appendf(nil, `{"id":"g-%d","ts":%d,"tenant":"shop","sid":"s-%d","type":"view","visitor":"v-%d","platform":"web","headers":{"ua":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"},"exp":[{"id":"checkout-button","variant":"blue"},{"id":"search-rank","variant":"control"}],"product":{"id":"%d","brand":"lucente","price":%d.5}}`,
			i, 1569888000000+int64(i)*700, i%90, i%50, i, i%400))
	}
	return all
}

func queryLines() (all [][]byte) {
	for i := range 1000 {
		all = append(all, madeUp(Query, i))
	}
	return all
}

func BenchmarkColumns(b *testing.B) {
	shop, _ := lines(b, "shop.ndjson", JSON)
	p, batch := projection(b, shopSource, shopFields...)
	var sel []int
	for i := range 500 {
		batch.Add(p, shop[i])
		sel = append(sel, i)
	}
	fields := []abi.Field{{Name: "type", Type: abi.Str, Dict: true}, {Name: "product.price", Type: abi.F64}, {Name: "product.brand", Type: abi.Str}, {Name: "visitor", Type: abi.Any}}
	for i := range fields {
		b.Run(fmt.Sprintf("%s-%d-%v", fields[i].Name, fields[i].Type, fields[i].Dict), func(b *testing.B) {
			var dst abi.Batch
			b.ReportAllocs()
			for b.Loop() {
				batch.Columns(fields[i:i+1], sel, &dst)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(sel)), "ns/row")
		})
	}
}
