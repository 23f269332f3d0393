// Command m3db is an M3DB node with its coordinator and etcd in one process, for
// tests. It is a module of its own, since M3 needs versions of libraries that
// nothing else may be bound to.
package main

import (
	"flag"
	"log"

	"github.com/m3db/m3/src/cmd/services/m3dbnode/config"
	"github.com/m3db/m3/src/cmd/services/m3dbnode/server"
	xconfig "github.com/m3db/m3/src/x/config"
	"github.com/m3db/m3/src/x/config/configflag"
	xos "github.com/m3db/m3/src/x/os"
)

func main() {
	var opts configflag.Options
	opts.Register()
	flag.Parse()
	var cfg config.Configuration
	if err := opts.MainLoad(&cfg, xconfig.Options{}); err != nil {
		log.Fatalf("load config: %v", err)
	}
	if err := cfg.Validate(); err != nil {
		log.Fatalf("validate config: %v", err)
	}
	server.RunComponents(server.Options{Configuration: cfg, InterruptCh: xos.NewInterruptChannel(cfg.Components())})
}
