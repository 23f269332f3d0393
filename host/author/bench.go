package author

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
	"github.com/seed-6a2d649b/pharos/host/beacon"
	"github.com/seed-6a2d649b/pharos/host/plugin"
	"github.com/seed-6a2d649b/pharos/host/wasm"
)

// BenchOptions say what is measured.
type BenchOptions struct {
	Settings
	Inputs []Input
	Sizes  []int         // beacons of a call
	Time   time.Duration // for each size
	Seed   uint64        // of random beacons, where there are no others
	// Progress is told what is measured next.
	Progress func(what string)
}

// Measured is what a plugin costs, beside a guest of the same kind and plan that
// answers at once.
type Measured struct {
	Beacons string // what they are
	Rows    int    // different ones
	Compile time.Duration
	Start   time.Duration // of an instance, config and all
	Memory  int           // bytes of an instance's memory, after the batches
	Sizes   []Size
}

// Size is the cost of a beacon in calls of so many.
type Size struct {
	Rows          int
	Plugin, Empty Cost
	Failed        error // it cannot be measured: the plugin fails at the batch
}

// Cost is that of one beacon.
type Cost struct {
	Nanoseconds float64 // the median of many turns, the copy of the columns and of the answers included
	Fuel        float64
}

// benchTurns is how often plugin and empty guest take turns, for each size: a
// machine's speed drifts.
const benchTurns = 9

// Small calls take turns with other beacons, so that all sizes have about the same.
const (
	benchRows  = 4096
	maxBatches = 256
)

// maxBenchRows bounds the beacons of files that are used.
const maxBenchRows = 20_000

// Bench measures what a module's plugin costs.
func Bench(ctx context.Context, path string, o BenchOptions) (_ *Measured, err error) {
	m := &Measured{}
	began := time.Now()
	g, err := compile(ctx, path)
	if err != nil {
		return nil, err
	}
	m.Compile = time.Since(began)
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	vectors, err := plugin.Vectors(g.module, path)
	if err != nil {
		return nil, err
	}
	settings, plan, err := benchSettings(ctx, g, vectors, o.Settings)
	if err != nil {
		return nil, err
	}
	began = time.Now()
	guest, err := g.instance(ctx, settings)
	if err != nil {
		return nil, err
	}
	m.Start = time.Since(began)
	code, err := emptyGuest(g.kind(), plan)
	if err != nil {
		return nil, errors.Join(err, guest.Close(ctx))
	}
	e, err := compileCode(ctx, "empty guest", code, tryFuel)
	if err != nil {
		return nil, errors.Join(err, guest.Close(ctx))
	}
	defer func() { err = errors.Join(err, e.close(ctx)) }()
	empty, err := e.instance(ctx, Settings{})
	if err != nil {
		return nil, errors.Join(err, guest.Close(ctx))
	}
	s, err := benchBeacons(plan, vectors, o)
	if err != nil {
		return nil, err
	}
	m.Beacons, m.Rows = s.what, s.batch.Rows
	for _, rows := range o.Sizes {
		if o.Progress != nil {
			o.Progress(fmt.Sprintf("calls of %d beacons", rows))
		}
		if guest.Dead() { // it failed at the size before
			if guest, err = g.instance(ctx, settings); err != nil {
				return nil, err
			}
		}
		size, err := measure(ctx, plan, s.batch, rows, guest, empty, o.Time)
		if err != nil {
			return nil, err
		}
		m.Sizes = append(m.Sizes, size)
		m.Memory = max(m.Memory, guest.MemoryBytes())
	}
	return m, nil
}

// benchSettings are the given ones, or the first of a golden vector that the plugin
// takes.
func benchSettings(ctx context.Context, g *guest, vectors []*abi.Vector, given Settings) (Settings, *abi.Plan, error) {
	plan, err := g.plan(ctx, given)
	if err == nil || len(given.Config) > 0 {
		return given, plan, err
	}
	for _, v := range vectors {
		if v.Refused {
			continue
		}
		s := Settings{Config: v.Config, Data: v.DataFiles()}
		if plan, err := g.plan(ctx, s); err == nil {
			return s, plan, nil
		}
	}
	return given, nil, fmt.Errorf("%w: give a config", err)
}

