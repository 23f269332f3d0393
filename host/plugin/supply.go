package plugin

import (
	"context"
	"fmt"
	"strings"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/signature"
)

// supply gets a module and judges whether it is the one that is wanted.
type supply struct {
	loader *Loader
	spec   *Spec
	got    *fetch.Package
	digest string
}

// Fetch gets a plugin's module with what lies beside it. The digest is verified, and
// that one of the keys has signed it, if any must have. The error is a *LoadError.
func (l *Loader) Fetch(ctx context.Context, spec Spec) (*fetch.Package, error) {
	var life Life
	s := &supply{}
	err := spec.validate()
	if err == nil {
		s, err = l.supply(ctx, &spec, &life)
	}
	if err != nil {
		life.Enter(Refused, err.Error())
		return nil, &LoadError{Name: spec.Name, Digest: s.digest, Life: &life, err: err}
	}
	return s.got, nil
}

// Kept gives content of that digest, if it has been fetched from elsewhere than a
// file and is kept.
func (l *Loader) Kept(digest string) ([]byte, bool) { return l.fetcher.Kept(digest) }

// supply does the first steps of loading a module.
func (l *Loader) supply(ctx context.Context, spec *Spec, life *Life) (*supply, error) {
	s := &supply{loader: l, spec: spec}
	if err := life.do(StepFetch, func() (string, error) { return s.fetch(ctx, false) }); err != nil {
		return s, err
	}
	if err := life.do(StepDigest, func() (string, error) { return s.digest, s.checkDigest() }); err != nil {
		return s, err
	}
	return s, life.do(StepSignature, func() (string, error) { return s.checkSignature(ctx) })
}

func (s *supply) fetch(ctx context.Context, fresh bool) (from string, err error) {
	want := fetch.Want{Digest: strings.ToLower(s.spec.Digest), Signature: len(s.spec.Keys) > 0 && s.spec.Signature == "", Fresh: fresh}
	if s.got, err = s.loader.fetcher.Get(ctx, s.spec.Module, want); err != nil {
		return "", err
	}
	s.digest = fetch.Digest(s.got.Module.Content)
	if s.spec.Golden != "" {
		if s.got.Golden, err = fetch.ReadPart(s.spec.Golden, abi.MaxGoldenBytes); err != nil {
			return "", fmt.Errorf("golden: %w", err)
		}
	}
	if s.spec.Signature != "" {
		if s.got.Signature, err = fetch.ReadPart(s.spec.Signature, fetch.MaxSignatureBytes); err != nil {
			return "", fmt.Errorf("signature: %w", err)
		}
	}
	if s.spec.Origin != "" {
		return s.spec.Origin + ", kept as " + s.got.Module.From, nil
	}
	if s.got.Cached {
		return s.got.Module.From + ", kept from before", nil
	}
	return s.got.Module.From, nil
}

func (s *supply) checkDigest() error {
	if want := s.spec.Digest; want != "" && !strings.EqualFold(want, s.digest) {
		return fmt.Errorf("%s has the digest %s, and the config wants %s", s.got.Module.From, s.digest, want)
	}
	return nil
}

// checkSignature verifies who has signed the module. Where that does not hold of
// what was kept from before, the module may have been signed anew.
func (s *supply) checkSignature(ctx context.Context) (string, error) {
	if len(s.spec.Keys) == 0 {
		return "none is wanted", nil
	}
	by, err := signature.Verify(s.got.Module.Content, s.got.Signature.Content, s.spec.Keys)
	if err != nil && s.got.Cached {
		if _, err := s.fetch(ctx, true); err != nil {
			return "", err
		}
		if err := s.checkDigest(); err != nil {
			return "", err
		}
		by, err = signature.Verify(s.got.Module.Content, s.got.Signature.Content, s.spec.Keys)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.got.Module.From, err)
	}
	return fmt.Sprintf("by %s (ID %s): %s", by.Key, by.ID, by.Comment), nil
}
