package closes_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/abi"
	_ "github.com/seed-6a2d649b/pharos/sdk/go/closes"
	"github.com/seed-6a2d649b/pharos/sdk/go/pharos"
)

func TestPluginMustClose(t *testing.T) {
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, "has no Close") {
			t.Error(said)
		}
	}()
	pharos.Register(pharos.Plugin{
		Configure: func(pharos.Config) (abi.Plan, error) { return abi.Plan{}, nil },
		Process:   func(*pharos.Batch) error { return nil },
	})
}
