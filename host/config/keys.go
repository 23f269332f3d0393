package config

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// keyPolicy is a list of keys, one of which must have signed each module of some
// plugins.
type keyPolicy struct {
	at      keyPath // of the list, or of the one key
	keys    []string
	plugins []string
}

// keyPolicies are all that the config says of who must have signed what.
func (c *Config) keyPolicies() (all []keyPolicy) {
	for name, p := range c.Plugins.All() {
		if p.Key != "" {
			all = append(all, keyPolicy{keyPath{"plugins", name, "key"}, []string{p.Key}, []string{name}})
		}
	}
	if d := c.Dispatch; len(d.PluginKeys) > 0 {
		all = append(all, keyPolicy{keyPath{"dispatch", "plugin_keys"}, d.PluginKeys, append([]string{d.Split}, d.Filters...)})
	}
	for name, t := range c.Tenants.All() {
		if len(t.PluginKeys) > 0 {
			all = append(all, keyPolicy{keyPath{"tenants", name, "plugin_keys"}, t.PluginKeys, append([]string{t.Extract}, t.Filters...)})
		}
	}
	return all
}

// SigningKeys are the public keys by name, one of which must have signed the module
// of a plugin; nil: no signature is wanted. A plugin that has several uses must have
// a signature that is right for all of them. Rules have none: they are the config's.
func (c *Config) SigningKeys(plugin string) map[string]string {
	names, wanted := c.signers(plugin)
	if !wanted {
		return nil
	}
	keys := map[string]string{}
	for _, name := range names {
		if text := c.Keys.Get(name); text != nil {
			keys[name] = *text
		}
	}
	return keys
}

// signers are the names of the keys that are right for all uses of a plugin.
func (c *Config) signers(plugin string) (names []string, wanted bool) {
	if p := c.Plugins.Get(plugin); p == nil || p.Rules != nil {
		return nil, false
	}
	for _, policy := range c.keyPolicies() {
		if !slices.Contains(policy.plugins, plugin) {
			continue
		}
		if !wanted {
			names, wanted = slices.Clone(policy.keys), true
			continue
		}
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(policy.keys, name) })
	}
	return names, wanted
}

// emptyPolicies are lists of keys that are given and empty.
func (c *checker) emptyPolicies() (all []keyPath) {
	if at := (keyPath{"dispatch", "plugin_keys"}); c.given(at) && len(c.Dispatch.PluginKeys) == 0 {
		all = append(all, at)
	}
	for name, t := range c.Tenants.All() {
		if at := (keyPath{"tenants", name, "plugin_keys"}); c.given(at) && len(t.PluginKeys) == 0 {
			all = append(all, at)
		}
	}
	return all
}

func (c *checker) keys() {
	for name, text := range c.Keys.All() {
		key, err := base64.StdEncoding.DecodeString(*text)
		if err != nil || len(key) != 42 || !strings.HasPrefix(string(key), "Ed") {
			c.at(keyPath{"keys", name}, "it is no public key of minisign: take the last line of the .pub file, 56 characters that begin with RW")
		}
	}
	for _, at := range c.emptyPolicies() {
		c.at(at, "the list is empty: nobody could sign; name a key, or leave it out where no signature is wanted")
	}
	for _, policy := range c.keyPolicies() {
		for i, name := range policy.keys {
			at := policy.at
			if at[len(at)-1] == "plugin_keys" {
				at = at.to(strconv.Itoa(i))
			}
			if c.Keys.Get(name) == nil {
				c.at(at, "there is no key %q%s", name, suggest(name, c.Keys.Names()))
			}
		}
	}
	for name := range c.Plugins.All() {
		if names, wanted := c.signers(name); wanted && len(names) == 0 {
			c.atKey(keyPath{"plugins", name}, "no key may sign it: what its key, dispatch.plugin_keys and the plugin_keys of its tenants allow have none in common")
		}
	}
}
