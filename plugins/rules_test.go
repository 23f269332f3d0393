package plugins_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/author"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/lines"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// The shipped rules answer what the guests beside them do: to real beacons, and to
// random ones.
func TestRulesAnswerAsTheirGuests(t *testing.T) {
	shop := &beacon.Source{Name: "shop", Format: beacon.JSON}
	log := &beacon.Source{Name: "log", Format: beacon.CLF}
	for _, c := range []struct {
		plugin, config string
		file           string
		source         *beacon.Source
		words          []string
		texts          bool // of random beacons: what else a field may be is answered otherwise, as the README says
	}{
		{
			"clicks", `{"points": [{"point": "item_page", "is": "view"}, {"point": "order", "is": "purchase"},
				{"point": "revenue", "is": "purchase", "value": "product.price"}, {"point": "image_click", "is": "click", "attributes": {"image": "img.id", "slot": "img.slot"}}]}`,
			"shop.ndjson", shop, []string{"view", "purchase", "click", "5", "1.5", "1e300", "-0"}, false,
		},
		{
			"platform", `{}`, "apache-access.log.gz", log,
			[]string{"ios", "web", "desktop", "IOS", "Mozilla/5.0 (iPhone; CPU)", "x KINDLE", "Silk/1", "windows phone", "Mozilla/5.0 (X11)"}, true,
		},
		{
			"assets", `{}`, "apache-access.log.gz", log,
			[]string{"/a.css", "/a.CSS?x", "/a.woff2#b?c", "/a.css/b", "?a.css", "/a.\u017fs", "/a.j\u017f", ".png", "a\n.js", "/a.jpegx", "/a.", "/é.js"}, false,
		},
	} {
		t.Run(c.plugin, func(t *testing.T) {
			m := module(t, c.plugin, wasm.Limits{Fuel: 1e9})
			guest, err := m.Instantiate(t.Context(), []byte(c.config), nil)
			if err != nil {
				t.Fatal(err)
			}
			ruled := ruled(t, c.plugin)
			compare := func(beacons func(plan *abi.Plan) *abi.Batch, text func(row int) string) {
				want, got := answers(t, m.Manifest().Kind, guest, beacons(guest.Plan())), answers(t, m.Manifest().Kind, ruled, beacons(ruled.Plan()))
				kinds := map[string]bool{}
				for i := range want {
					if kinds[want[i]] = true; got[i] != want[i] {
						t.Errorf("%s: the guest says %s, the rules %s", text(i), want[i], got[i])
					}
				}
				if len(kinds) < 2 {
					t.Errorf("%d beacons are all answered %v", len(want), kinds)
				}
			}
			b, rows := decoded(t, c.source, c.file, guest.Plan(), ruled.Plan())
			compare(func(plan *abi.Plan) *abi.Batch { return columns(b, plan, rows) }, func(row int) string { return string(b.Row(rows[row]).Raw) })

			fields := append(append([]abi.Field(nil), guest.Plan().Fields...), ruled.Plan().Fields...)
			random := tck.Beacons(rand.New(rand.NewPCG(1, 2)), fields, 5000, c.words...)
			if c.texts {
				onlyTexts(random)
			}
			compare(func(plan *abi.Plan) *abi.Batch { return build(plan, fields, random) }, func(row int) string { return shown(fields, random[row]) })
		})
	}
}

// ruled is an instance of the module that a plugin's rules are built to.
func ruled(t *testing.T, name string) *wasm.Instance {
	t.Helper()
	sets, err := author.LoadRules(name+"/"+name+".rules.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	if tested, err := author.TestRules(t.Context(), sets[0], author.TestOptions{Random: 100}); err != nil || tested.Vectors == 0 || len(tested.Findings) > 0 {
		t.Errorf("its tests: %v, %+v", err, tested)
	}
	code, err := sets[0].Module()
	if err != nil {
		t.Fatal(err)
	}
	r, err := wasm.NewRuntime(wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Compile(t.Context(), name, code, wasm.WithLimits(wasm.Limits{Fuel: 1e9}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(m.Close(context.Background()), r.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	i, err := m.Instantiate(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func answers(t *testing.T, kind abi.Kind, i *wasm.Instance, b *abi.Batch) []string {
	t.Helper()
	var out abi.Output
	if err := i.Process(t.Context(), b, &out); err != nil {
		t.Fatal(err)
	}
	all, err := tck.Answers(kind, i.Plan(), b.Rows, &out)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// decoded are the beacons of a file of real ones, with the fields of the plans.
func decoded(t *testing.T, source *beacon.Source, file string, plans ...*abi.Plan) (b *beacon.Batch, rows []int) {
	t.Helper()
	var names []string
	for _, plan := range plans {
		for _, f := range plan.Fields {
			names = append(names, f.Name)
		}
	}
	fields := beacon.NewFields(names...)
	projection, err := beacon.NewProjection(source, fields)
	if err != nil {
		t.Fatal(err)
	}
	r, err := lines.Open("../../shared/data/"+file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b = beacon.NewBatch(fields)
	for len(rows) < 5000 {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if row, cause := b.Add(projection, append([]byte(nil), line...)); cause == "" {
			rows = append(rows, row)
		}
	}
	return b, rows
}

func columns(b *beacon.Batch, plan *abi.Plan, rows []int) *abi.Batch {
	var dst abi.Batch
	b.Columns(plan.Fields, rows, &dst)
	return &dst
}

// build gives a plan the values that it asks for, of rows that have fields.
func build(plan *abi.Plan, fields []abi.Field, rows [][]abi.Value) *abi.Batch {
	var dst abi.Batch
	own := make([][]abi.Value, len(rows))
	for i, row := range rows {
		for _, f := range plan.Fields {
			for j := range fields {
				if fields[j].Name == f.Name {
					own[i] = append(own[i], row[j])
					break
				}
			}
		}
	}
	abi.Build(plan.Fields, own, &dst)
	return &dst
}

func onlyTexts(rows [][]abi.Value) {
	for _, row := range rows {
		for i, v := range row {
			switch v.Kind {
			case abi.Missing, abi.Null, abi.String, abi.Untyped:
			default:
				row[i] = abi.Value{}
			}
		}
	}
}

func shown(fields []abi.Field, row []abi.Value) (text string) {
	for i, v := range row {
		text += fields[i].Name + "=" + string(v.Text) + " "
	}
	return text
}
