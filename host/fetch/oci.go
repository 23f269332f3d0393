package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// The media types of what a registry keeps of a plugin. As the module any layer of
// WebAssembly is taken: other tools have other names for it.
const (
	ArtifactType  = "application/vnd.pharos.plugin.v1"
	moduleType    = "application/wasm"
	goldenType    = "application/vnd.pharos.golden.v1+ndjson"
	signatureType = "application/vnd.pharos.signature.v1+minisign"
)

// maxManifest bounds an OCI manifest, in bytes.
const maxManifest = 1 << 20

// repository opens the repository of an address, and gives the tag or digest there.
// Log-ins are those of Docker's config file ($DOCKER_CONFIG, or ~/.docker) and its
// credential helpers.
func (f *Fetcher) repository(address string) (*remote.Repository, string, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	ref, err := registry.ParseReference(rest)
	if err != nil || ref.Reference == "" {
		return nil, "", addressf("%s is no address in a registry: it is oci://REGISTRY/NAME:TAG, or …@sha256:DIGEST", show(address))
	}
	if scheme == "oci+http" && !isLoopback(ref.Registry) {
		return nil, "", addressf("%s: plain HTTP is for this machine only: take oci://", show(address))
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, "", fmt.Errorf("log-ins of registries, in Docker's config file: %w", err)
	}
	return &remote.Repository{
		Reference: ref, PlainHTTP: scheme == "oci+http",
		Client: &auth.Client{Client: f.client, Credential: credentials.Credential(store), Cache: auth.NewCache()},
	}, ref.Reference, nil
}

// fromRegistry gets a module from a registry, with the layers beside it.
func (f *Fetcher) fromRegistry(ctx context.Context, address string, want Want) (*Package, error) {
	if !want.Fresh {
		if p := f.keptPackage(address, want); p != nil {
			return p, nil
		}
	}
	repo, reference, err := f.repository(address)
	if err != nil {
		return nil, err
	}
	p, err := again(ctx, f, address, func(ctx context.Context) (*Package, error) { return f.pull(ctx, repo, reference) })
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", show(address), explain(hideAddress(err)))
	}
	p.from(address)
	e := entry{Content: Digest(p.Module.Content)}
	if p.Golden.Content != nil {
		e.Golden = Digest(p.Golden.Content)
	}
	if p.Signature.Content != nil {
		e.Signature = Digest(p.Signature.Content)
	}
	return p, f.cache.keep(address, e, p.Module.Content, p.Golden.Content, p.Signature.Content)
}

// keptPackage is what the cache has of an address, if it is all that is wanted. A
// tag can move: only where the digest of the module is known is it not asked for.
func (f *Fetcher) keptPackage(address string, want Want) *Package {
	e := f.cache.entry(address)
	if e == nil || want.Digest != e.Content || want.Signature && e.Signature == "" {
		return nil
	}
	kept := func(digest string) Part { return Part{Content: f.cache.content(digest)} }
	p := &Package{Module: kept(e.Content), Golden: kept(e.Golden), Signature: kept(e.Signature), Cached: true}
	if p.Module.Content == nil || e.Golden != "" && p.Golden.Content == nil || e.Signature != "" && p.Signature.Content == nil {
		return nil
	}
	p.from(address)
	return p
}

// from says where all parts come from.
func (p *Package) from(address string) {
	for _, part := range []*Part{&p.Module, &p.Golden, &p.Signature} {
		part.From = show(address)
	}
}

