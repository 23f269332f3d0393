package page

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium with the page of a fake host open.
type browser struct {
	t    *testing.T
	ctx  context.Context
	api  *fakeAPI
	url  string
	mu   sync.Mutex
	said []string // errors on the console
}

// open starts Chromium with an empty profile and goes to a path of the page.
func open(t *testing.T, api *fakeAPI, path string) *browser {
	t.Helper()
	binary, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed: run scripts/deps.sh, which installs what the tests need")
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", api)
	mux.Handle("/", Handler())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(binary), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900))
	for _, flag := range []string{"disable-gpu", "disable-quic", "disable-component-update", "no-proxy-server"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	b := &browser{t: t, ctx: ctx, api: api, url: server.URL}
	messages := chromedp.Console(ctx)
	var reader sync.WaitGroup
	reader.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException {
				b.mu.Lock()
				b.said = append(b.said, m.Text+" "+m.URL)
				b.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() {
		end()
		stop()
		reader.Wait()
	})
	if _, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "America/Chicago"}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(server.URL + path))
	return b
}

// within bounds what one step of a test may take.
const within = time.Minute

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// js evaluates an expression to text.
func (b *browser) js(expression string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return out
}

// until waits for an expression to be true.
func (b *browser) until(expression string) {
	b.t.Helper()
	end := time.Now().Add(within)
	for b.js("!!("+expression+")") != "true" {
		if time.Now().After(end) {
			b.t.Fatalf("it does not come to hold: %s\nthe page says: %s", expression, b.js("document.body.innerText"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// query waits for a query with such a value to be asked.
func (b *browser) query(key string, want any) {
	b.t.Helper()
	end := time.Now().Add(within)
	for fmt.Sprint(b.api.last()[key]) != fmt.Sprint(want) {
		if time.Now().After(end) {
			b.t.Fatalf("no query has %s %v; the last is %v", key, want, b.api.last())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.said) > 0 {
		b.t.Errorf("errors on the console: %s", strings.Join(b.said, "\n"))
	}
}

// shot keeps a picture where PHAROS_SCREENSHOTS names a directory.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("PHAROS_SCREENSHOTS")
	if dir == "" {
		return
	}
	time.Sleep(300 * time.Millisecond) // until what moves has come to rest
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) dark(on bool) {
	value := "light"
	if on {
		value = "dark"
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}}); err != nil {
		b.t.Fatal(err)
	}
}

// inked counts the pixels of a formula's chart that a line's colour has.
func inked(formula, line string) string {
	return fmt.Sprintf(`(() => {
		const c = document.querySelector('[data-formula=%s] canvas');
		const probe = new OffscreenCanvas(1, 1).getContext('2d');
		probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('%s').trim();
		probe.fillRect(0, 0, 1, 1);
		const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
		const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
		let n = 0;
		for (let i = 0; i < d.length; i += 4) if (d[i] === r && d[i+1] === g && d[i+2] === b) n++;
		return n;
	})()`, formula, line)
}
