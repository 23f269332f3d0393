// Package native asks plugins in C that are built as native programs: sdk/c/native.c
// says how they are built, and what they are asked.
package native

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"

	"github.com/seed-6a2d649b/pharos/abi"
)

// Guest is a program that runs. It is asked by one goroutine at a time.
type Guest struct {
	Manifest *abi.Manifest
	Closes   bool      // it has a close function
	Plan     *abi.Plan // of the config

	wait   func() error // for its end
	in     io.WriteCloser
	out    io.Reader
	log    bytes.Buffer
	layout *abi.Layout
}

// What a program is asked.
const (
	askManifest = 1 + iota
	askData
	askConfigure
	askPlan
	askProcess
	askClose
)

// ErrDied is wrapped by errors of programs that ended instead of answering.
var ErrDied = errors.New("it died")

// Start runs a program until Close, or until ctx ends.
func Start(ctx context.Context, program string) (_ *Guest, err error) {
	cmd := exec.CommandContext(ctx, program)
	g := &Guest{wait: sync.OnceValue(cmd.Wait)}
	cmd.Stderr = &g.log
	if g.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if g.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	code, text, err := g.ask(askManifest, nil)
	if err == nil {
		g.Closes = code == 1
		g.Manifest, err = abi.ParseManifest(text)
	}
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// Close ends the program. That it has died is told by what it was asked.
func (g *Guest) Close() error {
	_ = g.in.Close() // there is nothing left to write
	var exit *exec.ExitError
	if err := g.wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// maxAnswer bounds what a program answers: a batch is smaller.
const maxAnswer = 1 << 30

func (g *Guest) ask(what uint32, content []byte) (code uint32, answer []byte, err error) {
	question := binary.LittleEndian.AppendUint32(nil, what)
	question = binary.LittleEndian.AppendUint32(question, uint32(len(content)))
	var head [8]byte
	if _, err = g.in.Write(append(question, content...)); err == nil {
		_, err = io.ReadFull(g.out, head[:])
	}
	if err == nil {
		size := binary.LittleEndian.Uint32(head[4:])
		if size > maxAnswer {
			return 0, nil, fmt.Errorf("it answers with %d bytes", size)
		}
		answer = make([]byte, size)
		_, err = io.ReadFull(g.out, answer)
	}
	if err != nil {
		return 0, nil, g.died()
	}
	return binary.LittleEndian.Uint32(head[:]), answer, nil
}

// died says how the program has ended.
func (g *Guest) died() error {
	_ = g.in.Close() // it may wait for more
	how := "exit status 0"
	if err := g.wait(); err != nil {
		how = err.Error()
	}
	return fmt.Errorf("%w (%s) %s", ErrDied, how, bytes.TrimSpace(g.log.Bytes()))
}

// Configure gives the program its config and data files, and takes its plan.
func (g *Guest) Configure(config json.RawMessage, data map[string][]byte) error {
	type file struct {
		Ptr uint64 `json:"ptr"`
		Len int    `json:"len"`
	}
	document := struct {
		Config json.RawMessage `json:"config"`
		Data   map[string]file `json:"data"`
	}{config, map[string]file{}}
	for name, content := range data {
		_, address, err := g.ask(askData, content)
		if err != nil {
			return err
		}
		if len(address) != 8 {
			return fmt.Errorf("an address of %d bytes", len(address))
		}
		document.Data[name] = file{binary.LittleEndian.Uint64(address), len(content)}
	}
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	code, why, err := g.ask(askConfigure, text)
	if err != nil {
		return err
	}
	if code != abi.Done {
		return fmt.Errorf("the config is refused: code %d: %s", code, why)
	}
	if _, text, err = g.ask(askPlan, nil); err != nil {
		return err
	}
	if g.Plan, err = abi.ParsePlan(g.Manifest.Kind, text); err != nil {
		return err
	}
	g.layout = abi.NewLayout(g.Manifest.Kind, g.Plan)
	return nil
}

// Process answers a batch, whose outputs have no room at first.
func (g *Guest) Process(_ context.Context, b *abi.Batch, out *abi.Output) error {
	question := uint32(askProcess)
	if b.Closed {
		question = askClose
	}
	for room := (abi.Capacity{}); ; {
		size, err := g.layout.Place(b, room)
		if err != nil {
			return err
		}
		batch := make([]byte, size)
		g.layout.Write(batch, b)
		code, answer, err := g.ask(question, batch)
		switch {
		case err != nil:
			return err
		case code > abi.TooSmall:
			return fmt.Errorf("code %d: %s", code, answer)
		case len(answer) != size:
			return fmt.Errorf("a batch of %d bytes comes back with %d", size, len(answer))
		case code == abi.Done:
			return g.layout.Read(answer, out)
		}
		if room, err = g.layout.Needed(answer); err != nil {
			return err
		}
	}
}

// CheckVector runs a golden vector by a program of its own. check says whether the
// manifest's schema takes a config: no guest sees one that it refuses. The error is as
// of abi.Vector.Run.
func CheckVector(ctx context.Context, program string, v *abi.Vector, check func(json.RawMessage) error) (err error) {
	g, err := Start(ctx, program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	refused := check(v.Config)
	if refused == nil {
		refused = g.Configure(v.Config, v.DataFiles())
	}
	switch {
	case v.Refused && (refused == nil || errors.Is(refused, ErrDied) || !strings.Contains(refused.Error(), v.ConfigError)):
		return fmt.Errorf("the config is to be refused with %q: %w", v.ConfigError, cmp.Or(refused, errAccepted))
	case v.Refused:
		return nil
	case refused != nil:
		return refused
	}
	return v.Run(g.Manifest.Kind, g.Plan, func(b *abi.Batch, out *abi.Output) error { return g.Process(ctx, b, out) })
}

var errAccepted = errors.New("it is accepted")
