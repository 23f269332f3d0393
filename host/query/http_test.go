package query

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/seed-6a2d649b/pharos/host/metric"
)

const openAPIURL = "http://pharos/api/v1/openapi.json"

// schemas compiles a part of the OpenAPI document.
func schemas(t *testing.T) (doc map[string]any, compile func(pointer string) *jsonschema.Schema) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(openAPIURL, value); err != nil {
		t.Fatal(err)
	}
	return value.(map[string]any), func(pointer string) *jsonschema.Schema {
		t.Helper()
		s, err := c.Compile(openAPIURL + "#" + pointer)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func testAPI(t *testing.T, store *fakeStore, live *Live) *API {
	t.Helper()
	a := NewAPI(Options{Live: live, Timeout: 50 * time.Millisecond, Status: func(context.Context) Status {
		return Status{Host: "h", Roles: []RoleStatus{{Name: "session", State: "running"}}, Plugins: []PluginStatus{{Name: "bots", Kind: "filter", State: PluginLive, Life: []Event{{Step: "fetch", At: new(int64), TookMS: 0.25, Detail: "x.wasm"}}}}, PastPlugins: []PluginStatus{{Name: "bots", State: "closed"}}, Stores: []StoreStatus{{Name: "local"}}}
	}})
	a.Use(mustCompile(t, testKeyspace(store)))
	return a
}

func send(t *testing.T, h http.Handler, method, path, body string) (int, http.Header, []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Header(), w.Body.Bytes()
}

func validate(t *testing.T, s *jsonschema.Schema, body []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %v", body, err)
	}
}

func TestOpenAPIHasEveryRouteAndNoOther(t *testing.T) {
	doc, _ := schemas(t)
	told := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		if strings.HasPrefix(path, "/-/") {
			continue // it is not of this package
		}
		for method := range item.(map[string]any) {
			told[strings.ToUpper(method)+" "+path] = true
		}
	}
	a := testAPI(t, demoStore(t), readyLive(105))
	for _, r := range a.routes() {
		if !told[r.method+" "+r.pattern] {
			t.Errorf("%s %s is served and not told", r.method, r.pattern)
		}
		delete(told, r.method+" "+r.pattern)
	}
	if len(told) > 0 {
		t.Errorf("told and not served: %v", told)
	}
}

// Everything that the document shows as an example is of its own form, and
// every answer of a running API is too.
func TestAnswersAreOfTheDocumentedForm(t *testing.T) {
	doc, compile := schemas(t)
	var examples func(pointer string, v any)
	n := 0
	examples = func(pointer string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		if example, ok := m["example"]; ok {
			n++
			if err := compile(pointer + "/schema").Validate(example); err != nil {
				t.Errorf("example at %s: %v", pointer, err)
			}
		}
		for k, inner := range m {
			if k != "schemas" && k != "schema" && k != "example" {
				escaped := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(k)
				examples(pointer+"/"+escaped, inner)
			}
		}
	}
	examples("", doc)
	if n < 8 {
		t.Errorf("only %d examples were found", n)
	}
	live := readyLive(105)
	live.Observe(0, 0, time.Unix(1, 0), &metric.Frame{Deltas: []metric.Delta{{Series: series("blue", "visit"), Minute: 107, Figure: metric.Figure{Sessions: 1}}},
		Counts: []metric.Count{{Tenant: "shop", Outcome: metric.In, N: 2}, {Tenant: "shop", Outcome: metric.DeadLettered, Reason: "no session", N: 2}, {Outcome: metric.Undecodable, Reason: "not JSON", N: 1}}})
	h := testAPI(t, demoStore(t), live).Handler()
	for _, c := range []struct{ method, path, body, schema string }{
		{"GET", "/api/v1/keyspaces", "", "KeyspaceList"},
		{"GET", "/api/v1/status", "", "Status"},
		{"POST", "/api/v1/shop/query", `{"formulas":["conversion","aov"],"experiment":"exp"}`, "QueryAnswer"},
		{"POST", "/api/v1/shop/query", `{"formulas":["conversion"],"experiment":"exp","from":"1970-01-01T00:00:00Z","to":7200000,"step":"1h","by":["variant","platform"],"status":"qualified","params":{}}`, "QueryAnswer"},
		{"POST", "/api/v1/shop/query", `{"formulas":["conversion"],"experiment":"exp","from":"-5m","step":"1m"}`, "QueryAnswer"},
		{"POST", "/api/v1/shop/query", `{"formulas":["conversion"],"experiment":"other"}`, "QueryAnswer"},
	} {
		code, header, body := send(t, h, c.method, c.path, c.body)
		if code != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, body)
			continue
		}
		validate(t, compile("/components/schemas/"+c.schema), body)
		if c.body != "" {
			validate(t, compile("/components/schemas/QueryRequest"), []byte(c.body))
		}
	}
	if code, _, body := send(t, h, "GET", "/api/v1/openapi.json", ""); code != http.StatusOK || !bytes.Equal(body, openAPI) {
		t.Errorf("the document itself: %d", code)
	}
	empty := NewAPI(Options{Live: newTestLive(1, &clockAt{})}).Handler()
	_, _, body := send(t, empty, "GET", "/api/v1/status", "")
	validate(t, compile("/components/schemas/Status"), body)
	_, _, body = send(t, empty, "GET", "/api/v1/keyspaces", "")
	validate(t, compile("/components/schemas/KeyspaceList"), body)
}

