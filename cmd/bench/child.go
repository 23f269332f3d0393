package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-6a2d649b/pharos/host/broker"
	"github.com/seed-6a2d649b/pharos/host/config"
	"github.com/seed-6a2d649b/pharos/host/pipeline"
)

// task is what a child process does.
type task struct {
	Job     job
	Dir     string        // of the broker's data
	Config  string        // file of a stage
	Role    pipeline.Role // of a stage
	Client  client
	Profile string // file for a CPU profile; empty: none
}

type job string

const (
	brokerJob job = "broker" // serves; says its address
	readJob   job = "read"   // these three say when they begin, and end when all is read
	copyJob   job = "copy"
	exactJob  job = "exact" // a copy with a transaction a second
	stageJob  job = "stage" // a stage, until it is stopped
)

// child does the task of this child process.
func child(spec string) (err error) {
	var t task
	if err := json.Unmarshal([]byte(spec), &t); err != nil {
		return fmt.Errorf("the task of a child process: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if t.Profile != "" {
		f, err := os.Create(t.Profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	defer func() {
		n, failed := peak()
		err = errors.Join(err, failed)
		fmt.Printf(peakFormat+"\n", n)
	}()
	log := hclog.New(&hclog.LoggerOptions{Name: "bench", Level: hclog.Warn, Output: os.Stderr})
	switch t.Job {
	case brokerJob:
		return serve(ctx, t.Dir, log)
	case stageJob:
		cfg, err := config.Load(t.Config)
		if err != nil {
			return err
		}
		return pipeline.Run(ctx, cfg, pipeline.RunOptions{Roles: []pipeline.Role{t.Role}, Log: log, Out: io.Discard})
	}
	return (&clientRun{client: t.Client}).run(ctx, t.Job)
}

// serve runs the broker until ctx ends.
func serve(ctx context.Context, dir string, log hclog.Logger) error {
	b, err := broker.Start(broker.Config{Dir: dir, MaxBytes: 1 << 40, Logger: log})
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Println(b.Addr())
	<-ctx.Done()
	return nil
}
