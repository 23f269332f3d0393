package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/broker"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/kafka"
)

// UpOptions say how to run everything in one process.
type UpOptions struct {
	HostOptions
	Demo bool // produce the demo's traffic to the first source
	Log  hclog.Logger
	Out  io.Writer // where the addresses are said
}

// Up runs all roles on an embedded broker and store until ctx ends.
func Up(ctx context.Context, cfg *config.Config, o UpOptions) (err error) {
	if cfg.Kafka != nil {
		return cfg.Faultf([]string{"kafka"}, "up brings its own broker: leave kafka out, or use pharos run")
	}
	b, err := startBroker(cfg, o.Log)
	if err != nil {
		return err
	}
	defer b.Close()
	k := kafka.Config{Brokers: []string{b.Addr()}, ClientID: cfg.Group, Logger: o.Log.Named("kafka")}
	options := hostOptions{id: "up", roles: AllRoles, embedded: true, log: o.Log, HostOptions: o.HostOptions}
	if o.Demo {
		options.beside = func(ctx context.Context) error { return runDemo(ctx, k, cfg.Sources[0].Topic) }
	}
	h, err := newHost(ctx, cfg, k, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	fmt.Fprintf(o.Out, "Pharos is up.\n  page    %s\n  broker  %s\n  data    %s\n", h.server.url(), b.Addr(), cfg.Data)
	return h.run(ctx)
}

// preferredPort is the embedded broker's where it is free and none was used before.
const preferredPort = 9092

// addressFile holds the address of the broker that runs on a data directory.
func addressFile(cfg *config.Config) string { return cfg.Data.Join("broker/address").String() }

// startBroker starts the embedded broker, where possible at the address that it
// had before, and writes its address down for send and run.
func startBroker(cfg *config.Config, log hclog.Logger) (*broker.Broker, error) {
	c := broker.Config{Dir: cfg.Data.Join("broker").String(), Port: preferredPort, Logger: log.Named("broker")}
	if before, err := os.ReadFile(addressFile(cfg)); err == nil {
		if _, port, err := net.SplitHostPort(strings.TrimSpace(string(before))); err == nil {
			c.Port, _ = strconv.Atoi(port) // 0, any port, where it is no number
		}
	}
	b, err := broker.Start(c)
	if errors.Is(err, syscall.EADDRINUSE) {
		log.Info("the broker's port is taken, another one takes its place", "port", c.Port)
		c.Port = 0
		b, err = broker.Start(c)
	}
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(addressFile(cfg), []byte(b.Addr()+"\n"), 0o644); err != nil {
		b.Close()
		return nil, fmt.Errorf("write down the broker's address: %w", err)
	}
	return b, nil
}

// embeddedAddress is the address of the broker of an Up that runs on the data
// directory. Where none does, something else may have its port by now.
func embeddedAddress(cfg *config.Config) (string, error) {
	running, err := broker.Running(cfg.Data.Join("broker").String())
	if err != nil {
		return "", err
	}
	if !running {
		return "", fmt.Errorf("the config has no kafka, and no pharos up runs on the data directory %s: start one with 'pharos up -c', or set kafka.brokers", cfg.Data)
	}
	addr, err := os.ReadFile(addressFile(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the pharos up on the data directory %s is just starting: try again in a moment", cfg.Data)
	}
	if err != nil {
		return "", fmt.Errorf("the address of the embedded broker: %w", err)
	}
	return strings.TrimSpace(string(addr)), nil
}
