// Package signature signs modules and verifies who has signed them, in the format
// of minisign, so that the tool of that name takes what is made here, and the other
// way round.
package signature

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aead.dev/minisign"
)

// By is who has signed something.
type By struct {
	Key     string // its name
	ID      string // of the key, in hex
	Comment string // that is signed too
}

// Verify says which of the keys has signed content. Keys are public keys by name,
// each the text of a key file or its last line alone.
func Verify(content, signature []byte, keys map[string]string) (*By, error) {
	parsed := map[string]minisign.PublicKey{}
	for name, text := range keys {
		key, err := parseKey(text)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", name, err)
		}
		parsed[name] = key
	}
	if len(signature) == 0 {
		return nil, fmt.Errorf("there is no signature, and one by %s is wanted", list(parsed))
	}
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return nil, fmt.Errorf("the signature can not be read: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(parsed)) {
		if parsed[name].ID() != s.KeyID {
			continue
		}
		if !minisign.Verify(parsed[name], content, signature) {
			return nil, fmt.Errorf("the signature by %s does not hold: what was signed is not this content, or it is another's key of that ID", label(name, parsed[name].ID()))
		}
		return &By{Key: name, ID: id(s.KeyID), Comment: s.TrustedComment}, nil
	}
	return nil, fmt.Errorf("the signature is by a key with the ID %s, and one by %s is wanted", id(s.KeyID), list(parsed))
}

func parseKey(text string) (key minisign.PublicKey, err error) {
	if err := key.UnmarshalText([]byte(strings.TrimSpace(text))); err != nil {
		return key, fmt.Errorf("no public key of minisign: %w", err)
	}
	return key, nil
}

// id is a key's ID as minisign writes it.
func id(n uint64) string { return fmt.Sprintf("%016X", n) }

func label(name string, n uint64) string { return fmt.Sprintf("%s (ID %s)", name, id(n)) }

// list says keys for people.
func list(keys map[string]minisign.PublicKey) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		parts = append(parts, label(name, keys[name].ID()))
	}
	if len(parts) == 0 {
		return "no key"
	}
	return strings.Join(parts, " or ")
}

// errPassword is an error of a key that can not be opened.
var errPassword = errors.New("the key can not be opened: the password is wrong, or the file is damaged")

// Sign signs content with a private key, the text of a key file. The password is
// asked for only where the key is encrypted. The comment is signed too.
func Sign(content, private []byte, comment string, password func() (string, error)) ([]byte, error) {
	key, err := open(private, password)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(comment, "\r\n") {
		return nil, errors.New("a comment is one line")
	}
	return minisign.SignWithComments(key, content, comment, "signature by the key "+id(key.ID())), nil
}

func open(private []byte, password func() (string, error)) (key minisign.PrivateKey, err error) {
	if !minisign.IsEncrypted(private) {
		if err := key.UnmarshalText(private); err != nil {
			return key, fmt.Errorf("no private key of minisign: %w", err)
		}
		return key, nil
	}
	secret, err := password()
	if err != nil {
		return key, err
	}
	if key, err = minisign.DecryptKey(secret, private); err != nil {
		return key, errPassword // what the library says of it may be of the password
	}
	return key, nil
}

// Generate makes a pair of keys, the texts of two files; the private one is
// encrypted with the password, and in clear if that is empty.
func Generate(password string) (public, private []byte, err error) {
	publicKey, privateKey, err := minisign.GenerateKey(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	if password == "" {
		private, err = privateKey.MarshalText()
	} else {
		private, err = minisign.EncryptKey(password, privateKey)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	if public, err = publicKey.MarshalText(); err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	return append(public, '\n'), append(private, '\n'), nil
}
