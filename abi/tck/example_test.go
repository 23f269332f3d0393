package tck_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/abi/tck"
)

// first keeps the first row of each batch: a guest that is not pure.
type first struct{}

func (first) Process(_ context.Context, b *abi.Batch, out *abi.Output) error {
	out.Reset()
	out.Keep = append(out.Keep, make([]byte, abi.BitmapBytes(b.Rows))...)
	out.Reasons = append(out.Reasons, make([]byte, b.Rows)...)
	abi.SetBit(out.Keep, 0)
	return nil
}

// A guest that anything runs is tried with random beacons of its plan.
func ExampleTry() {
	plan := &abi.Plan{Fields: []abi.Field{{Name: "type", Type: abi.Str}}, Reasons: []string{"not the first"}}
	guest := tck.Subject{
		Kind: abi.Filter, Plan: plan,
		New: func(context.Context) (tck.Guest, func() error, error) {
			return first{}, func() error { return nil }, nil
		},
	}
	var batch abi.Batch
	abi.Build(plan.Fields, tck.Beacons(rand.New(rand.NewPCG(1, 1)), plan.Fields, 100, "click", "view"), &batch)
	report, err := tck.Try(context.Background(), guest, &batch, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(report.Guilty), "rows at which it fails")
	fmt.Println(report.Failures[0])
	// Output:
	// 0 rows at which it fails
	// reversed: row 99 is answered keep, in the whole batch drop "not the first"
}
