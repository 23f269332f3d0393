package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/fetch"
	"github.com/seed-6a2d649b/pharos/host/signature"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passwordVariable is where the password of a key may be. It is in no flag, where
// others on the machine would see it.
const passwordVariable = "PHAROS_KEY_PASSWORD"

// maxKeyBytes bounds the file of a key.
const maxKeyBytes = 64 << 10

func newPluginKeygen() *cobra.Command {
	var passwordFile string
	var open bool
	c := &cobra.Command{
		Use:   "keygen NAME [--password-file FILE | --no-password]",
		Short: "Make a pair of keys to sign modules with",
		Long: `Keygen writes NAME.key, the private key, encrypted with a password, and NAME.pub, the
public key, in the format of minisign. Keep the first for yourself; the last line of
the second goes into the config of those who run your modules (keys: {NAME: …}).

The password is that of ` + passwordVariable + `, or of --password-file, or is asked for.`,
		Example: `  pharos plugin keygen shop
  pharos plugin keygen shop --password-file shop.password`,
		Args: takes("the key"),
		RunE: func(c *cobra.Command, args []string) error {
			for _, path := range []string{args[0] + ".key", args[0] + ".pub"} {
				if _, err := os.Lstat(path); err == nil {
					return usagef("%s is there already: a key is never written over", path)
				}
			}
			password := ""
			if !open {
				var err error
				if password, err = keyPassword(passwordFile, true); err != nil {
					return err
				}
			}
			public, private, err := signature.Generate(password)
			if err != nil {
				return err
			}
			if err := writeNew(args[0]+".key", private, 0o600); err != nil {
				return err
			}
			if err := writeNew(args[0]+".pub", public, 0o644); err != nil {
				return err
			}
			lines := strings.Split(strings.TrimSpace(string(public)), "\n")
			fmt.Fprintf(c.OutOrStdout(), "wrote %s.key and %s.pub; for the config of those who run your modules:\nkeys:\n  %s: %s\n", args[0], args[0], baseName(args[0]), lines[len(lines)-1])
			return nil
		},
	}
	c.Flags().StringVar(&passwordFile, "password-file", "", "file of the password; one newline at its end does not count")
	c.Flags().BoolVar(&open, "no-password", false, "leave the private key in clear: for where something else guards the file")
	c.MarkFlagsMutuallyExclusive("password-file", "no-password")
	return c
}

func newPluginSign() *cobra.Command {
	var key, comment, passwordFile string
	c := &cobra.Command{
		Use:   "sign --key FILE.key FILE.wasm",
		Short: "Sign a module",
		Long: `Sign writes FILE.wasm.minisig beside a module: who has FILE.key has signed it. The
comment is signed too; hosts show it. The password of the key is that of
` + passwordVariable + `, or of --password-file, or is asked for.`,
		Example: `  pharos plugin sign --key shop.key clicks.wasm
  ` + passwordVariable + `=… pharos plugin sign --key shop.key --comment "clicks 1.4.0" clicks.wasm`,
		Args: takes("the module"),
		RunE: func(c *cobra.Command, args []string) error {
			private, err := readKey(key)
			if err != nil {
				return err
			}
			in, err := sound(c.Context(), args[0])
			if err != nil {
				return err
			}
			got, err := fetchModule(c.Context(), args[0], false)
			if err != nil {
				return err
			}
			if !got.Module.File {
				return usagef("%s is no file: a signature is written beside it", args[0])
			}
			if comment == "" {
				comment = fmt.Sprintf("%s %s %s", in.Manifest.Name, in.Manifest.Version, fetch.Digest(got.Module.Content))
			}
			signed, err := signature.Sign(got.Module.Content, private, comment, func() (string, error) { return keyPassword(passwordFile, false) })
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			path := got.Module.From + fetch.SignatureSuffix
			if err := os.WriteFile(path, signed, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "wrote %s: %s\n", path, comment)
			return nil
		},
	}
	c.Flags().StringVar(&key, "key", "", "file of the private key, of 'pharos plugin keygen' or minisign")
	c.Flags().StringVar(&comment, "comment", "", "what to sign beside the module (default its name, version and digest)")
	c.Flags().StringVar(&passwordFile, "password-file", "", "file of the key's password; one newline at its end does not count")
	return c
}

func newPluginVerify() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "verify --key FILE.pub FILE.wasm|URL",
		Short: "Say whether a module is signed by a key",
		Example: `  pharos plugin verify --key shop.pub clicks.wasm
  pharos plugin verify --key shop.pub oci://registry.example/shop/clicks:1.4.0`,
		Args: takes("the module"),
		RunE: func(c *cobra.Command, args []string) error {
			public, err := readKey(key)
			if err != nil {
				return err
			}
			got, err := fetchModule(c.Context(), args[0], true)
			if err != nil {
				return err
			}
			by, err := signature.Verify(got.Module.Content, got.Signature.Content, map[string]string{baseName(key): string(public)})
			if err != nil {
				return fmt.Errorf("%s: %w", got.Module.From, err)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is signed by %s (ID %s): %s\n%s\n", got.Module.From, by.Key, by.ID, by.Comment, fetch.Digest(got.Module.Content))
			return nil
		},
	}
	c.Flags().StringVar(&key, "key", "", "file of the public key, of 'pharos plugin keygen' or minisign")
	return c
}

// readKey reads the file of a key.
func readKey(path string) ([]byte, error) {
	if path == "" {
		return nil, usagef("--key is missing: name the file of the key ('pharos plugin keygen' makes a pair)")
	}
	content, err := fetch.ReadFile(path, maxKeyBytes)
	if err != nil {
		return nil, usageError{fmt.Errorf("--key: %w", err)}
	}
	return content, nil
}

// keyPassword gives the password of a key; of a new one it is asked for twice.
func keyPassword(file string, isNew bool) (string, error) {
	if file != "" {
		text, err := fetch.ReadFile(file, maxKeyBytes)
		if err != nil {
			return "", usageError{fmt.Errorf("--password-file: %w", err)}
		}
		return notEmpty(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), "the file of --password-file")
	}
	if text, set := os.LookupEnv(passwordVariable); set {
		return notEmpty(text, passwordVariable)
	}
	terminal := int(os.Stdin.Fd())
	if !term.IsTerminal(terminal) {
		if isNew {
			return "", usagef("give the new key a password: set %s, or give --password-file (--no-password leaves the key in clear)", passwordVariable)
		}
		return "", usagef("the key has a password: set %s, or give --password-file", passwordVariable)
	}
	password, err := ask(terminal, "Password of the key: ")
	if err != nil || !isNew {
		return password, err
	}
	again, err := ask(terminal, "Once more: ")
	if err == nil && again != password {
		err = errors.New("the passwords differ")
	}
	return password, err
}

func ask(terminal int, what string) (string, error) {
	fmt.Fprint(os.Stderr, what)
	text, err := term.ReadPassword(terminal)
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return notEmpty(string(text), "the password")
}

func notEmpty(password, what string) (string, error) {
	if password == "" {
		return "", usagef("%s is empty", what)
	}
	return password, nil
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, string(content))
	return errors.Join(err, f.Close())
}
