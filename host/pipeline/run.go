package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// HostOptions say how a host is told what to do while it runs.
type HostOptions struct {
	// Load reads the host's config file anew; nil: there is none to be read anew.
	Load   func(context.Context) (*config.Config, error)
	Reload <-chan os.Signal // each is a reload; nil: none come
	// Watch has the host reload when the file, or one that it names, changes.
	Watch bool
	// AcceptLoss are partitions, as TOPIC/PARTITION, with which the host goes on
	// although something of them is lost.
	AcceptLoss []string
}

// RunOptions say which roles to run.
type RunOptions struct {
	HostOptions
	Roles []Role
	Log   hclog.Logger
	Out   io.Writer // where the addresses are said
}

// Run runs roles against Kafka until ctx ends; then it finishes what it has in
// hand. Where the config has no kafka it joins the broker of an Up on the same
// data directory.
func Run(ctx context.Context, cfg *config.Config, o RunOptions) (err error) {
	k, err := kafkaConfig(cfg, o.Log)
	if err != nil {
		return err
	}
	h, err := newHost(ctx, cfg, k, hostOptions{roles: o.Roles, log: o.Log, HostOptions: o.HostOptions})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	serves := "status"
	if h.has(Query) {
		serves = "page and API"
	}
	fmt.Fprintf(o.Out, "Pharos runs %s.\n  %-12s  %s\n  brokers       %v\n", rolesText(o.Roles), serves, h.server.url(), k.Brokers)
	return h.run(ctx)
}

func rolesText(roles []Role) string {
	if len(roles) == len(AllRoles) {
		return "all roles"
	}
	return fmt.Sprintf("%v", roles)
}

func (h *host) has(r Role) bool { return slices.Contains(h.roles, r) }

// kafkaConfig says how to reach the brokers of a config, or the broker of an Up
// on its data directory.
func kafkaConfig(cfg *config.Config, log hclog.Logger) (kafka.Config, error) {
	k := kafka.Config{ClientID: cfg.Group, Logger: log.Named("kafka")}
	if cfg.Kafka == nil {
		addr, err := embeddedAddress(cfg)
		if err != nil {
			return k, err
		}
		k.Brokers = []string{addr}
		return k, nil
	}
	k.Brokers = cfg.Kafka.Brokers
	if s := cfg.Kafka.SASL; s != nil {
		k.SASL = &kafka.SASL{Mechanism: s.Mechanism, User: s.User, Password: s.Password.Reveal()}
	}
	var err error
	k.TLS, err = tlsConfig("kafka.tls", cfg.Kafka.TLS)
	return k, err
}
