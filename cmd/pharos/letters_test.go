package main_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lettersConfig has guests that trap and loop where a beacon says so: a filter of
// one tenant, an extractor of the other.
const lettersConfig = `data: data
sources:
  - {name: site, topic: beacons, format: json}
plugins:
  moody: {module: 'file://GUESTS/filter.wasm'}
  maker: {module: 'file://GUESTS/extract.wasm'}
  points: {rules: {extract: [{point: order, when: 'true'}]}}
tenants:
  shop: {extract: points, filters: [moody], all_traffic: true}
  other: {extract: maker, all_traffic: true}
keyspaces:
  shop: {tenant: shop}
  other: {tenant: other}
`

// badLine is a beacon that becomes a dead letter.
type badLine struct {
	line                          string
	cause, detail, tenant, plugin string
}

func badLines() []badLine {
	const start = 1767225600000 // 2026-01-01
	at := func(ms int64, tenant, sid, more string) string {
		return fmt.Sprintf(`{"ts":%d,"tenant":%q,"sid":%q%s}`, ms, tenant, sid, more)
	}
	return []badLine{
		{line: `{"ts":1,"tenant":"shop",`, cause: "not JSON"},
		{line: `["shop"]`, cause: "not an object"},
		{line: at(start, "shop", "s", ",\"agent\":\"\xff\xfe\""), cause: "not UTF-8"},
		{line: at(start, "shop", "s", `,"deep":`+strings.Repeat("[", 130)+strings.Repeat("]", 130)), cause: "too deep"},
		{line: at(start, "shop", "s", `,"long":"`+strings.Repeat("x", 1<<20)+`"`), cause: "too large"},
		{line: `{"ts":1,"sid":"s"}`, cause: "no tenant"},
		{line: at(start, "shopp", "s", ""), cause: "unknown tenant"},
		{line: `{"tenant":"shop","sid":"s"}`, cause: "no time", tenant: "shop"},
		{line: `{"ts":"yesterday","tenant":"shop","sid":"s"}`, cause: "no time", tenant: "shop"},
		{line: at(start, "shop", "", ""), cause: "no session", tenant: "shop"},
		{line: at(253402214400000, "shop", "s", ""), cause: "future", tenant: "shop"}, // in the year 9999
		{line: at(start-3600_000, "other", "s", ""), cause: "late", tenant: "other"},
		{line: at(start, "shop", "s", `,"do":"trap"`), cause: "plugin moody: trap", tenant: "shop", plugin: "moody", detail: "pharos_process: unreachable\n."},
		{line: at(start, "shop", "s", `,"do":"loop"`), cause: "plugin moody: out of fuel", tenant: "shop", plugin: "moody", detail: "pharos_process: did more work than its fuel of"},
		{line: at(start, "shop", "s", `,"do":"fail"`), cause: "plugin moody: error", tenant: "shop", plugin: "moody", detail: "I can not"},
		{line: at(start, "other", "s", `,"do":"trap"`), cause: "plugin maker: trap", tenant: "other", plugin: "maker", detail: "pharos_process: unreachable\n."},
	}
}

// TestDeadLetters sends what cannot be booked among beacons that can: each gets its
// record in the dead-letter topic, its bytes untouched, and none of the others is
// touched by it.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	guests, err := filepath.Abs(root + "/host/plugin/testdata")
	if err != nil {
		t.Fatal(err)
	}
	config := writeConfig(t, strings.ReplaceAll(lettersConfig, "GUESTS", guests))
	bad := badLines()
	var file bytes.Buffer
	want := map[int64]badLine{} // by offset
	good := 0
	offset := int64(0)
	for i := range 200 {
		for _, tenant := range []string{"shop", "other"} {
			fmt.Fprintf(&file, `{"ts":%d,"tenant":%q,"sid":"s%d","do":"nothing"}`+"\n", 1767225600000+i, tenant, i%20)
			good++
			offset++
		}
		if i%10 == 5 && i/10 < len(bad) {
			want[offset] = bad[i/10]
			file.WriteString(bad[i/10].line + "\n\n\r\n") // empty lines are no beacons
			offset++
		}
	}
	if len(want) != len(bad) {
		t.Fatalf("%d of %d bad lines are in the file", len(want), len(bad))
	}
	input := write(t, "beacons", file.Bytes())

	h := up(t, "-c", config)
	if out := mustRun(t, "send", "-c", config, "--in", input); out != fmt.Sprintf("sent %d beacons\n", good+len(bad)) {
		t.Errorf("send: %s", out)
	}
	figures, summary := replay(t, config, input)
	h.waitForSummary(t, summary)
	for _, tenant := range []string{"shop", "other"} {
		var own []byte
		for line := range bytes.Lines(figures) {
			if bytes.Contains(line, []byte(`"tenant":"`+tenant+`"`)) {
				own = append(own, line...)
			}
		}
		h.waitForFigures(t, tenant, own)
	}
	if got, want := canonical(t, summary), canonical(t, []byte(`{"tenants": {
		"shop": {"in": 207, "counted": 200, "filtered": {}, "duplicate": 0, "late": 0, "dead_lettered": {
			"no time": 2, "no session": 1, "future": 1, "plugin moody: trap": 1, "plugin moody: out of fuel": 1, "plugin moody: error": 1}},
		"other": {"in": 202, "counted": 201, "filtered": {}, "duplicate": 0, "late": 1, "dead_lettered": {}}},
		"undecodable": {"not JSON": 1, "not an object": 1, "not UTF-8": 1, "too deep": 1, "too large": 1, "no tenant": 1, "unknown tenant": 1},
		"bad_value": {}}`)); got != want {
		t.Errorf("summary %s\nwant    %s", got, want)
	}

	sent := records(t, h, "beacons", offset)
	letters := records(t, h, "pharos.dead-letters", int64(len(bad)))
	for _, r := range letters {
		header := map[string]string{}
		for _, h := range r.Headers {
			header[h.Key] = string(h.Value)
		}
		var at int64
		if _, err := fmt.Sscan(header["offset"], &at); err != nil {
			t.Fatalf("%v in %v", err, header)
		}
		w, ok := want[at]
		if !ok {
			t.Errorf("a dead letter of offset %d: %v", at, header)
			continue
		}
		delete(want, at)
		value := w.line
		if w.cause == "too large" { // send cuts off what is behind the limit
			value = value[:len(sent[at].Value)]
		}
		if string(r.Value) != value || !bytes.Equal(r.Value, sent[at].Value) {
			t.Errorf("%s: the value is %.200q, want %.200q", w.cause, r.Value, value)
		}
		version := map[bool]string{true: "1.2.3"}[w.plugin != ""]
		if header["cause"] != w.cause || header["tenant"] != w.tenant || header["plugin"] != w.plugin || header["version"] != version ||
			header["source"] != "beacons" || header["partition"] != "0" || !strings.Contains(header["detail"], w.detail) {
			t.Errorf("%s: the headers are %q", w.cause, header)
		}
	}
	for at, w := range want {
		t.Errorf("no dead letter of offset %d: %s", at, w.cause)
	}
	h.terminate(t)
}

// records reads a topic's committed records as any consumer does: n, and no more
// are there.
func records(t *testing.T, h *host, topic string, n int64) (all []*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.broker), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for int64(len(all)) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%s: %v, after %d of %d records", topic, err, len(all), n)
		}
		all = append(all, fetches.Records()...)
	}
	more, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if extra := cl.PollFetches(more).Records(); int64(len(all)) > n || len(extra) > 0 {
		t.Errorf("%s: %d records and %d more, want %d", topic, len(all), len(extra), n)
	}
	return all
}
