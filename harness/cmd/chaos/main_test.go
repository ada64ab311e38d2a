package main

import (
	"path/filepath"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/cli"
	"github.com/sentinel-chaos/sentinel/harness/cmd/chaos/wiring"
	"github.com/sentinel-chaos/sentinel/scenarios"
)

// TestMutants: every seeded defect still applies to the service, compiles, and names a scenario and a check that exist.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if err := cli.VerifyMutants(t.Context(), root, t.TempDir(), wiring.App(scenarios.All())); err != nil {
		t.Error(err)
	}
}
