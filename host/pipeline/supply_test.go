package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// signer makes a key; sign signs with it.
func signer(t *testing.T) (public string, sign func(content []byte) []byte) {
	t.Helper()
	key, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key.String(), func(content []byte) []byte { return minisign.Sign(private, content) }
}

// A module in a registry, signed by the key that the tenant wants, comes to a host;
// the other hosts of the group have it with signature and golden vectors from the
// store, and judge it again.
func TestModulesFromARegistry(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	shipped := modules(t)
	bots, err := fetch.New("").Get(t.Context(), filepath.Join(shipped, "bots", "bots.wasm"), fetch.Want{})
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(site.Close)
	address := "oci+http://" + strings.TrimPrefix(site.URL, "http://") + "/shop/bots:1"
	shop, sign := signer(t)
	other, _ := signer(t)
	bots.Signature = fetch.Part{Content: sign(bots.Module.Content)}
	if _, err := fetch.New("").Push(t.Context(), address, bots, nil); err != nil {
		t.Fatal(err)
	}
	digest := fetch.Digest(bots.Module.Content)
	remote := fmt.Sprintf("bots: {module: '%s', digest: '%s', data: {agents: %s/bots/agents.txt}, config: {extra: [first]}}", address, digest, shipped)
	text := func(key string) string {
		text := strings.Replace(hostConfig, "bots: {module: 'file://MODULES/bots/bots.wasm', data: {agents: MODULES/bots/agents.txt}, config: {extra: [first]}}", remote, 1)
		return strings.Replace(text, "dispatch: {filters", "keys: {team: "+key+"}\ndispatch: {plugin_keys: [team], filters", 1)
	}
	h := startHost(t, testBroker(t), hostOptions{id: "a", roles: AllRoles, embedded: true}, text(shop))
	p := h.gens.inForce().plugins["bots"]
	if p.Vectors() == 0 {
		t.Error("golden vectors have not come with the generation")
	}
	if steps := p.Life().Steps(); !strings.HasPrefix(steps[0].Detail, address+", kept as ") {
		t.Errorf("%+v", steps[0])
	}
	id := fmt.Sprintf("by team (ID %s)", keyID(t, shop))
	if steps := p.Life().Steps(); steps[2].Name != plugin.StepSignature || !strings.HasPrefix(steps[2].Detail, id) {
		t.Errorf("%+v", steps[2])
	}
	writeFileT(t, h.file, text(other))
	_, err = h.reload(context.Background(), false)
	var faults config.Faults
	if !errors.As(err, &faults) || !strings.Contains(err.Error(), "plugins.bots.module: "+address+": the signature is by a key with the ID "+keyID(t, shop)) {
		t.Fatal(err)
	}
	refused := h.status(t.Context()).PastPlugins
	if i := len(refused) - 1; i < 0 || refused[i].Name != "bots" || refused[i].State != plugin.Refused || refused[i].Digest != digest ||
		!strings.HasPrefix(refused[i].Life[len(refused[i].Life)-1].Detail, "signature: "+address) {
		t.Errorf("%+v", refused)
	}
	site.Close() // what was fetched is kept
	writeFileT(t, h.file, text(shop))
	if answer, err := h.reload(context.Background(), false); err != nil || answer.Published {
		t.Error(answer, err)
	}

	// A host that has nothing but the record and the store judges it the same way.
	record := *h.gens.inForce().record
	theirs := &files{store: h.gens.files.store, loader: testLoader(t), label: "the store", dir: t.TempDir()}
	cfg, err := record.parse(theirs.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.fetch(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	spec := pluginSpec(cfg, "bots", cfg.Plugins.Get("bots"))
	loaded, err := theirs.loader.Load(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := loaded.Close(t.Context()); err != nil || loaded.Vectors() != p.Vectors() {
		t.Errorf("%d vectors, %v", loaded.Vectors(), err)
	}
	writeFileT(t, spec.Signature, "damaged")
	if _, err := theirs.loader.Load(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "the signature can not be read") {
		t.Error(err)
	}
}

func keyID(t *testing.T, public string) string {
	t.Helper()
	var key minisign.PublicKey
	if err := key.UnmarshalText([]byte(public)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%016X", key.ID())
}

// A module without a signature, or by another's key, is refused before it is
// compiled; beside a file the signature is a file.
func TestSignaturesOfFiles(t *testing.T) {
	dir := modules(t)
	module := filepath.Join(dir, "bots", "bots.wasm")
	content, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	shop, sign := signer(t)
	other, signOther := signer(t)
	text := fmt.Sprintf("keys: {shop: %s, other: %s}\nsources: [{name: site}]\nplugins:\n  bots: {module: 'file://%s', key: shop}\ntenants: {shop: {filters: [bots], plugin_keys: [shop, other]}}\n", shop, other, module)
	check := func() error {
		cfg, err := config.Parse("x", dir, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return Check(t.Context(), cfg)
	}
	for _, test := range []struct {
		signature []byte
		want      string
	}{
		{nil, "x:4:9: plugins.bots: " + module + ": there is no signature, and one by shop (ID " + keyID(t, shop) + ") is wanted"},
		{signOther(content), "the signature is by a key with the ID " + keyID(t, other) + ", and one by shop (ID " + keyID(t, shop) + ") is wanted"},
		{sign([]byte("something else")), "does not hold"},
		{[]byte("no signature"), "can not be read"},
		{sign(content), ""},
	} {
		if test.signature != nil {
			if err := os.WriteFile(module+fetch.SignatureSuffix, test.signature, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := check(); test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}
