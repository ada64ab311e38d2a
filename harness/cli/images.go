package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/sentinel-chaos/sentinel/fixtures/docker"
	"github.com/sentinel-chaos/sentinel/fixtures/images"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/env"
)

type imagesCmd struct{}

// Run prepares every program of the catalogue, so that a later run, or one without a network, need not.
func (imagesCmd) Run(ctx context.Context, a *app) error {
	cfg, err := ReadConfig(a.getenv)
	if err != nil {
		return err
	}
	p := newProgress(a.err, a.live)
	d, err := docker.New(ctx, docker.Options{Run: newRunID() + "-images", Root: cfg.Root, Progress: p.logf})
	if err != nil {
		return fmt.Errorf("%w: %w", harness.ErrSetup, err)
	}
	defer d.Close(context.WithoutCancel(ctx))
	var programs []env.Program
	for _, sc := range a.catalogue {
		programs = append(programs, sc.Programs()...)
	}
	if err := d.Prepare(ctx, programs); err != nil {
		return fmt.Errorf("%w: %w", harness.ErrSetup, err)
	}
	fmt.Fprintln(a.out, "images are ready")
	return nil
}

type cleanCmd struct{}

// Run removes every image of ours, and, as every start of a run does, what killed runs left behind. Runs that are going
// on are left alone.
func (cleanCmd) Run(ctx context.Context, a *app) error {
	cfg, err := ReadConfig(a.getenv)
	if err != nil {
		return err
	}
	p := newProgress(a.err, a.live)
	d, err := docker.New(ctx, docker.Options{Run: newRunID() + "-clean", Root: cfg.Root, Progress: p.logf})
	if err != nil {
		return fmt.Errorf("%w: %w", harness.ErrSetup, err)
	}
	if err := errors.Join(d.Close(ctx), images.Clean(ctx), sweepScratch()); err != nil {
		return fmt.Errorf("%w: %w", harness.ErrSetup, err)
	}
	return nil
}
