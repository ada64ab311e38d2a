package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/env"
)

type imagesCmd struct{}

// Run prepares every program of the catalogue, so that a later run, or one without a network, need not.
func (imagesCmd) Run(ctx context.Context, c *console) error {
	err := c.connected(ctx, "images", func(_ Driver, d env.Driver) error {
		var programs []env.Program
		for _, sc := range c.Catalogue {
			programs = append(programs, sc.Programs()...)
		}
		return d.Prepare(ctx, programs)
	})
	if err == nil {
		fmt.Fprintln(c.out, "images are ready")
	}
	return err
}

type cleanCmd struct{}

// Run removes what the driver keeps, and, as every start of a run does, what killed runs left behind. Runs that are going
// on are left alone.
func (cleanCmd) Run(ctx context.Context, c *console) error {
	return c.connected(ctx, "clean", func(kind Driver, _ env.Driver) error { return kind.Clean(ctx) })
}

// connected does something with a driver that runs no scenario.
func (c *console) connected(ctx context.Context, purpose string, do func(Driver, env.Driver) error) error {
	cfg, err := ReadConfig(ctx, c.App, c.getenv)
	if err != nil {
		return err
	}
	p := newProgress(c.err, c.live)
	d, err := cfg.Driver.Connect(ctx, Connection{Run: newRunID() + "-" + purpose, Root: cfg.Root, Logf: p.logf})
	if err == nil {
		err = errors.Join(do(cfg.Driver, d), d.Close(context.WithoutCancel(ctx)))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", harness.ErrSetup, err)
	}
	return nil
}
