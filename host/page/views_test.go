package page

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	charts = `document.querySelectorAll('[data-formula] canvas').length === 6`
	cell   = `document.querySelector('[data-formula=visitors] [data-variant=blue] .latest').textContent`
)

func TestChartsRenderAndMove(t *testing.T) {
	b := open(t, &fakeAPI{}, "/")
	b.until(charts)
	for _, line := range []string{"--line-0", "--line-1", "--line-2"} {
		b.until(inked("conversion", line) + " > 100")
	}
	for selector, want := range map[string]string{
		"[data-formula=conversion] [data-variant=blue] .total": "%",
		"[data-formula=aov] [data-variant=control] .total":     "$",
		"[data-formula=length] [data-variant=control] .total":  " m ",
		"[data-formula=conversion] [data-variant=blue] .delta": "+",
		"[data-formula=conversion] h2":                         "Conversion",
		"#clock":                                               "Complete through",
	} {
		if got := b.js(`document.querySelector('` + selector + `').textContent`); !strings.Contains(got, want) {
			t.Errorf("%s is %q and has no %q", selector, got, want)
		}
	}
	for expression, want := range map[string]string{
		`document.querySelector('[data-formula=conversion] [data-variant=blue] .delta').className`: "delta good",
		`document.querySelector('[data-formula=errors] [data-variant=large] .delta').className`:    "delta bad",
		`document.querySelector('[data-formula=conversion] .key').hidden`:                          "false",
		`document.querySelectorAll('[data-formula=conversion] tbody tr').length`:                   "3",
	} {
		if got := b.js(expression); got != want {
			t.Errorf("%s is %s, want %s", expression, got, want)
		}
	}
	// the same elements show new figures
	b.js(`(document.querySelector('[data-formula=visitors] canvas').id = 'kept')`)
	before := b.js(cell)
	b.api.set(func(f *fakeAPI) { f.shift += 3 * time.Minute })
	b.until(cell + ` !== "` + before + `"`)
	b.until(`document.getElementById('kept').isConnected`)
	b.shot("experiments")
	b.dark(true)
	b.shot("experiments-dark")
	b.quiet()
}

func TestSwitches(t *testing.T) {
	b := open(t, &fakeAPI{}, "/")
	b.until(charts)
	b.query("from", "-1h")
	press := func(name, value string) {
		t.Helper()
		b.do(chromedp.Click(`input[name=` + name + `][value="` + value + `"]`))
	}
	press("range", "24h")
	b.query("from", "-24h")
	press("status", "qualified")
	b.query("status", "qualified")
	b.until(`location.search === '?range=24h&status=qualified'`)
	// with the keyboard alone
	b.do(chromedp.Focus(`input[name=range]:checked`), chromedp.KeyEvent(kb.ArrowRight))
	b.query("from", "-7d")
	b.until(`document.activeElement.value === '7d'`)
	press("range", "all")
	b.query("from", nil)
	b.shot("all")
	b.js(`(() => { const e = document.querySelector("#experiment"); e.value = "aa-test"; e.dispatchEvent(new Event("change")); })()`)
	b.query("experiment", "aa-test")
	b.until(`document.querySelectorAll('[data-formula=conversion] tbody tr').length === 2`)
	b.do(chromedp.NavigateBack())
	b.query("experiment", "checkout-button")
	b.until(`document.querySelectorAll('[data-formula=conversion] tbody tr').length === 3`)
	b.quiet()
}

func TestAnAddressIsShownAsItSays(t *testing.T) {
	b := open(t, &fakeAPI{}, "/?experiment=aa-test&range=15m&status=qualified&keyspace=shop")
	b.until(charts)
	b.query("experiment", "aa-test")
	b.query("from", "-15m")
	b.query("status", "qualified")
	b.until(`document.querySelector('input[name=range]:checked').value === '15m'`)
	b.quiet()
}

func TestDraggingZooms(t *testing.T) {
	b := open(t, &fakeAPI{}, "/?range=6h")
	b.until(charts)
	b.js(`(() => {
		const over = document.querySelector('[data-formula=conversion] .u-over');
		const r = over.getBoundingClientRect();
		const at = (type, x) => (type === 'mouseup' ? document : over).dispatchEvent(new MouseEvent(type, {bubbles: true, clientX: r.left + x, clientY: r.top + 50, movementX: 1, button: 0}));
		at('mousemove', 60); at('mousedown', 60); at('mousemove', 100); at('mousemove', 160); at('mouseup', 160);
	})()`)
	b.until(`new URLSearchParams(location.search).get('range') === 'custom'`)
	b.until(`document.querySelector('input[name=range]:checked').value === 'custom'`)
	to, err := strconv.ParseFloat(b.js(`new URLSearchParams(location.search).get('to')`), 64)
	if err != nil {
		t.Fatal(err)
	}
	b.query("to", to)
	b.shot("zoomed")
	b.js(`document.querySelector('[data-formula=conversion] .u-over').dispatchEvent(new MouseEvent('dblclick', {bubbles: true}))`)
	b.query("from", "-6h")
	b.quiet()
}

