// Package wiring puts this repository's drivers and reports under a catalogue of scenarios. `chaos` and `go test` both use
// it, so they cannot drift apart.
package wiring

import (
	"context"

	"github.com/sentinel-chaos/sentinel/fixtures/docker"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/pages"
	"github.com/sentinel-chaos/sentinel/fixtures/images"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/cli"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/reports"
)

// App gives the catalogue all that it needs to be run.
func App(catalogue []harness.Scenario) cli.App {
	return cli.App{
		Catalogue: catalogue,
		Drivers:   []cli.Driver{containers()},
		Reports:   cli.Reports{Run: renderRun, Scenario: func(dir string) error { return reports.RenderScenario(dir, pages.Options()) }},
		Mutants:   "scenarios/mutants",
		Out:       "reports/out",
	}
}

// containers run on a Docker engine. The scenarios of a process share their images.
func containers() cli.Driver {
	var made docker.Images
	return cli.Driver{
		Kind:    new(docker.Driver),
		Answers: docker.Answers,
		Connect: func(ctx context.Context, c cli.Connection) (env.Driver, error) {
			return docker.New(ctx, docker.Options{Run: c.Run, Root: c.Root, Progress: c.Logf, Overlay: c.Overlay, Race: c.Race, Images: &made})
		},
		Clean: images.Clean,
	}
}

func renderRun(dir string) (passed, all int, err error) {
	r, err := reports.Render(dir, pages.Options())
	return r.Count(reports.Pass), len(r.Scenarios), err
}
