package signature

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// pair makes a pair of keys, the private one in clear.
func pair(t *testing.T) (public string, private []byte) {
	t.Helper()
	text, private, err := Generate("")
	if err != nil {
		t.Fatal(err)
	}
	return string(text), private
}

func noPassword() (string, error) { return "", errors.New("a password is asked for") }

// What the tool minisign has made is taken: the files in testdata are its.
func TestVerifyMinisign(t *testing.T) {
	module, public := read(t, "module"), string(read(t, "m.pub"))
	line := strings.Split(public, "\n")[1]
	for name, comment := range map[string]string{"module.minisig": "clicks 1.4.0", "module.legacy.minisig": "legacy"} {
		for _, key := range []string{public, line, strings.ReplaceAll(public, "\n", "\r\n")} {
			by, err := Verify(module, read(t, name), map[string]string{"other": otherKey(t), "shop": key})
			if err != nil || by.Key != "shop" || by.ID != "141CCA2F1BA3DBE7" || by.Comment != comment {
				t.Errorf("%s: %+v, %v", name, by, err)
			}
		}
	}
}

func otherKey(t *testing.T) string {
	public, _ := pair(t)
	return public
}

func TestVerifyRefuses(t *testing.T) {
	module, signature, shop := read(t, "module"), read(t, "module.minisig"), string(read(t, "m.pub"))
	changed := func(what, with string) []byte {
		c := bytes.Replace(signature, []byte(what), []byte(with), 1)
		if bytes.Equal(c, signature) {
			t.Fatalf("%s is not in the signature", what)
		}
		return c
	}
	other := otherKey(t)
	otherKey, err := parseKey(other)
	if err != nil {
		t.Fatal(err)
	}
	otherID := id(otherKey.ID())
	for _, test := range []struct {
		name      string
		module    []byte
		signature []byte
		keys      map[string]string
		want      string
	}{
		{"none", module, nil, map[string]string{"shop": shop}, "there is no signature, and one by shop (ID 141CCA2F1BA3DBE7) is wanted"},
		{"no signature", module, []byte("hello"), map[string]string{"shop": shop}, "the signature can not be read"},
		{"another's", module, signature, map[string]string{"other": other}, "is by a key with the ID 141CCA2F1BA3DBE7, and one by other (ID " + otherID + ") is wanted"},
		{"no keys", module, signature, nil, "one by no key is wanted"},
		{"another module", append(module, ' '), signature, map[string]string{"shop": shop}, "does not hold"},
		{"another comment", module, changed("clicks 1.4.0", "clicks 1.5.0"), map[string]string{"shop": shop}, "does not hold"},
		{"another signature", module, changed("ocFEOUHs4", "ocFEOUHs5"), map[string]string{"shop": shop}, "does not hold"},
		{"broken key", module, signature, map[string]string{"shop": "RWTn"}, "key shop: no public key of minisign"},
	} {
		if by, err := Verify(test.module, test.signature, test.keys); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v; want %s", test.name, by, err, test.want)
		}
	}
}

func TestSign(t *testing.T) {
	public, private := pair(t)
	signature, err := Sign([]byte("content"), private, "clicks 1.4.0", noPassword)
	if err != nil {
		t.Fatal(err)
	}
	if by, err := Verify([]byte("content"), signature, map[string]string{"mine": public}); err != nil || by.Comment != "clicks 1.4.0" {
		t.Errorf("%+v, %v", by, err)
	}
	if _, err := Sign(nil, private, "two\nlines", noPassword); err == nil {
		t.Error("a comment of two lines is signed")
	}
	if _, err := Sign(nil, []byte("no key"), "", noPassword); err == nil || !strings.Contains(err.Error(), "no private key") {
		t.Error(err)
	}
}

// The key of the tool minisign is opened with its password, and no other. (That of
// testdata takes less work to open than the tool asks for.)
func TestEncryptedKey(t *testing.T) {
	private := read(t, "m.key")
	if _, err := Sign(nil, private, "", noPassword); err == nil || err.Error() != "a password is asked for" {
		t.Error(err)
	}
	if _, err := Sign(nil, private, "", func() (string, error) { return "wrong secret", nil }); !errors.Is(err, errPassword) || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	signature, err := Sign(read(t, "module"), private, "anew", func() (string, error) { return "pass word", nil })
	if err != nil {
		t.Fatal(err)
	}
	if by, err := Verify(read(t, "module"), signature, map[string]string{"shop": string(read(t, "m.pub"))}); err != nil || by.Comment != "anew" {
		t.Errorf("%+v, %v", by, err)
	}
}

func FuzzVerify(f *testing.F) {
	for _, name := range []string{"module.minisig", "module.legacy.minisig", "m.pub"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, string(text))
	}
	f.Fuzz(func(t *testing.T, signature []byte, key string) {
		if by, err := Verify([]byte("what nobody has signed"), signature, map[string]string{"k": key}); err == nil {
			t.Fatalf("%+v", by)
		}
	})
}
