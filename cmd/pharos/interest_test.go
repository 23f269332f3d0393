package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/definition/examples"
	"github.com/seed-6a2d649b/pharos/host/interest"
)

// interestOf runs pharos interest and gives what it says.
func interestOf(t *testing.T, args ...string) (r interest.Report) {
	t.Helper()
	out := mustRun(t, append([]string{"interest", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return r
}

// kindOf finds a kind of the shop by its type.
func kindOf(t *testing.T, r *interest.Report, name string) interest.KindReport {
	t.Helper()
	i := slices.IndexFunc(r.Kinds, func(k interest.KindReport) bool { return k.Values["type"] == fmt.Sprintf("%q", name) })
	if i < 0 {
		t.Fatalf("there is no kind %s in %+v", name, r.Kinds)
	}
	return r.Kinds[i]
}

// noisy puts a beacon of no use behind each second one of the shop's: of the same
// session and moment, so that it begins and ends none, and without a visitor, so that
// it assigns none.
func noisy(t *testing.T, input string) (file string, noise int) {
	t.Helper()
	var text bytes.Buffer
	for i, line := range examples.ReadLines(t, input, "file") {
		text.Write(append(line.Raw, '\n'))
		var b struct {
			ID, SID, Tenant string
			TS              int64
		}
		if err := json.Unmarshal(line.Raw, &b); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			noise++
			fmt.Fprintf(&text, `{"ts":%d,"tenant":%q,"sid":%q,"id":"z-%s","type":"scroll","depth":%d}`+"\n", b.TS, b.Tenant, b.SID, b.ID, i%100)
		}
	}
	return write(t, "noisy.ndjson", text.Bytes()), noise
}

// shopExample is the shop's example and its input.
func shopExample(t *testing.T) (config, input string) {
	t.Helper()
	all := examples.All(t, root)
	i := slices.IndexFunc(all, func(e examples.Example) bool { return e.Name == "shop" })
	return configOf(t, all[i].Config), inputOf(t, all[i])
}

// The kind of beacon that does nothing is found among those of the shop, from a file
// and live; its rule, as it is written, drops it and changes no figure.
func TestInterest(t *testing.T) {
	t.Parallel()
	config, clean := shopExample(t)
	input, noise := noisy(t, clean)
	figures, _ := replay(t, config, input)

	rule := filepath.Join(filepath.Dir(config), "no-use.yaml")
	r := interestOf(t, "-c", config, "--in", input, "--least", "3", "-o", rule)
	if scroll := kindOf(t, &r, "scroll"); scroll.Nothing != noise || scroll.Beacons != noise {
		t.Errorf("of %d scrolls it is said: %+v", noise, scroll)
	}
	if view := kindOf(t, &r, "view"); view.Figure == 0 || view.Figure+view.Nothing < view.Looked {
		t.Errorf("of views it is said: %+v", view)
	}
	if u := r.Useless; u == nil || u.Beacons != noise || u.Effect.Changed != 0 || u.Effect.Figures != bytes.Count(figures, []byte("\n")) || !slices.Equal(u.Kinds, []string{`type "scroll"`}) {
		t.Fatalf("what is of no use is %+v", u)
	}
	rewrite(t, config, string(read(t, config)), func(text string) string { return "include: [no-use.yaml]\n" + text })
	again, summary := replay(t, config, input)
	if err := difference(again, figures); err != nil {
		t.Errorf("under the rule: %v", err)
	}
	if !strings.Contains(string(summary), fmt.Sprintf(`"filtered":{"no-use":%d}`, noise)) {
		t.Errorf("under the rule: %s", summary)
	}

	// Live, what is in force is what the group runs.
	text := strings.TrimPrefix(string(read(t, config)), "include: [no-use.yaml]\n")
	rewrite(t, config, text)
	h := up(t, "-c", config)
	lines := len(examples.ReadLines(t, input, "file"))
	mustRun(t, "send", "-c", config, "--in", input)
	live := interestOf(t, "-c", config, "--live", "--since", "1h", "--whole=false", "--least", "3")
	if live.InForce != "generation 1 of the group pharos" || live.Beacons != lines {
		t.Errorf("%d beacons under %s", live.Beacons, live.InForce)
	}
	if got, want := kindOf(t, &live, "scroll"), kindOf(t, &r, "scroll"); got.Nothing != want.Nothing {
		t.Errorf("live %+v, from the file %+v", got, want)
	}
	rewrite(t, config, "include: [no-use.yaml]\n"+text)
	if _, err := h.reloaded(); err != nil {
		t.Fatal(err)
	}
	rewrite(t, config, text) // the file is not what is in force
	live = interestOf(t, "-c", config, "--live", "--since", "1h", "--whole=false", "--least", "3")
	if scroll := kindOf(t, &live, "scroll"); live.InForce != "generation 2 of the group pharos" || scroll.Dropped != noise || live.Useless != nil {
		t.Errorf("under %s: %+v, of no use %+v", live.InForce, scroll, live.Useless)
	}
	h.terminate(t)
}

// reloaded has the host read its config anew.
func (h *host) reloaded() (string, error) {
	body, code, err := h.ask("POST", "-/reload", nil)
	if err == nil && code != 200 {
		err = fmt.Errorf("%d: %s", code, body)
	}
	return string(body), err
}

// What can not be done is said, with what to do instead.
func TestInterestFaults(t *testing.T) {
	t.Parallel()
	config, input := shopExample(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "--in is missing"},
		{[]string{"--in", input, "--live"}, 2, "give one of them"},
		{[]string{"--in", input, "--for", "1m"}, 2, "--for and --since are of a --live sample"},
		{[]string{"--live", "--now", "2026-01-01T00:00:00Z"}, 2, "--now is of files"},
		{[]string{"--live", "--since", "yesterday"}, 2, `--since "yesterday" is neither how long ago`},
		{[]string{"--live"}, 1, "no pharos up runs on the data directory"},
		{[]string{"--in", "nothing.ndjson"}, 2, "nothing.ndjson"},
		{[]string{"--in", "other=" + input}, 2, `no source "other"`},
		{[]string{"--in", write(t, "empty", nil)}, 2, "the sample has no beacons"},
		{[]string{"--in", input, "--by", "a,b,c,d,e"}, 2, "5 fields, and 4 are the most"},
		{[]string{"--in", input, "--max", "0"}, 2, "--max 0"},
		{[]string{"--in", input, "--least", "0"}, 2, "--least 0"},
		{[]string{"--in", input, "--whole"}, 2, "the ends of the sample cut all of its sessions"},
	} {
		_, errs, code := run(t, append([]string{"interest", "-c", config}, c.args...)...)
		said(t, errs, code, c.code, c.want)
	}
	r := interestOf(t, "-c", config, "--in", input, "--max", "100")
	if r.Beacons != 100 || !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "the sample ends at 100 beacons") }) {
		t.Errorf("%d beacons, and %q", r.Beacons, r.Warnings)
	}
}

// TestInterestDoc does what docs/interest.md shows, and sees what it shows.
func TestInterestDoc(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	doc := string(read(t, root+"/docs/interest.md"))
	files := map[string]string{"yaml": "pharos.yaml", "json": "beacons.ndjson"}
	blocks := regexp.MustCompile("(?s)```(yaml|json|console)\n(.*?)```").FindAllStringSubmatch(doc, -1)
	if len(blocks) != 3 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		if name := files[b[1]]; name == "" {
			console(t, dir, b[2])
		} else if err := os.WriteFile(filepath.Join(dir, name), []byte(b[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	input := filepath.Join(dir, "beacons.ndjson")
	config := filepath.Join(dir, "pharos.yaml")
	before, _ := replay(t, config, input)
	rewrite(t, config, string(read(t, config)), func(text string) string { return "include: [no-use.yaml]\n" + text })
	after, _ := replay(t, config, input)
	if err := difference(after, before); err != nil {
		t.Errorf("with the file included: %v", err)
	}
}
