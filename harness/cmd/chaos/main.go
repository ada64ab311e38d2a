// Command chaos runs this repository's catalogue of scenarios.
package main

import (
	"os"

	"github.com/sentinel-chaos/sentinel/harness/cli"
	"github.com/sentinel-chaos/sentinel/harness/cmd/chaos/wiring"
	"github.com/sentinel-chaos/sentinel/scenarios"
)

func main() { os.Exit(cli.Main(wiring.App(scenarios.All()))) }
