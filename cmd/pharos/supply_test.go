package main_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/seed-6a2d649b/pharos/host/fetch"
)

// testRegistry is a registry in this process; nobody is logged in.
func testRegistry(t *testing.T) (address string) {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	return "oci+http://" + strings.TrimPrefix(s.URL, "http://")
}

// shippedModule is a copy of a shipped module, with its golden vectors.
func shippedModule(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "bots.wasm")
	for from, to := range map[string]string{"bots.wasm": file, "bots.golden.ndjson": strings.TrimSuffix(file, ".wasm") + ".golden.ndjson"} {
		if err := os.WriteFile(to, read(t, filepath.Join(root, "plugins", "bots", from)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// TestShipAModule goes the way of a module from its author to those who run it.
func TestShipAModule(t *testing.T) {
	at, module, dir := testRegistry(t), shippedModule(t), t.TempDir()
	key := filepath.Join(dir, "shop")
	out := mustRun(t, "plugin", "keygen", key, "--no-password")
	_, line, _ := strings.Cut(out, "keys:\n  shop: ")
	line = strings.TrimSpace(line)
	if info, err := os.Stat(key + ".key"); err != nil || info.Mode().Perm() != 0o600 || len(line) != 56 {
		t.Fatalf("%v %q", err, out)
	}
	_, errs, code := run(t, "plugin", "keygen", key, "--no-password")
	said(t, errs, code, 2, "a key is never written over")
	_, errs, code = run(t, "plugin", "verify", "--key", key+".pub", module)
	said(t, errs, code, 1, "there is no signature, and one by shop (ID ")

	if out := mustRun(t, "plugin", "sign", "--key", key+".key", module); !strings.Contains(out, "bots.wasm.minisig: bots 1.0.0 sha256:") {
		t.Error(out)
	}
	if out := mustRun(t, "plugin", "verify", "--key", key+".pub", module); !strings.Contains(out, "is signed by shop (ID ") {
		t.Error(out)
	}
	address := at + "/shop/bots:1.0.0"
	out = mustRun(t, "plugin", "push", module, address)
	_, snippet, _ := strings.Cut(out, "for a config:\n")
	if !strings.Contains(out, "with golden vectors and a signature") {
		t.Error(out)
	}

	pulled := filepath.Join(dir, "pulled.wasm")
	out = mustRun(t, "plugin", "pull", address, "-o", pulled)
	for _, want := range []string{"wrote " + pulled + "\n", "pulled.golden.ndjson\n", "pulled.wasm.minisig\nsha256:"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q says nothing of %q", out, want)
		}
	}
	if string(read(t, pulled)) != string(read(t, module)) {
		t.Error("what is pulled is not what was pushed")
	}
	mustRun(t, "plugin", "verify", "--key", key+".pub", address)
	mustRun(t, "plugin", "pull", address, "-o", pulled) // it is there, the same
	if err := os.WriteFile(pulled, []byte("of mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code = run(t, "plugin", "pull", address, "-o", pulled)
	said(t, errs, code, 2, "pulled.wasm is there already, and is another one: write elsewhere with -o, or over it with --force")
	mustRun(t, "plugin", "pull", address, "-o", pulled, "--force")
	if string(read(t, pulled)) != string(read(t, module)) {
		t.Error("what was there is not written over")
	}

	// The lines that were printed go into a config; another's key there refuses the module.
	other := strings.TrimSpace(string(read(t, root+"/host/signature/testdata/m.pub")))
	other = other[strings.LastIndex(other, "\n")+1:]
	config := func(key string) string {
		return writeConfig(t, small, replaced(t, "plugins:\n", "keys: {shop: "+key+"}\nplugins:\n  bots:\n    "+strings.ReplaceAll(strings.TrimSpace(snippet), "\n", "\n    ")+"\n    key: shop\n"))
	}
	if out := mustRun(t, "check", "-c", config(line)); !strings.Contains(out, "The module of bots must be signed by shop.") {
		t.Error(out)
	}
	refused := config(other)
	_, errs, code = run(t, "check", "-c", refused)
	said(t, errs, code, 2, refused+":7:5: plugins.bots: "+address+": the signature is by a key with the ID ", "and one by shop (ID 141CCA2F1BA3DBE7) is wanted")
}

// TestPasswordsOfKeys signs with an encrypted key of minisign's tool.
func TestPasswordsOfKeys(t *testing.T) {
	module, key := shippedModule(t), root+"/host/signature/testdata/m.key"
	key, err := filepath.Abs(key)
	if err != nil {
		t.Fatal(err)
	}
	_, errs, code := runPlainly(t, "plugin", "sign", "--key", key, module)
	said(t, errs, code, 2, "the key has a password: set PHAROS_KEY_PASSWORD, or give --password-file")
	password := write(t, "password", []byte("pass word\n"))
	out := mustRunPlainly(t, "plugin", "sign", "--key", key, "--password-file", password, "--comment", "bots for the shop", module)
	out += mustRunPlainly(t, "plugin", "verify", "--key", strings.TrimSuffix(key, "key")+"pub", module)
	if !strings.Contains(out, "is signed by m (ID 141CCA2F1BA3DBE7): bots for the shop\nsha256:") {
		t.Error(out)
	}
}

// TestPullFromTheWeb pulls over TLS, whose authority is the environment's.
func TestPullFromTheWeb(t *testing.T) {
	module := shippedModule(t)
	s := httptest.NewTLSServer(http.FileServer(http.Dir(filepath.Dir(module))))
	t.Cleanup(s.Close)
	out := filepath.Join(t.TempDir(), "bots.wasm")
	_, errs, code := run(t, "plugin", "pull", s.URL+"/bots.wasm", "-o", out)
	said(t, errs, code, 1, "certificate signed by unknown authority")
	ca := write(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	t.Setenv("SSL_CERT_FILE", ca)
	mustRun(t, "plugin", "pull", s.URL+"/bots.wasm", "-o", out)
	if string(read(t, out)) != string(read(t, module)) {
		t.Error("what is pulled is not what is served")
	}
	if err := os.WriteFile(out+".minisig", []byte("of another"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code = run(t, "plugin", "pull", s.URL+"/bots.wasm", "-o", out)
	said(t, errs, code, 1, "bots.wasm.minisig is there, and this module has none")
	_, errs, code = run(t, "plugin", "pull", fmt.Sprintf("%s/none.wasm?token=topsecret", s.URL))
	said(t, errs, code, 1, "/none.wasm?…: the server answers 404 Not Found")
}

// TestKeyWithAPassword makes an encrypted key, signs with it and verifies that, with
// the password from where no terminal is.
func TestKeyWithAPassword(t *testing.T) {
	module, key := shippedModule(t), filepath.Join(t.TempDir(), "shop")
	t.Setenv("PHAROS_KEY_PASSWORD", "topsecret")
	out := mustRunPlainly(t, "plugin", "keygen", key)
	if private := string(read(t, key+".key")); !strings.Contains(private, "encrypted") || strings.Contains(out+private, "topsecret") {
		t.Error(out, private)
	}
	mustRunPlainly(t, "plugin", "sign", "--key", key+".key", module)
	mustRunPlainly(t, "plugin", "verify", "--key", key+".pub", module)
	signed := read(t, module+".minisig")
	t.Setenv("PHAROS_KEY_PASSWORD", "topsecrets")
	_, errs, code := runPlainly(t, "plugin", "sign", "--key", key+".key", module)
	said(t, errs, code, 1, key+".key: the key can not be opened: the password is wrong")
	if !bytes.Equal(read(t, module+".minisig"), signed) || strings.Contains(errs, "topsecret") {
		t.Error("another signature is there, or the password is said: ", errs)
	}
	t.Setenv("PHAROS_KEY_PASSWORD", "")
	_, errs, code = runPlainly(t, "plugin", "sign", "--key", key+".key", module)
	said(t, errs, code, 2, "PHAROS_KEY_PASSWORD is empty")
}

// TestWaitingForAServer starts where a module's server takes its time: it is said what
// is waited for.
func TestWaitingForAServer(t *testing.T) {
	t.Parallel()
	module := read(t, root+"/plugins/bots/bots.wasm")
	answer := make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-answer
		if r.URL.Path != "/bots.wasm" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(module)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(release)
	config := writeConfig(t, small, replaced(t, "plugins:\n", fmt.Sprintf("plugins:\n  bots: {module: %s/bots.wasm, digest: %q}\n", s.URL, fetch.Digest(module))))
	p := start(t, "", nil, "check", "-c", config)
	waitFor(t, "what it waits for", func() error {
		if !strings.Contains(p.errs.String(), "pharos: waiting for "+s.URL+"/bots.wasm\n") {
			return errors.New(p.errs.String())
		}
		return nil
	})
	release()
	if code := p.code(t); code != 0 {
		t.Errorf("exit code %d, %s", code, p.errs.String())
	}
}

// TestShipItAsTheDocsSay does what docs/plugins.md shows, and sees what it shows.
func TestShipItAsTheDocsSay(t *testing.T) {
	at, module := testRegistry(t), shippedModule(t)
	dir := filepath.Dir(module)
	for _, name := range []string{"key", "pub"} {
		if err := os.WriteFile(filepath.Join(dir, "shop."+name), read(t, root+"/host/signature/testdata/m."+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PHAROS_KEY_PASSWORD", "pass word")
	_, doc, _ := strings.Cut(string(read(t, root+"/docs/plugins.md")), "\n## Ship it\n")
	doc = strings.ReplaceAll(doc, "oci://registry.example", at)
	_, session, _ := strings.Cut(doc, "```console\n")
	session, _, _ = strings.Cut(session, "```")
	digest := ""
	for _, part := range strings.Split("\n"+session, "\n$ pharos ")[1:] {
		command, want, _ := strings.Cut(part, "\n")
		command = strings.ReplaceAll(command, `"bots 1.0.0"`, "bots_1.0.0")
		args := strings.Fields(command)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "_", " ")
		}
		p := start(t, dir, nil, args...)
		code := p.code(t)
		form := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", "[0-9a-f]{64}") + "$")
		if got := strings.TrimSpace(p.out.String()); code != 0 || !form.MatchString(got) {
			t.Errorf("%s: exit code %d\n%s%s\nwant:\n%s", command, code, got, p.errs.String(), want)
		} else if at := strings.LastIndex(got, "sha256:"); at >= 0 {
			digest = got[at:]
		}
	}
	_, config, _ := strings.Cut(doc, "```yaml\n")
	config, _, _ = strings.Cut(config, "```")
	file := writeConfig(t, "data: data\nsources: [{name: site}]\n"+strings.Replace(config, "DIGEST", digest, 1))
	if out := mustRun(t, "check", "-c", file); !strings.Contains(out, "The module of bots must be signed by shop.") {
		t.Error(out)
	}
}