// pull gets a manifest and its layers.
func (f *Fetcher) pull(ctx context.Context, repo *remote.Repository, reference string) (*Package, error) {
	o := oras.DefaultFetchBytesOptions
	o.MaxBytes = maxManifest
	descriptor, text, err := oras.FetchBytes(ctx, repo, reference, o)
	if err != nil {
		return nil, err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil || len(manifest.Layers) == 0 {
		return nil, fmt.Errorf("a manifest of the type %s without layers: a plugin's has a layer of the type %s ('pharos plugin push' makes one)", descriptor.MediaType, moduleType)
	}
	p := &Package{}
	for _, layer := range manifest.Layers {
		var to *[]byte
		limit := maxModule
		switch {
		case layer.MediaType == goldenType:
			to, limit = &p.Golden.Content, maxGolden
		case layer.MediaType == signatureType:
			to, limit = &p.Signature.Content, MaxSignatureBytes
		case strings.HasSuffix(layer.MediaType, "wasm"):
			to = &p.Module.Content
		default:
			continue
		}
		if *to != nil {
			return nil, fmt.Errorf("it has two layers of the type %s", layer.MediaType)
		}
		if *to, err = f.layer(ctx, repo, layer, limit); err != nil {
			return nil, fmt.Errorf("layer of the type %s: %w", layer.MediaType, err)
		}
	}
	if p.Module.Content == nil {
		return nil, fmt.Errorf("none of its %d layers is of the type %s", len(manifest.Layers), moduleType)
	}
	return p, nil
}

// layer gets a layer, from the cache where that has it. Its digest is verified.
func (f *Fetcher) layer(ctx context.Context, repo *remote.Repository, d ocispec.Descriptor, limit int) (_ []byte, err error) {
	if d.Size > int64(limit) {
		return nil, tooLarge{limit}
	}
	if kept := f.cache.content(d.Digest.String()); kept != nil {
		return kept, nil
	}
	r, err := repo.Blobs().Fetch(ctx, d)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return content.ReadAll(io.LimitReader(r, int64(limit)+1), d)
}

// Push puts a package under a tag of a registry, and gives the digest of what it is
// there. The same package gives the same digest. About are annotations for people.
func (f *Fetcher) Push(ctx context.Context, address string, p *Package, about map[string]string) (digest string, err error) {
	repo, tag, err := f.repository(address)
	if err != nil {
		return "", err
	}
	if strings.Contains(tag, ":") {
		return "", addressf("%s: a digest is what a push gives: name a tag", show(address))
	}
	annotations := map[string]string{ocispec.AnnotationCreated: "1970-01-01T00:00:00Z"} // so that nothing but the content decides the digest
	for name, value := range about {
		annotations[name] = value
	}
	digest, err = again(ctx, f, address, func(ctx context.Context) (string, error) { return push(ctx, repo, tag, p, annotations) })
	if err != nil {
		return "", fmt.Errorf("push to %s: %w", show(address), explain(hideAddress(err)))
	}
	return digest, nil
}

func push(ctx context.Context, repo *remote.Repository, tag string, p *Package, annotations map[string]string) (string, error) {
	var layers []ocispec.Descriptor
	for _, part := range []struct {
		mediaType string
		content   []byte
	}{{moduleType, p.Module.Content}, {goldenType, p.Golden.Content}, {signatureType, p.Signature.Content}} {
		if part.content == nil {
			continue
		}
		layer := content.NewDescriptorFromBytes(part.mediaType, part.content)
		there, err := repo.Blobs().Exists(ctx, layer)
		if err == nil && !there {
			_, err = oras.PushBytes(ctx, repo, part.mediaType, part.content)
		}
		if err != nil {
			return "", err
		}
		layers = append(layers, layer)
	}
	manifest, err := oras.PackManifest(ctx, repo, oras.PackManifestVersion1_1, ArtifactType, oras.PackManifestOptions{Layers: layers, ManifestAnnotations: annotations})
	if err != nil {
		return "", err
	}
	return manifest.Digest.String(), repo.Tag(ctx, manifest, tag)
}

// explain says what to do where a registry refuses.
func explain(err error) error {
	var answer *errcode.ErrorResponse
	switch {
	case errors.Is(err, auth.ErrBasicCredentialNotFound), errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fmt.Errorf("%w (log in with 'docker login', or name a Docker config with a log-in by DOCKER_CONFIG)", err)
	case errors.Is(err, errdef.ErrNotFound):
		return fmt.Errorf("there is no such tag or digest: %w", err)
	}
	return err
}