// benchBeacons are those of the files, else those of the golden vectors, else random.
func benchBeacons(plan *abi.Plan, vectors []*abi.Vector, o BenchOptions) (sample, error) {
	if len(o.Inputs) > 0 {
		return fileBeacons(plan, o.Inputs)
	}
	var rows [][]abi.Value
	for _, v := range vectors {
		more, err := v.Rows(plan.Fields)
		if err != nil {
			return sample{}, err
		}
		rows = append(rows, more...)
	}
	if len(rows) > 0 {
		return ofRows("those of the golden vectors", plan, rows), nil
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	return ofRows("random ones", plan, tck.Beacons(rng, plan.Fields, 1000)), nil
}

// decodable appends beacons of files to a batch, and gives the rows of those that can be
// decoded: as many as are looked at.
func decodable(all *beacon.Batch, inputs []Input) (rows []int, err error) {
	for i := range inputs {
		err := inputs[i].rows(all, func(row int, _ int64, cause beacon.Cause) error {
			if cause == "" {
				rows = append(rows, row)
			}
			if len(rows) == maxBenchRows {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	return rows, nil
}

func fileBeacons(plan *abi.Plan, inputs []Input) (sample, error) {
	s := sample{what: "those of the files", batch: new(abi.Batch)}
	all := beacon.NewBatch(fieldsOf(plan)) // one batch may have rows of several sources
	rows, err := decodable(all, inputs)
	if err != nil {
		return s, err
	}
	if len(rows) == 0 {
		return s, errors.New("the files have no beacon that can be decoded")
	}
	all.Columns(plan.Fields, rows, s.batch)
	return s, nil
}

// measure measures calls of a size.
func measure(ctx context.Context, plan *abi.Plan, beacons *abi.Batch, rows int, guest, empty *wasm.Instance, time time.Duration) (Size, error) {
	size := Size{Rows: rows}
	batches := make([]*abi.Batch, min(max(benchRows/rows, 1), maxBatches))
	picked := make([]int, rows)
	for k := range batches {
		for i := range picked {
			picked[i] = (k*rows + i) % beacons.Rows
		}
		batches[k] = new(abi.Batch)
		tck.Select(beacons, picked, batches[k])
		giveCells(plan, batches[k])
	}
	ns := [2][]float64{}
	for range benchTurns {
		for i, instance := range []*wasm.Instance{guest, empty} {
			n, fuel, err := turn(ctx, instance, batches, time/(2*benchTurns))
			if ctx.Err() != nil {
				return size, ctx.Err()
			}
			if err != nil {
				size.Failed = err
				return size, nil
			}
			ns[i] = append(ns[i], n)
			[]*Cost{&size.Plugin, &size.Empty}[i].Fuel = fuel
		}
	}
	size.Plugin.Nanoseconds, size.Empty.Nanoseconds = median(ns[0]), median(ns[1])
	return size, nil
}

// turn calls an instance for a while with all batches, and gives what a row cost.
func turn(ctx context.Context, i *wasm.Instance, batches []*abi.Batch, while time.Duration) (ns, fuel float64, err error) {
	var out abi.Output
	round := func() error {
		for _, b := range batches {
			if err := i.Process(ctx, b, &out); err != nil {
				return err
			}
		}
		return nil
	}
	if err := round(); err != nil { // makes room, outside of what is measured
		return 0, 0, err
	}
	used, rounds, began := i.Fuel(), 0, time.Now()
	for time.Since(began) < while || rounds == 0 {
		if err := round(); err != nil {
			return 0, 0, err
		}
		rounds++
	}
	rows := float64(rounds * len(batches) * batches[0].Rows)
	return float64(time.Since(began).Nanoseconds()) / rows, float64(i.Fuel()-used) / rows, nil
}

// benchSessions is how many sessions the rows of a batch belong to, of a plugin with
// cells.
const benchSessions = 100

func giveCells(plan *abi.Plan, b *abi.Batch) {
	if len(plan.Cells) == 0 {
		return
	}
	b.Sessions = abi.Sessions{Slots: make([]uint32, b.Rows), Cells: make([][]uint64, len(plan.Cells))}
	for i := range b.Slots {
		b.Slots[i] = uint32(i % benchSessions)
	}
	for i := range b.Cells {
		b.Cells[i] = make([]uint64, benchSessions)
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
