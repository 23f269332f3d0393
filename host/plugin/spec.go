// Package plugin makes filters, splitters and extractors of modules and rules:
// it loads a plugin, checks it as far as it can be checked before the first
// beacon, and drives it over batches of beacons. Beacons at which a plugin
// fails are found one by one; all others have their answer.
package plugin

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/rules"
)

// OnError is what becomes of a beacon at which a plugin fails.
type OnError string

// What can become of such a beacon.
const (
	DeadLetter OnError = "dead_letter" // it leaves the stream; of an extractor's a copy goes
	Pass       OnError = "pass"        // as if the plugin had no opinion, or no measurement
	Filtered   OnError = "drop"        // filtered, with the reason "plugin NAME"; not for extractors
)

// Spec says what to load: a module, or rules.
type Spec struct {
	Name    string            // of the plugin in the config
	Module  string            // a path, or an address of package fetch
	Digest  string            // of the module, "sha256:" and hex; "" takes any
	Keys    map[string]string // public keys by name, one of which must have signed the module; none: no signature is wanted
	Rules   *rules.Rules      // instead of a module
	Lists   map[string]string `json:",omitempty"` // for rules: name to path of a file
	Config  json.RawMessage   // for the module; nil is {}
	Data    map[string]string // for the module: name to path of a file
	Memory  int64             // bytes an instance may have; 0 is abi.DefaultMemory
	Fuel    int64             // of one call; 0 is wasm.DefaultFuel
	OnError OnError           // "" is DeadLetter

	// Origin is where the module was before somebody put it at Module, for people: it
	// makes no other plugin.
	Origin string `json:"-"`

	// Paths of files to take in place of those beside the module; "": those.
	Golden, Signature string
}

// validate finds every fault that shows without reading anything.
func (s *Spec) validate() error {
	var errs []error
	if s.Name == "" {
		errs = append(errs, errors.New("a name is wanted"))
	}
	switch s.OnError {
	case "", DeadLetter, Pass, Filtered:
	default:
		errs = append(errs, fmt.Errorf("on_error %q is none of %s, %s, %s", s.OnError, DeadLetter, Pass, Filtered))
	}
	switch {
	case s.Module == "" && s.Rules == nil:
		errs = append(errs, errors.New("neither a module nor rules"))
	case s.Module != "" && s.Rules != nil:
		errs = append(errs, errors.New("a module and rules: give one of them"))
	case s.Rules != nil && (s.Digest != "" || len(s.Data) > 0 || !emptyConfig(s.Config)):
		errs = append(errs, errors.New("rules take no digest, config or data"))
	case s.Rules == nil && len(s.Lists) > 0:
		errs = append(errs, errors.New("only rules take lists"))
	}
	if s.Digest != "" {
		if hexes, ok := strings.CutPrefix(s.Digest, digestPrefix); !ok || len(hexes) != 64 {
			errs = append(errs, fmt.Errorf("digest %q is not sha256: and 64 hex digits", s.Digest))
		} else if _, err := hex.DecodeString(hexes); err != nil {
			errs = append(errs, fmt.Errorf("digest %q is not sha256: and 64 hex digits", s.Digest))
		}
	}
	return errors.Join(errs...)
}

func emptyConfig(config json.RawMessage) bool {
	text := strings.TrimSpace(string(config))
	return text == "" || text == "{}" || text == "null"
}

const digestPrefix = "sha256:"
