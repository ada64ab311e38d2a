package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// clocksEvery is how often the harness looks at its own wall clock, which costs next to nothing.
	clocksEvery = 100 * time.Millisecond
	// clocksChange is the least change of the offset that is recorded. Where monotonic and wall clock are slewed together, as on
	// Linux, only a step or a suspended machine makes one; elsewhere slewing takes 2 s for it at the 500 ppm that NTP allows itself.
	clocksChange = time.Millisecond
	// nodeClockEvery is how often a node is asked for its time.
	nodeClockEvery = time.Second
)

// Clocks compares the harness's wall clock with the monotonic clock of the run: at the start, at the end, and whenever the offset
// has changed in between.
func Clocks() Probe { return clocksFrom(time.Now) }

func clocksFrom(wall func() time.Time) Probe {
	look := func(rec *evidence.Recorder) evidence.Clock {
		c, _ := compareClock(rec, evidence.ClockHarness, func() (time.Time, error) { return wall(), nil })
		return c
	}
	return Probe{
		Name: "clocks",
		Watch: func(ctx context.Context, _ *env.Env, rec *evidence.Recorder) error {
			last := look(rec)
			evidence.Clocks.Put(rec, last)
			tick(ctx, clocksEvery, func() {
				if c := look(rec); (c.Offset - last.Offset).Abs() >= clocksChange+c.Error+last.Error {
					last = c
					evidence.Clocks.Put(rec, c)
				}
			})
			return nil
		},
		Collect: func(_ context.Context, _ *env.Env, rec *evidence.Recorder) error {
			evidence.Clocks.Put(rec, look(rec))
			return nil
		},
	}
}

// NodeClock compares the wall clocks of the nodes of a role with the clock of the run, every second and at the end. ask has a node
// tell its time, by whatever way is quick, as half of the round trip bounds the error. Nodes of one machine share its clock, also
// those in containers, so one of them is enough. One that does not answer tells nothing; at the end it must.
func NodeClock(role string, ask func(context.Context, *env.Node) (time.Time, error)) Probe {
	put := func(ctx context.Context, rec *evidence.Recorder, n *env.Node) error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		c, err := compareClock(rec, n.Name, func() (time.Time, error) { return ask(ctx, n) })
		if err == nil {
			evidence.Clocks.Put(rec, c)
		}
		return err
	}
	return Probe{
		Name: "clocks of " + role,
		Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
			var all Group
			for _, n := range e.Role(role) {
				all.Go(func() error {
					tick(ctx, nodeClockEvery, func() { _ = put(ctx, rec, n) })
					return nil
				})
			}
			return all.Wait()
		},
		Collect: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
			for _, n := range e.Role(role) {
				if err := put(ctx, rec, n); err != nil {
					return fmt.Errorf("ask %s for its time: %w", n.Name, err)
				}
			}
			return nil
		},
	}
}

// compareClock asks a wall clock for the time. It was told at some moment between the question and the answer.
func compareClock(rec *evidence.Recorder, of string, ask func() (time.Time, error)) (evidence.Clock, error) {
	asked := rec.Now()
	told, err := ask()
	bound := (rec.Now() - asked) / 2
	at := asked + bound
	return evidence.Clock{At: at, Node: of, Offset: wallOf(told).Sub(wallOf(rec.Epoch())) - at, Error: bound}, err
}

// wallOf is the time without its monotonic reading, so that the wall clock counts.
func wallOf(t time.Time) time.Time { return t.Round(0) }