func TestErrorsSayWhatToDo(t *testing.T) {
	_, compile := schemas(t)
	form := compile("/components/schemas/Error")
	h := testAPI(t, demoStore(t), readyLive(105)).Handler()
	const q = "/api/v1/shop/query"
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"POST", q, ``, 400, "no JSON object"},
		{"POST", q, `[]`, 400, "no JSON object"},
		{"POST", q, `{"formulas":["aov"]`, 400, "cannot be read"},
		{"POST", q, `{"formulas":["aov"]} {}`, 400, "something follows"},
		{"POST", q, `{"formulas":["aov"],"form":1}`, 400, `there is no key \"form\"`},
		{"POST", q, `{"formulas":"aov"}`, 400, "formulas cannot be a JSON string"},
		{"POST", q, `{"formulas":[]}`, 400, "formulas has 0 names"},
		{"POST", q, `{"formulas":["nope"]}`, 400, "keyspace shop has conversion, aov"},
		{"POST", q, `{"formulas":["aov","aov"]}`, 400, "asked for twice"},
		{"POST", q, `{"formulas":["aov"]}`, 400, "take one of exp, other"},
		{"POST", q, `{"formulas":["aov"],"experiment":"nope"}`, 400, "keyspace shop has exp, other"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","by":["city"]}`, 400, "take variant, platform, dc"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","by":["dc","dc"]}`, 400, "by has"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","status":"maybe"}`, 400, "take assigned or qualified"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","params":{"fee":1}}`, 400, "no formula asked for has a parameter"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","from":"yesterday"}`, 400, "is no time"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","from":1.5}`, 400, "is no time"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","from":-1}`, 400, "outside the years"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","from":"-90x"}`, 400, "is no duration"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","to":"-5m"}`, 400, "to is a duration"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","from":600000,"to":60000}`, 400, "the range is empty"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","step":"90m"}`, 400, "cuts through hours"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","step":5}`, 400, "is no step"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","points":5000}`, 400, "take 1 to 2000"},
		{"POST", q, `{"formulas":["aov"],"experiment":"exp","from":0,"to":"2026-01-01T00:00:00Z","step":"1m"}`, 400, "take a step of 28d or more"},
		{"POST", q, `{"formulas":["` + strings.Repeat("x", maxBody) + `"]}`, 413, "larger than 65536 bytes"},
		{"POST", "/api/v1/nope/query", `{}`, 404, "the config has shop"},
		{"GET", q, ``, 405, "use POST"},
		{"POST", "/api/v1/keyspaces", ``, 405, "use GET"},
		{"GET", "/api/v2/x", ``, 404, "there is nothing at"},
		{"GET", "/api/v1/plugins/bts/diff", ``, 404, "there is no plugin \\\"bts\\\""},
	} {
		code, header, body := send(t, h, c.method, c.path, c.body)
		if code != c.code || !strings.Contains(string(body), c.want) {
			t.Errorf("%s %s %.80s: %d %s; want %d %s", c.method, c.path, c.body, code, body, c.code, c.want)
		}
		validate(t, form, body)
		if code == 405 && header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", c.path)
		}
	}
}

func TestFaultsOfTheStore(t *testing.T) {
	_, compile := schemas(t)
	for _, c := range []struct {
		store *fakeStore
		live  *Live
		code  int
		want  string
	}{
		{&fakeStore{err: errors.New("connection refused")}, readyLive(105), 502, "reading the store: connection refused"},
		{&fakeStore{wait: true}, readyLive(105), 504, "did not answer in time"},
		{&fakeStore{}, newTestLive(1, &clockAt{}), 503, "try again in a moment"},
	} {
		code, header, body := send(t, testAPI(t, c.store, c.live).Handler(), "POST", "/api/v1/shop/query", `{"formulas":["aov"],"experiment":"exp"}`)
		if code != c.code || !strings.Contains(string(body), c.want) {
			t.Errorf("%d %s, want %d %s", code, body, c.code, c.want)
		}
		if code == 503 && header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		validate(t, compile("/components/schemas/Error"), body)
	}
}

