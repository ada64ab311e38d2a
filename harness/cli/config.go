package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/sentinel-chaos/sentinel/harness"
)

// The environment variables that the command line and `go test` both read.
const (
	envDriver = "CHAOS_DRIVER"
	envSeed   = "CHAOS_SEED"
	envOut    = "CHAOS_OUT"
)

// Config is an App, and what the environment decides about it.
type Config struct {
	App
	Driver Driver // what every run of the process uses
	Why    string // it is this driver
	Seed   uint64 // of every random choice in the plans
	Out    string // folder that receives one folder per run
	Root   string // folder of go.mod: Go programs are built there
}

// errUsage marks what the user can mend by typing something else.
var errUsage = errors.New("usage")

// ReadConfig reads CHAOS_DRIVER, CHAOS_SEED and CHAOS_OUT through getenv, normally os.Getenv.
func ReadConfig(ctx context.Context, a App, getenv func(string) string) (Config, error) {
	root, err := moduleRoot()
	if err != nil {
		return Config{}, err
	}
	c := Config{App: a, Root: root, Out: filepath.Join(root, filepath.FromSlash(a.Out))}
	if c.Driver, c.Why, err = a.driver(ctx, cmp.Or(getenv(envDriver), auto)); err != nil {
		return Config{}, err
	}
	if c.Seed, err = readSeed(getenv(envSeed)); err != nil {
		return Config{}, err
	}
	if v := getenv(envOut); v != "" {
		if c.Out, err = filepath.Abs(v); err != nil {
			return Config{}, fmt.Errorf("%w: %s=%q: %w", errUsage, envOut, v, err)
		}
	}
	return c, nil
}

// Fit refuses a scenario that cannot be run with this seed, or on this driver, before anything starts.
func (c Config) Fit(sc harness.Scenario) error {
	sc = sc.Drawn(c.Seed)
	if err := sc.Validate(); err != nil {
		return err
	}
	return sc.Fits(c.Driver.Kind)
}

// readSeed takes the user's seed, or draws one that fits a JavaScript number, since reports show it and jq reads it.
func readSeed(v string) (uint64, error) {
	const safe = 1 << 53
	if v == "" {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, fmt.Errorf("draw a seed: %w", err)
		}
		return binary.LittleEndian.Uint64(b[:]) % safe, nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n >= safe {
		return 0, fmt.Errorf("%w: %s=%q: want a whole number from 0 to %d", errUsage, envSeed, v, uint64(safe-1))
	}
	return n, nil
}

// moduleRoot is the nearest folder at or above the working directory that holds go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("%w: no go.mod here or above: run this inside the module's folder", errUsage)
		}
		dir = up
	}
}
