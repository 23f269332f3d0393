package main_test

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOperations does what docs/operations.md shows, and sees what it shows.
func TestOperations(t *testing.T) {
	t.Parallel()
	doc := string(read(t, root+"/docs/operations.md"))
	block := regexp.MustCompile("(?s)```(yaml|console)\n(.*?)```")
	listen := freeAddress(t)
	config := writeConfig(t, "http: {listen: '"+listen+"'}\n"+small, replaced(t, "  filters: [assets]\n", "  filters: [assets]\n  routes: {web: {topic: pharos.web, partitions: 2}}\n"),
		replaced(t, "  shop: {extract: points, all_traffic: true}\n", "  shop:\n    extract: points\n    all_traffic: true\n    experiments:\n      first: {variants: {a: 1, b: 1}}\n"))
	dir := filepath.Dir(config)
	p := start(t, dir, nil, "up", "-c", config)
	h := &host{p, p.value(t, "page"), p.value(t, "broker")}
	h.ready(t)
	blocks := block.FindAllStringSubmatch(doc, -1)
	if len(blocks) < 5 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		text := string(read(t, config))
		switch {
		case b[1] == "console":
			console(t, dir, b[2])
		case strings.Contains(b[2], "routes:"):
			waitFor(t, "the route to have moved", func() error { return h.moved("pharos.web-v2", 3) })
			rewrite(t, config, text, replaced(t, "  routes: {web: {topic: pharos.web, partitions: 2}}\n", b[2]))
		default:
			rewrite(t, config, text, replaced(t, "    experiments:\n", "    experiments:\n"+b[2]))
		}
	}
	h.terminate(t)
}

// console runs the commands of an example in a directory, each of which must say
// what stands below it.
func console(t *testing.T, dir, text string) {
	t.Helper()
	for _, part := range strings.Split("\n"+text, "\n$ ")[1:] {
		command, want, _ := strings.Cut(part, "\n")
		p := start(t, dir, nil, strings.Fields(command)[1:]...)
		if code := p.code(t); code != 0 || strings.TrimSpace(p.out.String()) != strings.TrimSpace(want) {
			t.Errorf("%s: exit code %d\n%s%s\nwant:\n%s", command, code, p.out.String(), p.errs.String(), want)
		}
	}
}

// moved is nil once the host's session role has all partitions of a topic, live.
func (h *host) moved(topic string, partitions int) error {
	s, err := h.status()
	if err != nil {
		return err
	}
	n := 0
	for _, p := range sessions(s) {
		if p.Topic == topic && p.Generation > 0 {
			n++
		}
	}
	if n != partitions {
		return fmt.Errorf("%d partitions of %s are live", n, topic)
	}
	return nil
}

// freeAddress is an address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
