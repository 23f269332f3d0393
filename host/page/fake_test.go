package page

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
	"sync"
	"time"
)

// fakeAPI answers as the API does, of a shop whose figures move with its
// clock: complete through 10 minutes ago, the rest open.
type fakeAPI struct {
	mu       sync.Mutex
	shift    time.Duration // of the clock
	empty    bool          // no figure yet
	bare     bool          // no keyspace
	failing  bool          // the store does not answer
	requests []map[string]any
}

func (f *fakeAPI) set(change func(*fakeAPI)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// last returns the last query.
func (f *fakeAPI) last() map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.requests) == 0 {
		return nil
	}
	return f.requests[len(f.requests)-1]
}

func (f *fakeAPI) now() time.Time { return time.Now().Add(f.shift) }

const minuteMs = 60_000

type object = map[string]any

var fakeFormulas = []object{
	{"name": "conversion", "title": "Conversion", "expr": "orders / visitors", "format": "percent", "better": "up", "description": "Sessions with an order, of all", "params": object{}, "metrics": []string{"orders", "visitors"}},
	{"name": "aov", "title": "Average order value", "expr": "revenue / orders", "format": "currency", "currency": "USD", "better": "up", "params": object{}, "metrics": []string{"revenue", "orders"}},
	{"name": "revenue", "title": "Revenue", "expr": "order_sum", "format": "currency", "currency": "USD", "better": "up", "params": object{}, "metrics": []string{"order_sum"}},
	{"name": "visitors", "title": "Visitors", "expr": "visits", "format": "number", "params": object{}, "metrics": []string{"visits"}},
	{"name": "errors", "title": "Errors per visitor", "expr": "errors_hit / visits", "format": "number", "better": "down", "params": object{}, "metrics": []string{"errors_hit", "visits"}},
	{"name": "length", "title": "Session length", "expr": "seconds / visits", "format": "duration", "better": "up", "params": object{}, "metrics": []string{"seconds", "visits"}},
}

var fakeExperiments = []object{
	{"id": "checkout-button", "variants": []string{"control", "blue", "large"}},
	{"id": "aa-test", "variants": []string{"a", "b"}},
	{"id": "_all", "variants": []string{"_all"}},
}

