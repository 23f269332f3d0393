package pipeline

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/rules"
	"github.com/seed-6a2d649b/pharos/host/rules/written"
)

// pluginSpec says a config's plugin in the words of package plugin.
func pluginSpec(cfg *config.Config, name string, p *config.Plugin) plugin.Spec {
	spec := plugin.Spec{
		Name: name, Module: moduleAddress(p), Digest: p.Digest, Keys: cfg.SigningKeys(name),
		Golden: p.Golden.String(), Signature: p.Signature.String(), Config: json.RawMessage(p.Config),
		Memory: int64(p.Limits.Memory), Fuel: p.Limits.Fuel, OnError: plugin.OnError(p.OnError),
	}
	if p.Rules != nil {
		spec.Rules = written.Lists(p.Rules)
		spec.Lists = listsOf(cfg, spec.Rules)
	}
	for file, path := range p.Data.All() {
		if spec.Data == nil {
			spec.Data = map[string]string{}
		}
		spec.Data[file] = path.String()
	}
	return spec
}

// listsOf are the files of the lists that rules name: only they make another plugin
// of the rules when they change.
func listsOf(cfg *config.Config, list *rules.Rules) map[string]string {
	var files map[string]string
	for _, name := range list.ListsNamed() {
		path := cfg.Lists.Get(name)
		if path == nil {
			continue // it is the name of a field, or a fault of the rules
		}
		if files == nil {
			files = map[string]string{}
		}
		files[name] = path.String()
	}
	return files
}

// moduleAddress is where the module of a plugin is: a path, or a URL.
func moduleAddress(p *config.Plugin) string {
	if path := p.Module.Path; !path.IsZero() {
		return path.String()
	}
	return p.Module.String()
}

// pluginFaults gives the faults of a plugin that does not load, each at its place:
// those of rules within the expression, those of a module at its plugin.
func pluginFaults(cfg *config.Config, name string, p *config.Plugin, err error) (faults config.Faults) {
	var faulty rules.Errors
	if errors.As(err, &faulty) {
		return written.Faults(cfg, []string{"plugins", name, "rules"}, p.Rules, faulty)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		faults = append(faults, cfg.Faultf([]string{"plugins", name}, "%s", strings.TrimPrefix(line, "plugin "+name+": ")))
	}
	return faults
}
