// Package fetch gets the modules of plugins from where their addresses say: a file,
// a web server, or an OCI registry; with each what lies beside it, golden vectors
// and a signature. What it says of their content is that it was received whole;
// whether it is the right one is for others to judge.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
)

// What names the files beside a module, and bounds them.
const (
	SignatureSuffix   = ".minisig"
	MaxSignatureBytes = 16 << 10
)

// GoldenPath is where the golden vectors of the module at a path are.
func GoldenPath(module string) string {
	return strings.TrimSuffix(module, ".wasm") + ".golden.ndjson"
}

// Package is a module and what lies beside it.
type Package struct {
	Module    Part
	Golden    Part // golden vectors
	Signature Part // of minisign; none where it was not wanted
	Cached    bool // nobody was asked: there may be something newer at the address
}

// Part is a part of a package; one that is not there has no content.
type Part struct {
	Content []byte
	From    string // where it comes from, for people: without what may be secret
	File    bool   // From is the path of a file
}

// ReadPart reads a file that must not be longer than limit, in bytes.
func ReadPart(path string, limit int) (Part, error) {
	content, err := ReadFile(path, limit)
	return Part{content, path, true}, err
}

// Want says what is wanted of an address.
type Want struct {
	Digest    string // of the module, "sha256:" and hex; what the cache has of it is taken. "": any
	Signature bool   // the signature too, if there is one
	Fresh     bool   // ask, whatever the cache has
}

// Fetcher gets modules. It is safe for concurrent use.
type Fetcher struct {
	cache   *cache
	client  *http.Client
	tries   uint
	pause   time.Duration // before the second try; the ones after wait longer
	timeout time.Duration // of one try
	hung    hungServers
	quiet   time.Duration // how long nothing is said of waiting
}

// New makes a fetcher that keeps what it gets below a directory, which is made when
// it is needed; "": it keeps nothing.
func New(dir string) *Fetcher {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	transport.DisableCompression = true // sizes are bounded as they are sent
	return &Fetcher{
		hung:  hungServers{last: map[string]hungServer{}},
		cache: &cache{dir: dir, limit: maxCacheBytes}, client: newClient(transport, 10*time.Second),
		tries: 4, pause: 500 * time.Millisecond, timeout: time.Minute, quiet: 2 * time.Second,
	}
}

// AddressError is of an address at which there can be no module.
type AddressError struct{ text string }

// Error says what is wrong with it, and what would be right.
func (e *AddressError) Error() string { return e.text }

func addressf(format string, args ...any) error { return &AddressError{fmt.Sprintf(format, args...)} }

// Get gets what is at an address: a path, or a URL of file, https or oci; http and
// oci+http of this machine only. It tries again what may go well the next time.
func (f *Fetcher) Get(ctx context.Context, address string, want Want) (*Package, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "file", address
	}
	switch scheme {
	case "file":
		return readPackage(rest, want)
	case "https", "http":
		return f.fromWeb(ctx, address, want)
	case "oci", "oci+http":
		return f.fromRegistry(ctx, address, want)
	}
	return nil, addressf("%s: the scheme %s:// is unknown; there are file, https and oci", show(address), scheme)
}

// Kept gives content of that digest, if the cache has it.
func (f *Fetcher) Kept(digest string) ([]byte, bool) {
	content := f.cache.content(digest)
	return content, content != nil
}

// Digest is "sha256:" and the hex digest of content.
func Digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// show is an address without what may be secret in it: a log-in, a query.
func show(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return address
	}
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	u.User, u.Fragment = nil, ""
	return strings.Replace(u.String(), "%E2%80%A6", "…", 1)
}

// isLoopback tells of a host, with or without a port, that is this machine.
func isLoopback(host string) bool {
	u := url.URL{Host: host}
	name := u.Hostname()
	if name == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.Unmap().IsLoopback()
}

// limits of what lies at an address.
const (
	maxModule = abi.MaxModuleBytes
	maxGolden = abi.MaxGoldenBytes
)
