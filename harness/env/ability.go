package env

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Partitioner is a Driver that can lose packets between nodes.
type Partitioner interface {
	// Partition loses that share of the packets on each path, above 0 and at most 1, chosen at random one by one, and no others:
	// what comes back goes another path. The sender is not told. All paths are cut within a moment of each other. Whether a node
	// that is started again meanwhile is still cut off depends on the driver; Undo leaves nothing in either case. An Undo that
	// comes with an error is to be called too: part of it may have happened.
	Partition(ctx context.Context, paths []Path, share float64) (Undo, error)
}

// Path is the way that packets take from one node to another.
type Path struct{ From, To *Node }

// CPULimiter is a Driver that can keep a node from the CPU.
type CPULimiter interface {
	// LimitCPU holds the whole node to that many cores, on average, until Undo. Limits on one node must not overlap.
	LimitCPU(ctx context.Context, n *Node, cores float64) (Undo, error)
	// Throttled is for how long, by the kernel's account, processes of the node have been kept waiting by a limit.
	Throttled(ctx context.Context, n *Node) (time.Duration, error)
}

// Delayer is a Driver that can make a server slow to answer.
type Delayer interface {
	// Delay makes what is sent to a port of the node arrive later, until Undo. Connections to it that are open are reset when
	// the delay begins and when it ends, since their speed cannot be changed while they are open. An Undo that comes with an
	// error is to be called too.
	Delay(ctx context.Context, n *Node, d Delay) (Undo, error)
}

// Delay is latency added to the traffic that is sent to a port.
type Delay struct {
	Port        int
	Except      []*Node       // what they send is not delayed
	Least, Most time.Duration // drawn anew for each piece that arrives; the order is kept
	Seed        uint64
}

// Resetter is a Driver that can reset connections between nodes.
type Resetter interface {
	// Reset resets the TCP connections between the node and each of its peers until Undo, whichever end opened them: a new one at
	// once, and for each end an open one when that end next sends. All other traffic passes. An Undo that comes with an error is to
	// be called too.
	Reset(ctx context.Context, n *Node, peers []*Node) (Undo, error)
}

// Replacer is a Driver that can put another build of its program in a node's place.
type Replacer interface {
	// Replace starts a node that has ended, with another program and everything else as it was. Its logs go on from the old ones.
	// From then on Proc.Start starts that program.
	Replace(ctx context.Context, n *Node, p Program) error
	// Build names what the node was last started from, by the engine's account: two builds have two names.
	Build(ctx context.Context, n *Node) (string, error)
}

// Accountant is a Driver that can ask the kernel what a node holds.
type Accountant interface {
	// Account reads the kernel's account of the node's main process.
	Account(ctx context.Context, n *Node) (Account, error)
}

// Account is what a process holds, by the kernel's account.
type Account struct {
	Resident    int64 // bytes of memory that are resident
	Descriptors int   // open file descriptors
	Sockets     int   // of these, sockets
}

// CPUAccountant is a Driver that can tell how much of this machine's CPU time its run uses.
type CPUAccountant interface {
	// CPUTime is how much CPU time of the machine on which this process runs was used for the run so far: by this process, by all
	// nodes over all their starts and builds, and by what the driver started beside them. What runs them all counts as well, and so
	// does the kernel, also where they work for others. It never falls. Of what has ended since the last call it counts what is likely. The error is ErrUnable where the nodes run
	// elsewhere.
	CPUTime(ctx context.Context) (time.Duration, error)
}

// Ability is something that only some drivers can do.
type Ability interface{ missing(Driver) error }

// The abilities that faults of package fault need, and probes make use of.
const (
	Partition AbilityOf[Partitioner] = "partition"
	CPUQuota  AbilityOf[CPULimiter]  = "cpu-quota"
	Latency   AbilityOf[Delayer]     = "latency"
	Reset     AbilityOf[Resetter]    = "reset"
	Upgrade   AbilityOf[Replacer]    = "upgrade"
	Accounts  AbilityOf[Accountant]  = "accounts"

	CPUTime AbilityOf[CPUAccountant] = "cpu-time"
)

// AbilityOf is the name of an ability that drivers have which are a T. Whoever adds a kind of fault declares T beside it.
type AbilityOf[T any] string

// ErrUnable says that the driver lacks an ability.
var ErrUnable = errors.New("not an ability of this driver")

// Able returns nil if the driver has all of the abilities, or ErrUnable with the first that it lacks. A driver has them by its
// type, so one that is connected to nothing tells as well.
func Able(d Driver, needs ...Ability) error {
	for _, a := range needs {
		if err := a.missing(d); err != nil {
			return err
		}
	}
	return nil
}

// Use returns the driver as a T, such as a Partitioner, or ErrUnable.
func (a AbilityOf[T]) Use(e *Env) (T, error) { return a.of(e.driver) }

func (a AbilityOf[T]) missing(d Driver) error {
	_, err := a.of(d)
	return err
}

func (a AbilityOf[T]) of(d Driver) (T, error) {
	able, ok := d.(T)
	if !ok {
		return able, fmt.Errorf("%s: %w (%s): choose another driver", string(a), ErrUnable, d.Name())
	}
	return able, nil
}
