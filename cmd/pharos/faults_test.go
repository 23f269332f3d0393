package main_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// small is a config of one source, with rules.
const small = `data: data
sources:
  - {name: site, topic: beacons, format: json}
plugins:
  assets:
    rules:
      drop:
        - {reason: asset, when: 'path.endsWith(".css")'}
  points:
    rules:
      extract:
        - {point: order, when: 'type == "purchase"'}
dispatch:
  filters: [assets]
session: {gap: 30m}
tenants:
  shop: {extract: points, all_traffic: true}
keyspaces:
  shop:
    tenant: shop
    metrics:
      orders: {point: order, stat: hits}
      visitors: {point: visit, stat: sessions}
    formulas:
      conversion: {expr: orders / visitors}
      twice: {expr: conversion * 2}
`

// said checks what pharos said: its exit code, and each text somewhere.
func said(t *testing.T, errs string, code, wantCode int, want ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	for _, w := range want {
		if !strings.Contains(errs, w) {
			t.Errorf("not said: %s\nin:\n%s", w, errs)
		}
	}
}

// TestFiveFaultsAtOnce has a fault of each sort; all are said, with their places,
// by every command.
func TestFiveFaultsAtOnce(t *testing.T) {
	t.Parallel()
	config := writeConfig(t, small,
		replaced(t, "filters: [assets]", "filterz: [assets]\n  split: device"),
		replaced(t, "gap: 30m", "gap: 30 minutes"),
		replaced(t, `path.endsWith(".css")`, `path.endsWidth(".css")`),
		replaced(t, "orders / visitors", "orders / twice"))
	want := strings.ReplaceAll(`FILE:14:3: dispatch: unknown key "filterz", did you mean "filters"?
FILE:15:10: dispatch.split: there is no plugin "device"; known are assets, points
FILE:16:16: session.gap: "30 minutes" is no duration; write it as 30d, 1h30m, 10s or 500ms
FILE:8:39: plugins.assets.rules.drop.0.when: rules have no function endsWidth
FILE:26:35: keyspaces.shop.formulas.conversion.expr: formulas need each other in a cycle: conversion → twice → conversion`, "FILE", config)
	for _, args := range [][]string{
		{"check"}, {"up", "--listen", "127.0.0.1:0"}, {"run", "--listen", "127.0.0.1:0"}, {"replay", "--in", "none"}, {"send", "--in", "none"},
	} {
		_, errs, code := run(t, append(args, "-c", config)...)
		said(t, errs, code, 2, strings.Split(want, "\n")...)
		if n := strings.Count(errs, config); n != 5 {
			t.Errorf("%s says %d faults:\n%s", args[0], n, errs)
		}
	}
}

// TestModulesThatDoNotLoad loads faulty guests: the plugin and the cause are named.
func TestModulesThatDoNotLoad(t *testing.T) {
	t.Parallel()
	guests := t.TempDir()
	put := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(guests, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"abi2", "noplan", "signature", "imports", "initloop"} {
		put(name+".wasm", read(t, root+"/host/wasm/testdata/"+name+".wasm"))
	}
	filter := read(t, root+"/host/plugin/testdata/filter.wasm")
	put("filter.wasm", filter)
	put("failing.wasm", filter)
	put("failing.golden.ndjson", []byte(`{"beacons": [{"do": "yes"}, {}], "expect": ["no", null]}`+"\n"+`{"beacons": [{"do": "trap"}], "expect": [null]}`))
	none := "sha256:" + strings.Repeat("0", 64)
	for _, test := range []struct {
		module, more string
		want         []string
	}{
		{"abi2", "", []string{"speaks version 2 of the ABI, this host version 1: build it against that one"}},
		{"noplan", "", []string{"exports no function pharos_plan () -> (i64)"}},
		{"signature", "", []string{"exports pharos_process (i64) -> (i32), it must be (i32) -> (i32)"}},
		{"imports", "", []string{"imports the function env.now: only the functions of wasi_snapshot_preview1 are there", "plugins.mine: imports the function wasi_snapshot_preview1.sched_yeld"}},
		{"failing", "", []string{`golden vector, line 1: beacon 0: answered "yes", expected "no"`, "plugins.mine: golden vector, line 2: ", "trap"}},
		{"filter", ", digest: '" + none + "'", []string{"filter.wasm has the digest sha256:", "and the config wants " + none}},
		{"filter", ", config: {refuse: true}", []string{"refuses its config: I refuse"}},
		{"filter", ", config: {color: red}", []string{"config: ", "'color' not allowed"}},
		{"nowhere", "", []string{"nowhere.wasm: no such file or directory"}},
	} {
		config := writeConfig(t, small, replaced(t, "plugins:\n", fmt.Sprintf("plugins:\n  mine: {module: 'file://%s/%s.wasm'%s}\n", guests, test.module, test.more)))
		for _, args := range [][]string{{"check"}, {"replay", "--in", os.DevNull}} {
			_, errs, code := run(t, append(args, "-c", config)...)
			said(t, errs, code, 2, append(test.want, config+":5:9: plugins.mine: ")...)
		}
	}
	// with another fault beside it, both are said
	config := writeConfig(t, small, replaced(t, "plugins:\n", "plugins:\n  mine: {module: 'file://"+guests+"/abi2.wasm'}\n"), replaced(t, "30m", "soon"))
	_, errs, code := run(t, "check", "-c", config)
	said(t, errs, code, 2, "plugins.mine: speaks version 2", `session.gap: "soon" is no duration`)

	_, errs, code = run(t, "plugin", "inspect", guests+"/abi2.wasm")
	said(t, errs, code, 1, "abi2.wasm would not load: see each PROBLEM above")
}

