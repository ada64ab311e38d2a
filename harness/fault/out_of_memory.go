package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

const (
	// squeezeEvery is how often the limit is lowered to what the node uses by then: that goes up and down.
	squeezeEvery = 100 * time.Millisecond
	// squeezeFor is for how long a node may get by with what it uses.
	squeezeFor = 10 * time.Second
)

// OutOfMemory limits the memory of the target to less than it uses, or to what it uses, where the kernel refuses less. When the target
// then needs more, the kernel kills it. Healing takes the limit away and starts the node again. The target must be a single
// process, and busy. To checks it is a Kill.
func OutOfMemory(t Target) Fault {
	f := t.at(evidence.FaultKill, squeeze, Both(killed, starved))
	f.Name = "out-of-memory " + t.Name
	f.Needs = []env.Ability{env.MemoryLimit}
	f.Observe = append(slices.Clone(t.Observe), probe.OutOfMemory(t.Nodes...))
	return f
}

// squeeze returns when the node has ended.
func squeeze(ctx context.Context, e *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
	driver, err := env.MemoryLimit.Use(e)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(squeezeFor)
	lift := func(context.Context) error { return nil }
	undo := func(ctx context.Context) error {
		return errors.Join(lift(ctx), bringBack(ctx, n, end, n.Start))
	}
	for {
		limited, refused := tighten(ctx, driver, n)
		if limited != nil {
			lift = limited
		}
		if ended, err := endsWithin(ctx, n, squeezeEvery); ended || err != nil {
			return undo, err
		}
		if time.Now().After(end) {
			return undo, errors.Join(fmt.Errorf("%s gets by with the memory that it has", n.Name), refused)
		}
	}
}

// tighten limits the node to less than it uses. A kernel that refuses such a limit has taken back all that it could, and takes a limit
// of what is left. The Undo is nil if nothing was limited.
func tighten(ctx context.Context, driver env.MemoryLimiter, n *env.Node) (limited env.Undo, err error) {
	for _, share := range []float64{3. / 4, 1} {
		used, failed := driver.Memory(ctx, n)
		if failed != nil {
			return limited, failed
		}
		if limited, err = driver.LimitMemory(ctx, n, int64(share*float64(used))); err == nil {
			break
		}
	}
	return limited, err
}

// endsWithin waits for as long for the node to end, and reports whether it has.
func endsWithin(ctx context.Context, n *env.Node, length time.Duration) (bool, error) {
	patient, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	_, err := n.Wait(patient)
	if err != nil && patient.Err() != nil && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// starved: active when an observer first called the target starved between the order and the heal, healed when it said after the heal
// that the target is not.
func starved(run *evidence.Run, in evidence.Injection) (Times, error) {
	saw, ok := run.FirstSaw(in.Target, evidence.SourceMemory, evidence.SawStarved, in.Ordered)
	if !ok || !in.InForce().Holds(saw.At) {
		return Times{}, fmt.Errorf("%w: the engine did not say that %s was killed for want of memory", ErrUnconfirmed, in.Target)
	}
	fed, ok := run.FirstSaw(in.Target, evidence.SourceMemory, evidence.SawFed, in.Healing)
	if in.Healing == 0 || !ok {
		return Times{Active: saw.At}, fmt.Errorf("%w: the engine went on saying that %s was killed for want of memory", ErrUnconfirmed, in.Target)
	}
	return Times{Active: saw.At, Healed: fed.At}, nil
}
