package env

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Partitioner is a Driver that can lose packets between nodes.
type Partitioner interface {
	// Cut loses that share of the packets on each path, above 0 and at most 1, chosen at random one by one, and no others: what
	// comes back goes another path. The sender is not told. All paths are cut within a moment of each other. Whether a node that
	// is started again meanwhile is still cut off depends on the driver; Undo leaves nothing in either case. An Undo that comes
	// with an error is to be called too: part of it may have happened.
	Cut(ctx context.Context, paths []Path, share float64) (Undo, error)
}

// Path is the way that packets take from one node to another.
type Path struct{ From, To *Node }

// Throttler is a Driver that can keep a node from the CPU.
type Throttler interface {
	// Limit holds the whole node to that many cores, on average, until Undo. Limits on one node must not overlap.
	Limit(ctx context.Context, n *Node, cores float64) (Undo, error)
	// Throttled is for how long, by the kernel's account, processes of the node have been kept waiting by a limit.
	Throttled(ctx context.Context, n *Node) (time.Duration, error)
}

// Delayer is a Driver that can make a server slow to answer.
type Delayer interface {
	// Slow makes what is sent to a port of the node arrive later, until Undo. Connections to it that are open are reset when
	// that begins and when it ends, since they cannot be slowed, or hastened, where they are. An Undo that comes with an error
	// is to be called too.
	Slow(ctx context.Context, n *Node, s Slowness) (Undo, error)
}

// Replacer is a Driver that can put another build of its program in a node's place.
type Replacer interface {
	// Replace starts a node that has ended, with another program and everything else as it was. Its logs go on from the old ones.
	// From then on Proc.Start starts that program.
	Replace(ctx context.Context, n *Node, p Program) error
	// Build names what the node was last started from, by the engine's account: two builds have two names.
	Build(ctx context.Context, n *Node) (string, error)
}

// Slowness is by how much what is sent to a server arrives later.
type Slowness struct {
	Port        int
	But         []*Node       // what they send is left alone
	Least, Most time.Duration // drawn anew for each piece that arrives; the order is kept
	Seed        uint64
}

// Capability names an optional ability of a driver.
type Capability string

// The capabilities.
const (
	Partition Capability = "partition" // of a Partitioner
	Quota     Capability = "quota"     // of a Throttler
	Delay     Capability = "delay"     // of a Delayer
	Upgrade   Capability = "upgrade"   // of a Replacer
)

// ErrUnable says that the driver lacks an ability.
var ErrUnable = errors.New("not an ability of this driver")

// Able returns nil if the driver has all of the abilities, or ErrUnable with the first that it lacks. A driver has them by its
// type, so one that is connected to nothing tells as well.
func Able(d Driver, needs ...Capability) error {
	_, cuts := d.(Partitioner)
	_, limits := d.(Throttler)
	_, slows := d.(Delayer)
	_, replaces := d.(Replacer)
	var has []Capability
	if cuts {
		has = append(has, Partition)
	}
	if limits {
		has = append(has, Quota)
	}
	if slows {
		has = append(has, Delay)
	}
	if replaces {
		has = append(has, Upgrade)
	}
	for _, c := range needs {
		if !slices.Contains(has, c) {
			return fmt.Errorf("%s: %w (%s): choose another driver", c, ErrUnable, d.Name())
		}
	}
	return nil
}

// Cut is the driver's Partitioner, or ErrUnable.
func (e *Env) Cut(ctx context.Context, paths []Path, share float64) (Undo, error) {
	if err := Able(e.driver, Partition); err != nil {
		return nil, err
	}
	return e.driver.(Partitioner).Cut(ctx, paths, share)
}

// Limit is the driver's Throttler, or ErrUnable.
func (e *Env) Limit(ctx context.Context, n *Node, cores float64) (Undo, error) {
	if err := Able(e.driver, Quota); err != nil {
		return nil, err
	}
	return e.driver.(Throttler).Limit(ctx, n, cores)
}

// Slow is the driver's Delayer, or ErrUnable.
func (e *Env) Slow(ctx context.Context, n *Node, s Slowness) (Undo, error) {
	if err := Able(e.driver, Delay); err != nil {
		return nil, err
	}
	return e.driver.(Delayer).Slow(ctx, n, s)
}

// Replace is the driver's Replacer, or ErrUnable.
func (e *Env) Replace(ctx context.Context, n *Node, p Program) error {
	if err := Able(e.driver, Upgrade); err != nil {
		return err
	}
	return e.driver.(Replacer).Replace(ctx, n, p)
}

// Build is the driver's Replacer, or ErrUnable.
func (e *Env) Build(ctx context.Context, n *Node) (string, error) {
	if err := Able(e.driver, Upgrade); err != nil {
		return "", err
	}
	return e.driver.(Replacer).Build(ctx, n)
}

// Throttled is the driver's Throttler, or ErrUnable.
func (e *Env) Throttled(ctx context.Context, n *Node) (time.Duration, error) {
	if err := Able(e.driver, Quota); err != nil {
		return 0, err
	}
	return e.driver.(Throttler).Throttled(ctx, n)
}