// TestWrongUsage asks for what cannot be.
func TestWrongUsage(t *testing.T) {
	t.Parallel()
	config := writeConfig(t, small)
	input := write(t, "in", []byte(`{"ts":1,"tenant":"shop","sid":"a"}`+"\n"))
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"replay -c CONFIG --in IN --now yesterday", 2, `--now "yesterday" is no time of RFC 3339: write it like 2026-01-31T12:00:00Z`},
		{"replay -c CONFIG", 2, "--in is missing: name the files of beacons"},
		{"replay --in IN", 2, "-c is missing: name the config file, or try 'pharos up --demo'"},
		{"replay -c CONFIG --in /no/such/file", 2, "/no/such/file: no such file or directory"},
		{"replay -c CONFIG --in site=/no/such/file", 2, "/no/such/file: no such file or directory"},
		{"replay -c CONFIG --in other=IN", 2, `--in: the config has no source "other", only [site]`},
		{"replay -c /no/such/config --in IN", 2, "/no/such/config: no such file or directory"},
		{"send -c CONFIG", 2, "--in is missing"},
		{"send -c CONFIG --in IN --rate -1", 2, "--rate -1: it must not be negative"},
		{"send -c CONFIG --in IN", 1, "the config has no kafka, and no pharos up runs on the data directory"},
		{"send -c CONFIG --in IN", 1, "start one with 'pharos up -c', or set kafka.brokers"},
		{"run -c CONFIG --roles sessions", 2, "sessions"},
		{"run -c CONFIG --roles session --listen 127.0.0.1:0", 1, "no pharos up runs on the data directory"},
		{"up -c CONFIG --listen 0.0.0.0:0", 2, "can be reached from other machines"},
		{"up -c CONFIG --demo", 2, "--demo brings its own config: leave out -c"},
		{"up -c CONFIG --listen 127.0.0.1:0 --accept-loss pharos.all", 2, `--accept-loss "pharos.all": write TOPIC/PARTITION, as the message says that asks for it`},
		{"repartition web -c CONFIG", 2, "See 'pharos repartition --help'"},
		{"repartition web two -c CONFIG", 2, `"two" is no number of partitions`},
		{"repartition web 0 -c CONFIG", 2, "0 partitions: a route has 1 to 10000"},
		{"repartition web 2 -c CONFIG", 1, "no pharos up runs on the data directory"},
		{"up --listne 127.0.0.1:0", 2, "unknown flag: --listne"},
		{"reload --addr http://127.0.0.1:1", 1, "(is a host running? Name its address with --addr, or its config with -c)"},
		{"plugin test x", 2, "x: no such file or directory"},
		{"rules tset x", 2, `pharos rules has no command "tset"`},
		{"rules test /no/such/file", 2, "/no/such/file: no such file or directory"},
		{"rules test CONFIG --plugin bots", 2, "no plugin bots has rules; those that have are assets, points"},
		{"rules build CONFIG --plugin points", 2, "-o is missing: name the file of the module"},
		{"rules build CONFIG -o x.wasm", 2, "has several plugins with rules: name one with --plugin: assets, points"},
		{"plugin sign x.wasm", 2, "--key is missing: name the file of the key"},
		{"plugin push x.wasm https://example.org/x", 2, "is no address in a registry: it is oci://REGISTRY/NAME:TAG"},
		{"plugin pull http://example.org/x.wasm", 2, "plain HTTP is for this machine only: take https://"},
		{"ups", 2, `pharos has no command "ups", did you mean "up"?`},
		{"check -c CONFIG more", 2, "See 'pharos check --help'"},
		{"generate --beacons -1", 2, "--beacons -1: it must not be negative"},
		{"status --addr http://127.0.0.1:1", 1, "(is a host running? Name its address with --addr, or its config with -c)"},
		{"plugin inspect /no/such/file", 2, "/no/such/file: no such file or directory"},
	} {
		args := strings.Fields(strings.NewReplacer("CONFIG", config, "IN", input).Replace(test.args))
		_, errs, code := run(t, args...)
		t.Run(test.args, func(t *testing.T) { said(t, errs, code, test.code, test.want) })
	}
}