func TestTheCursorReadsValues(t *testing.T) {
	b := open(t, &fakeAPI{}, "/")
	b.until(charts)
	b.js(`(() => {
		const over = document.querySelector('[data-formula=conversion] .u-over');
		const r = over.getBoundingClientRect();
		over.dispatchEvent(new MouseEvent('mousemove', {bubbles: true, clientX: r.left + 80, clientY: r.top + 50}));
	})()`)
	// in every chart at once
	b.until(`[...document.querySelectorAll('.legend thead th:nth-child(2)')].every((th) => /^\d\d:\d\d|, \d\d:\d\d/.test(th.textContent))`)
	b.until(`new Set([...document.querySelectorAll('.legend thead th:nth-child(2)')].map((th) => th.textContent)).size === 1`)
	b.shot("cursor")
	b.quiet()
}

func TestOldDataIsSaid(t *testing.T) {
	api := &fakeAPI{shift: time.Until(time.Date(2019, 10, 1, 0, 17, 20, 0, time.UTC))}
	b := open(t, api, "/")
	b.until(charts)
	b.until(`document.querySelector('.note')?.textContent.includes('30 Sept 2019') && document.querySelector('.note').textContent.includes('ranges end there')`)
	b.shot("old")
	b.do(chromedp.Click(`.note .button`))
	b.query("from", nil)
	b.quiet()
}

func TestStatesSayWhatToDo(t *testing.T) {
	api := &fakeAPI{empty: true}
	b := open(t, api, "/")
	b.until(`document.body.innerText.includes('Waiting for the first figures') && document.body.innerText.includes('pharos send')`)
	b.shot("empty")
	api.set(func(f *fakeAPI) { f.empty = false })
	b.until(charts)
	api.set(func(f *fakeAPI) { f.failing = true })
	b.until(`document.querySelector('#notice').textContent.includes('connection refused') && document.querySelector('.stale')`)
	b.until(charts) // what was there stays
	b.shot("failing")
	api.set(func(f *fakeAPI) { f.failing = false })
	b.until(`document.querySelector('#notice').textContent === '' && !document.querySelector('.stale')`)
	b.js(`(() => { const k = document.querySelector('#keyspace'); k.value = 'web'; k.dispatchEvent(new Event('change')); })()`)
	b.until(`document.body.innerText.includes('This keyspace has no experiment')`)

	b = open(t, &fakeAPI{bare: true}, "/")
	b.until(`document.body.innerText.includes('No keyspace is configured')`)
	b.quiet()
}

func TestOperatorView(t *testing.T) {
	b := open(t, &fakeAPI{}, "/")
	b.until(charts)
	b.do(chromedp.Focus(`#tab-experiments`), chromedp.KeyEvent(kb.ArrowRight))
	b.until(`document.querySelectorAll('.table').length === 5`)
	text := b.js(`document.querySelector('#main').innerText`)
	for _, want := range []string{"golden vectors fail", "pharos.mobile", "heatmap", "trap in row 17", "80,123 asset", "in = out", "10 on their way", "12 not JSON", "dispatch", "embedded"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	if rule := b.js(`document.querySelector('.note pre').textContent`); rule != "path.endsWidth(\".css\")\n     ^" {
		t.Errorf("the rule at fault is shown as %q", rule)
	}
	// What a version has gone through unfolds, and stays unfolded when figures change.
	b.js(`(() => { document.querySelectorAll('.unfold')[0].focus(); document.querySelectorAll('.unfold')[0].click(); document.querySelectorAll('.unfold')[3].click(); })()`)
	b.until(`document.querySelectorAll('.life').length === 2 && document.activeElement.className === 'unfold'`)
	if text := b.js(`document.querySelector('.life').innerText + document.querySelectorAll('.life')[1].innerText`); !strings.Contains(text, "by shop (ID 141CCA2F1BA3DBE7)") || !strings.Contains(text, "205 ms") || !strings.Contains(text, "expected 1 measurement") {
		t.Error(text)
	}
	b.shot("plugins")
	b.js(`document.querySelector('#tab-operator').focus()`)
	b.until(`location.search === '?tab=operator' && document.activeElement.id === 'tab-operator'`)
	b.shot("operator")
	b.dark(true)
	b.shot("operator-dark")
	b.quiet()
}