// figures of one minute: visitors, orders, revenue, errors, seconds.
func figures(variant string, m int64) [5]float64 {
	noise := func(salt string) float64 {
		h := fnv.New64a()
		h.Write([]byte(variant + salt))
		h.Write([]byte{byte(m), byte(m >> 8), byte(m >> 16), byte(m >> 24)})
		return float64(h.Sum64()%2001)/1000 - 1
	}
	lift := map[string]float64{"blue": 0.09, "large": -0.04}[variant]
	day := 1 + 0.45*math.Sin(2*math.Pi*float64(m%1440)/1440-1.8)
	visits := math.Round(180*day + 14*noise("v"))
	orders := math.Round(visits * (0.071*(1+lift) + 0.006*noise("o")))
	return [5]float64{visits, orders, orders * (64 + 7*noise("r") + 40*lift), math.Round(visits * (0.02 - 0.05*lift + 0.008*noise("e"))), visits * (212 + 25*noise("s") - 150*lift)}
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var answer any
	status := http.StatusOK
	switch {
	case r.URL.Path == "/api/v1/keyspaces":
		answer = f.keyspaces()
	case r.URL.Path == "/api/v1/status":
		answer = f.status()
	case f.failing:
		status, answer = http.StatusBadGateway, object{"error": "keyspace shop: reading the store: connection refused", "hint": "see the store's state in /api/v1/status and this host's log"}
	default:
		var q map[string]any
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		f.requests = append(f.requests, q)
		answer = f.query(q)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

func (f *fakeAPI) keyspaces() object {
	if f.bare {
		return object{"complete_through": nil, "keyspaces": []object{}}
	}
	return object{"complete_through": nil, "keyspaces": []object{
		{"name": "shop", "tenant": "shop", "timezone": "America/Chicago", "newest": nil, "dimensions": []string{"platform"}, "experiments": fakeExperiments, "formulas": fakeFormulas},
		{"name": "web", "tenant": "web", "timezone": "UTC", "newest": nil, "dimensions": []string{}, "experiments": []object{}, "formulas": []object{}},
	}}
}

func (f *fakeAPI) query(q map[string]any) object {
	newest := f.now().UnixMilli() / minuteMs
	complete := newest - 11
	out := object{"keyspace": "shop", "experiment": q["experiment"], "status": q["status"], "timezone": "America/Chicago", "step": "1m",
		"complete_through": complete * minuteMs, "newest": newest * minuteMs, "from": nil, "to": nil, "series": []object{}}
	if f.empty {
		out["complete_through"], out["newest"] = nil, nil
		return out
	}
	from, to := newest-30*1440, newest+1
	switch v := q["from"].(type) {
	case string:
		back, err := time.ParseDuration(map[string]string{"-24h": "24h", "-7d": "168h"}[v])
		if err != nil {
			back, err = time.ParseDuration(v[1:])
		}
		if err != nil {
			panic(err)
		}
		from = to - int64(back/time.Minute)
	case float64:
		from, to = int64(v)/minuteMs, int64(q["to"].(float64))/minuteMs
	}
	step := int64(1)
	for _, s := range []int64{1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440} {
		if step = s; (to-from)/s <= int64(q["points"].(float64)) {
			break
		}
	}
	from -= from % step
	to += (step - to%step) % step
	out["from"], out["to"] = from*minuteMs, to*minuteMs
	var variants []string
	for _, e := range fakeExperiments {
		if e["id"] == q["experiment"] {
			variants = e["variants"].([]string)
		}
	}
	var series []object
	for _, formula := range fakeFormulas {
		for _, v := range variants {
			series = append(series, f.series(formula, v, q["status"] == "qualified", from, to, step, complete, newest))
		}
	}
	out["series"] = series
	return out
}

func (f *fakeAPI) series(formula object, variant string, qualified bool, from, to, step, complete, newest int64) object {
	var all [5]float64
	var points [][2]any
	var provisional any
	for at := from; at < to && at <= newest; at += step {
		var sum [5]float64
		for m := at; m < at+step && m <= newest; m++ {
			share := 1.0
			if m == newest {
				share = float64(f.now().UnixMilli()%minuteMs) / minuteMs
			}
			for i, v := range figures(variant, m) {
				sum[i] += math.Round(v * share)
			}
		}
		if qualified {
			sum[0] = math.Round(sum[0] * 0.6)
		}
		if provisional == nil && at+step > complete+1 {
			provisional = at * minuteMs
		}
		for i, v := range sum {
			all[i] += v
		}
		points = append(points, [2]any{at * minuteMs, compute(formula, sum)})
	}
	return object{"formula": formula["name"], "labels": object{"variant": variant}, "points": points, "total": compute(formula, all), "provisional_from": provisional, "meta": formula}
}

func compute(formula object, v [5]float64) any {
	over := func(a, b float64) any {
		if b == 0 {
			return nil
		}
		return a / b
	}
	switch formula["name"] {
	case "conversion":
		return over(v[1], v[0])
	case "aov":
		return over(v[2], v[1])
	case "revenue":
		return v[2]
	case "visitors":
		return v[0]
	case "errors":
		return over(v[3], v[0])
	}
	return over(v[4], v[0])
}

func (f *fakeAPI) status() object {
	now := f.now().UnixMilli()
	offset, began := now/10, now/86_400_000*86_400_000
	part := func(topic string, p int, offset, lag int64) object {
		return object{"topic": topic, "partition": p, "offset": offset, "lag": lag, "watermark": now - 4000}
	}
	return object{
		"host": "shop-a1", "version": "0.1.0", "started": now - 86_400_000*3, "generation": 7, "faults": []string{"plugin heatmap: its golden vectors fail: generation 8 was not taken, 7 goes on",
			"shop.yaml:3:18: plugins.noise.rules.drop.0.when: rules have no function endsWidth\n    path.endsWidth(\".css\")\n         ^"},
		"roles": []object{
			{"name": "dispatch", "state": "running", "partitions": []object{part("beacons", 0, offset, 12), part("beacons", 1, offset-31, 0)}},
			{"name": "session", "state": "running", "partitions": []object{part("pharos.web", 0, offset-400, 3), part("pharos.mobile", 0, offset-900, 0)}},
			{"name": "ship", "state": "running", "detail": "local", "partitions": []object{{"topic": "pharos.metrics", "partition": 0, "offset": offset / 3, "lag": 41, "watermark": nil}}},
			{"name": "query", "state": "running", "partitions": []object{}},
		},
		"plugins": []object{
			{"name": "bots", "kind": "filter", "version": "1.0.0", "digest": "sha256:76d5f5af987bee0fa7212ab9879e67bd4afc5b58f09d6b19aed4841a3724402f", "state": "live", "since": began, "rows": 1200345, "fuel": 494542140, "traps": 0, "life": life(began, "live", "generation 7")},
			{"name": "device", "kind": "split", "version": "rules-1a2b3c4d5e6f", "state": "live", "since": began, "rows": 1100345, "fuel": 61619320, "traps": 0, "life": []object{{"step": "build", "at": began - 8, "took_ms": 1.2}, {"step": "compile", "at": began - 6, "took_ms": 4.9}, {"step": "live", "at": began, "took_ms": 0, "detail": "generation 7"}}},
			{"name": "heatmap", "kind": "extract", "version": "1.3.1", "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "state": "failing", "since": began, "rows": 1100345, "fuel": 1320414000, "traps": 2, "error": "trap in row 17: unreachable", "life": life(began, "live", "generation 7")},
		},
		"past_plugins": []object{
			{"name": "heatmap", "kind": "extract", "version": "1.4.0", "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "state": "refused", "since": began, "rows": 0, "fuel": 0, "traps": 0, "life": life(began, "refused", "golden vectors: golden vector, line 3: beacon 2: answered nothing, expected 1 measurement")},
			{"name": "heatmap", "kind": "extract", "version": "1.3.0", "digest": "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "state": "draining", "since": began, "rows": 91004345, "fuel": 109205214000, "traps": 0, "life": life(began, "draining", "generation 7 has version 1.3.1")},
		},
		"stores":           []object{{"name": "local", "type": "embedded", "shipped_through": now - 12*minuteMs}},
		"complete_through": (now/minuteMs - 11) * minuteMs, "live_figures": 5321, "live_ready": true, "beacons_since": now - 86_400_000*3,
		"beacons": object{
			"shop": object{"in": 1000345, "counted": 900045, "filtered": object{"asset": 80123, "bot": 20000}, "duplicate": 120, "late": 4, "dead_lettered": object{"no session": 53}},
			"web":  object{"in": 2001, "counted": 1990, "filtered": object{}, "duplicate": 0, "late": 0, "dead_lettered": object{"future": 1}},
		},
		"undecodable": object{"not JSON": 12}, "bad_value": object{"shop": 4},
	}
}

// life is what a version of a plugin has gone through.
func life(at int64, state, detail string) []object {
	return []object{
		{"step": "fetch", "at": at - 300, "took_ms": 41.7, "detail": "oci://registry.example/shop/heatmap:1.3.1"}, {"step": "digest", "at": at - 258, "took_ms": 0.1},
		{"step": "signature", "at": at - 257, "took_ms": 0.3, "detail": "by shop (ID 141CCA2F1BA3DBE7): heatmap 1.3.1"}, {"step": "metering", "at": at - 256, "took_ms": 3.1},
		{"step": "compile", "at": at - 253, "took_ms": 204.5}, {"step": "ABI check", "at": at - 48, "took_ms": 2.2}, {"step": "configure", "at": at - 46, "took_ms": 1.4}, {"step": "golden vectors", "at": at - 44, "took_ms": 12.8, "detail": "4 hold"},
		{"step": state, "at": at, "took_ms": 0, "detail": detail},
	}
}