// TestTwoUpsInEachOthersWay starts a second up where one runs.
func TestTwoUpsInEachOthersWay(t *testing.T) {
	t.Parallel()
	config := writeConfig(t, small)
	h := up(t, "-c", config)
	_, errs, code := run(t, "up", "-c", config, "--listen", "127.0.0.1:0")
	said(t, errs, code, 1, "data directory "+filepath.Join(filepath.Dir(config), "data/broker")+" is in use by process "+fmt.Sprint(h.cmd.Process.Pid)+": stop it, or set another data directory")

	listen := strings.Trim(strings.TrimPrefix(h.url, "http://"), "/")
	other := writeConfig(t, small)
	_, errs, code = run(t, "up", "-c", other, "--listen", listen)
	said(t, errs, code, 1, "http.listen: ", listen, "address already in use", "another host may run there: set http.listen, or give --listen")

	// A running host is found by its config, too.
	where := writeConfig(t, small, replaced(t, "data: data\n", "data: data\nhttp: {listen: '"+listen+"'}\n"))
	if out := mustRun(t, "plugin", "ls", "-c", where); !strings.Contains(out, "assets") {
		t.Errorf("plugin ls -c:\n%s", out)
	}
	if out := mustRun(t, "status", "-c", where); !strings.Contains(out, "pharos.") {
		t.Errorf("status -c:\n%s", out)
	}

	// The broker's port, if it is taken, is only a wish.
	h.terminate(t)
	if l, err := net.Listen("tcp", h.broker); err == nil {
		defer l.Close()
	} else if !errors.Is(err, syscall.EADDRINUSE) { // another test may have taken it already
		t.Fatal(err)
	}
	_, errs, code = run(t, "send", "-c", config, "--in", os.DevNull)
	said(t, errs, code, 1, "no pharos up runs on the data directory")
	again := up(t, "-c", config)
	if again.broker == h.broker {
		t.Errorf("the broker listens on %s, which is taken", h.broker)
	}
	if out := mustRun(t, "send", "-c", config, "--in", os.DevNull); out != "sent 0 beacons\n" {
		t.Errorf("send: %s", out)
	}
	again.terminate(t)
}

// TestChangedConfig changes a config between two runs on one data directory: what
// may change becomes a generation, what may not is said.
func TestChangedConfig(t *testing.T) {
	t.Parallel()
	config := writeConfig(t, small)
	up(t, "-c", config).terminate(t)

	rewrite(t, config, small, replaced(t, "orders / visitors", "visitors / orders"))
	h := up(t, "-c", config)
	h.ready(t)
	s, err := h.status()
	if err != nil || s.Generation != 2 || s.GenerationWanted != 2 || len(s.Faults) > 0 {
		t.Errorf("after a change of a formula: generation %d, %v, %v", s.Generation, s.Faults, err)
	}
	if body, err := h.getOK("api/v1/keyspaces"); err != nil || !strings.Contains(string(body), "visitors / orders") {
		t.Errorf("the new formula is not in force: %v %s", err, body)
	}
	h.terminate(t)

	for _, test := range []struct {
		change edit
		what   string
	}{
		{replaced(t, "gap: 30m", "gap: 31m"), ":15:16: session.gap: it is 30m in the running generation, and can not be 31m as long as the group lives: put it back, or begin anew"},
		{replaced(t, "topic: beacons", "topic: others"), ":3:3: sources: the source site is missing: sessions still hold beacons of its topic beacons, keep it"},
	} {
		rewrite(t, config, small, test.change)
		_, errs, code := run(t, "up", "-c", config, "--listen", "127.0.0.1:0")
		said(t, errs, code, 2, config+test.what)
	}

	rewrite(t, config, small) // put back
	again := up(t, "-c", config)
	if s, err := again.status(); err != nil || s.Generation != 3 {
		t.Errorf("put back: generation %d, %v", s.Generation, err)
	}
	again.terminate(t)
}
