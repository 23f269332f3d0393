package main

import (
	"testing"

	"github.com/seed-6a2d649b/pharos/sdk/go/pharostest"
)

func TestGolden(t *testing.T) { pharostest.Golden(t, "session.golden.ndjson") }
