package plugins_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/wasm"
	"pgregory.net/rapid"
)

func module(t testing.TB, name string, limits wasm.Limits) *wasm.Module {
	t.Helper()
	code, err := os.ReadFile(filepath.Join(name, name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := wasm.NewRuntime(wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Compile(t.Context(), name, code, wasm.WithLimits(limits))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// script are names that bots.c has itself; those that matter here.
var script = []string{"curl/", "java/", "ruby", "lwp::", "nmap"}

// naive is what bots is to do, without an automaton.
func naive(names []string, scripts, missing bool, agent abi.Value) string {
	text := lower(string(agent.Text))
	if agent.Kind == abi.Missing || text == "" {
		if missing {
			return "no agent"
		}
		return "keep"
	}
	for _, n := range names {
		if strings.Contains(text, lower(n)) {
			return "bot"
		}
	}
	for _, n := range script {
		if scripts && strings.Contains(text, n) {
			return "script"
		}
	}
	return "keep"
}

// lower is lower case of ASCII only, as bots has it.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func TestBotsAgainstNaive(t *testing.T) {
	m := module(t, "bots", wasm.Limits{})
	// Few letters, so that names overlap, are each other's prefixes and suffixes.
	short := rapid.StringMatching(`[abAB]{1,6}`)
	name := rapid.OneOf(short, short, rapid.StringMatching(`[a-c](é|É|[ .*]|😀|\\|")?[a-c]`), rapid.SampledFrom(script))
	rapid.Check(t, func(r *rapid.T) {
		listed := rapid.SliceOfN(name, 0, 8).Draw(r, "listed")
		extra := rapid.SliceOfN(name, 0, 8).Draw(r, "extra")
		scripts, missing := rapid.Bool().Draw(r, "scripts"), rapid.Bool().Draw(r, "missing")
		config, err := json.Marshal(map[string]any{"extra": extra, "scripts": scripts, "missing": missing})
		if err != nil {
			r.Fatal(err)
		}
		file := "# a comment\n\n" + strings.Join(listed, rapid.SampledFrom([]string{"\n", "\r\n", "  \n\n"}).Draw(r, "end"))
		g, err := m.Instantiate(t.Context(), config, map[string][]byte{"agents": []byte(file)})
		if err != nil {
			r.Fatal(err)
		}
		defer func() {
			if err := g.Close(t.Context()); err != nil {
				r.Error(err)
			}
		}()
		agents := rapid.SliceOfN(drawAgent(name), 1, 50).Draw(r, "agents")
		got, err := verdicts(g, agents)
		if err != nil {
			r.Fatal(err)
		}
		names := slices.Concat(listed, extra)
		for i, agent := range agents {
			if want := naive(names, scripts, missing, agent); got[i] != want {
				r.Errorf("%q: %s, naively %s; names %q", agent.Text, got[i], want, names)
			}
		}
	})
}

// drawAgent draws a user agent that has names, parts of names and other letters.
func drawAgent(name *rapid.Generator[string]) *rapid.Generator[abi.Value] {
	return rapid.Custom(func(r *rapid.T) abi.Value {
		var text string
		for range rapid.IntRange(0, 5).Draw(r, "pieces") {
			switch piece := name.Draw(r, "name"); rapid.IntRange(0, 3).Draw(r, "how") {
			case 0:
				text += strings.ToUpper(piece)
			case 1:
				text += strings.ToValidUTF8(piece[:rapid.IntRange(0, len(piece)).Draw(r, "cut")], "")
			case 2:
				text += rapid.StringMatching(`[a-cA-C ./]{0,8}`).Draw(r, "other")
			default:
				text += piece
			}
		}
		if text == "" && rapid.Bool().Draw(r, "absent") {
			return abi.Value{}
		}
		return abi.Value{Kind: abi.String, Text: []byte(text)}
	})
}

// verdicts are a filter's answers about values of its one field.
func verdicts(g *wasm.Instance, values []abi.Value) ([]string, error) {
	rows := make([][]abi.Value, len(values))
	for i, v := range values {
		rows[i] = []abi.Value{v}
	}
	var b abi.Batch
	var out abi.Output
	abi.Build(g.Plan().Fields, rows, &b)
	if err := g.Process(context.Background(), &b, &out); err != nil {
		return nil, err
	}
	got := make([]string, len(values))
	for i := range got {
		got[i] = "keep"
		if !abi.Bit(out.Keep, i) {
			got[i] = g.Plan().Reasons[out.Reasons[i]]
		}
	}
	return got, nil
}

// Lists at the limits of bots are taken, those beyond refused with what to do.
func TestBotsLimits(t *testing.T) {
	line := func(i int) string { return fmt.Sprintf("%030d", i) }
	list := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i) + "\n")
		}
		return []byte(b.String())
	}
	// Many different bytes, so that the automaton is wide.
	var wide []byte
	for i := range 2000 {
		for c := range 30 {
			wide = append(wide, byte(0x80+(i+c)%128))
		}
		wide = append(wide, '\n')
	}
	for i := range 94 {
		wide = append(wide, byte('!'+i), 'x', '\n')
	}
	for _, c := range []struct {
		name   string
		file   []byte
		memory int64
		refuse string
	}{
		{"many names", list(2100), 0, ""},
		{"too many names", list(2200), 0, "more than 65534 bytes"},
		{"wide", wide, 16 << 20, "do not fit into the plugin's memory"},
		{"wide with memory", wide, 32 << 20, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := module(t, "bots", wasm.Limits{Memory: c.memory})
			g, err := m.Instantiate(t.Context(), nil, map[string][]byte{"agents": c.file})
			if c.refuse != "" {
				if refused := new(wasm.ConfigError); !errors.As(err, &refused) || !strings.Contains(refused.Text, c.refuse) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.name != "many names" {
				return
			}
			got, err := verdicts(g, []abi.Value{
				{Kind: abi.String, Text: []byte("x" + line(2099))}, {Kind: abi.String, Text: []byte(line(1)[1:])}, {Kind: abi.String, Text: []byte(line(2100))},
			})
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != "[bot keep keep]" {
				t.Errorf("%q", got)
			}
		})
	}
}