// An answer is bounded as a whole, not only in each direction, and is not computed
// for a client that is gone.
func TestAnswersAreBounded(t *testing.T) {
	store := &fakeStore{}
	for i := range 400 {
		dc := metric.Label{Name: "dc", Value: strconv.Itoa(i)}
		store.write(t, metric.Sample{Series: series("blue", "visit", dc), Minute: 100, Sessions: 1})
	}
	h := testAPI(t, store, readyLive(105)).Handler()
	ask := func(to string) (int, string) {
		code, _, body := send(t, h, "POST", "/api/v1/shop/query", `{"formulas":["conversion","aov"],"experiment":"exp","by":["dc"],"step":"1m","from":0,"to":`+to+`}`)
		return code, string(body)
	}
	if code, body := ask("6000000"); code != 200 {
		t.Errorf("%d %.200s", code, body)
	}
	h = testAPI(t, store, readyLive(2000)).Handler()
	if code, body := ask("120000000"); code != 400 || !strings.Contains(body, "400 series of 2000 points for 2 formulas") || !strings.Contains(body, "split by fewer dimensions") {
		t.Errorf("%d %.200s", code, body)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g := newGather(&question{space: &space{}, experiment: &Experiment{}}, []int64{0, 1})
	var refused *Error
	if _, err := g.answer(ctx, []int64{0, 1}, Step{1}, look{}); !errors.As(err, &refused) || refused.Status != http.StatusGatewayTimeout {
		t.Error(err)
	}
}

// Exports hold all that they give in memory: only so many are under way.
func TestExportsWaitForEachOther(t *testing.T) {
	a := testAPI(t, demoStore(t), readyLive(105))
	_, compile := schemas(t)
	for range maxExports {
		a.exports <- struct{}{}
	}
	code, header, body := send(t, a.Handler(), "GET", "/api/v1/shop/figures", "")
	if code != 503 || header.Get("Retry-After") == "" || !strings.Contains(string(body), "4 exports of figures are under way") {
		t.Errorf("%d %s", code, body)
	}
	validate(t, compile("/components/schemas/Error"), body)
	<-a.exports
	for range 2 {
		if code, _, body := send(t, a.Handler(), "GET", "/api/v1/shop/figures", ""); code != 200 || bytes.Count(body, []byte("\n")) != 24 {
			t.Errorf("%d %s", code, body)
		}
	}
	b := testAPI(t, &fakeStore{wait: true}, readyLive(105))
	if code, _, body := send(t, b.Handler(), "GET", "/api/v1/shop/figures", ""); code != 504 || len(b.exports) != 0 {
		t.Errorf("%d %s", code, body)
	}
}

// TestPluginStates: a plugin fails while its last failure is no minute old.
func TestPluginStates(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for after, want := range map[time.Duration]string{0: PluginFailing, 59 * time.Second: PluginFailing, time.Minute: PluginLive} {
		s := PluginStatus{State: PluginLive}
		if s.Failed(at, "trap: pharos_process: unreachable", at.Add(after)); s.State != want || s.Error == "" {
			t.Errorf("after %v %+v", after, s)
		}
	}
}

// A request under way ends with the keyspaces that it began with.
func TestKeyspacesAreSwapped(t *testing.T) {
	a := testAPI(t, demoStore(t), readyLive(105))
	s := httptest.NewServer(a.Handler())
	defer s.Close()
	k := testKeyspace(demoStore(t))
	k.Name = "other"
	a.Use(mustCompile(t, k))
	res, err := http.Get(s.URL + "/api/v1/keyspaces")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	var l KeyspaceList
	if err := errors.Join(err, json.Unmarshal(body, &l)); err != nil || len(l.Keyspaces) != 1 || l.Keyspaces[0].Name != "other" {
		t.Errorf("%s, %v", body, err)
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{`{"formulas":["aov"],"from":"-5m"}`, `{"from":1,"to":"2026-01-08T00:00:00Z","step":"1h","by":[],"params":{"fee":1e9}}`, `{"from":null,"step":null}`, `{"from":253402300800000,"formulas":["aov"]}`} {
		f.Add(s)
	}
	keys, live := mustCompile(f, testKeyspace(&fakeStore{})), readyLive(1000)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := parseRequest(strings.NewReader(body))
		if err == nil {
			_, err = keys.byName["shop"].answer(context.Background(), live, r, 1000)
		}
		var refused *Error
		if err != nil && (!errors.As(err, &refused) || refused.Hint == "") {
			t.Fatalf("%q: %v", body, err)
		}
	})
}
