// Package env says what runs and how to reach it: a System starts Nodes through a Driver and registers them in an Env.
// It knows neither the drivers nor what is put under test.
package env

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// System is what is put under test, with everything it depends on. Start returns once all of it is ready to serve, or an
// error that names what was awaited; whatever was launched until then is the Env's to remove.
type System interface {
	Start(ctx context.Context, e *Env) error
}

// Quiescer is a System that can tell when it is at rest after the load: nothing in flight, nothing buffered.
// Quiet blocks until then, or returns an error that names what is still busy when ctx ends.
type Quiescer interface {
	Quiet(ctx context.Context, e *Env) error
}

// Preparer is a System that can name its programs before it starts.
type Preparer interface {
	Programs() []Program
}

// Roster is a System that can say before it starts which nodes it will have: of each Spec, Name and Role count.
type Roster interface {
	Roster() []Spec
}

// Demander is a System that can say before it starts which abilities of the driver it needs.
type Demander interface {
	Needs() []Ability
}

// Driver turns Specs into running processes, each with an address of its own that outlives restarts.
type Driver interface {
	// Name is the driver's name as users write it: one word.
	Name() string
	// Addr reserves and returns the IP address that the node of that name has or will have.
	Addr(node string) (string, error)
	// Prepare builds or fetches what the programs need, which can take minutes the first time, so that no start waits for it.
	Prepare(ctx context.Context, programs []Program) error
	// Launch starts the node. On error nothing of it is left behind.
	Launch(ctx context.Context, s Spec) (Proc, error)
	// Close removes everything that was launched, whatever state it is in. It is safe to call twice.
	Close(ctx context.Context) error
}

// Proc is a launched node.
type Proc interface {
	// Start starts it again after it ended, with the same address, arguments and files; a Scratch folder comes back empty.
	Start(ctx context.Context) error
	// Signal reaches the whole process tree for Kill, Pause and Resume, and the main process for Term.
	Signal(ctx context.Context, s Signal) error
	// Exec runs a command beside it, in its file system and address, and returns both streams and the exit code.
	Exec(ctx context.Context, argv ...string) (Output, error)
	// Wait blocks until the main process is not running and returns how it ended.
	Wait(ctx context.Context) (Exit, error)
	// Logs returns what it wrote to stdout and stderr so far, over all its starts.
	Logs(ctx context.Context) (io.ReadCloser, error)
	// Endpoint returns the host:port at which the harness itself reaches a port of the node.
	Endpoint(ctx context.Context, port int) (string, error)
}

// Program says what a node runs: Go or Image is set. Neither means what the driver has for servers that are installed from
// packages.
type Program struct {
	// Go is a main package, built static: ./cmd/shop of the module at hand, or the import path of one in a module that it requires.
	Go    string
	Image string // an image by its name, for a service that is built elsewhere
	// Version is what the linker writes into main.version, for Go only; empty leaves it as it is. Another one is another build.
	Version string
}

// Spec describes a node.
type Spec struct {
	Name    string // unique in the run, e.g. shop-1
	Role    string // e.g. shop, database
	Subject bool   // part of the service under test: its unplanned death is a failure, not bad luck
	Store   bool   // holds what the replicas of the service share, or leads to it: cut off from all of these, a replica is alone
	Program Program
	Argv    []string          // command and arguments; with Program.Go the arguments only
	Env     map[string]string // added to the program's own environment
	Files   map[string][]byte // absolute path to content, there before the start, readable by User
	Scratch []string          // absolute paths of fast, empty folders owned by User
	Room    int64             // bytes that each of them holds at most, 0 for as many as the machine has
	Ports   []int             // TCP ports that the harness itself dials
	User    string            // user name, empty for the program's default
	NoFile  int               // limit of open files, 0 for the default
}

// Is reports whether what is the node's name or its role.
func (s Spec) Is(what string) bool { return s.Name == what || s.Role == what }

// Signal is what can be done to a running node.
type Signal string

// The signals.
const (
	Term   Signal = "term"   // SIGTERM to the main process
	Kill   Signal = "kill"   // SIGKILL
	Pause  Signal = "pause"  // all processes stop running
	Resume Signal = "resume" // and go on
)

// Output is what a command left.
type Output struct {
	Stdout, Stderr []byte
	Code           int
}

// Exit is how a process ended, as the engine recorded it.
type Exit struct {
	Code int // 128+n after signal n
	At   time.Time
}

// Undo heals a fault. It is called once.
type Undo func(ctx context.Context) error

// Node is a member of the system.
type Node struct {
	Spec
	Addr string // IP address inside the system
	Proc
	starts atomic.Int64 // after the launch
}

// Start starts the node again after its end, and returns when its process runs.
func (n *Node) Start(ctx context.Context) error {
	if err := n.Proc.Start(ctx); err != nil {
		return err
	}
	n.starts.Add(1)
	return nil
}

// Starts is how often the node was started again.
func (n *Node) Starts() int64 { return n.starts.Load() }

// Target is where the load goes.
type Target struct {
	URL    string            // e.g. http://198.18.0.9:8080
	Tokens map[string]string // value of the Authorization header by user, or by the name of another credential; never recorded
}

// Env is one running system. It is safe for concurrent use.
type Env struct {
	driver Driver
	seed   uint64
	logf   func(format string, args ...any)

	mu       sync.Mutex
	nodes    []*Node
	target   Target
	params   map[string]time.Duration
	versions map[string]string
	secrets  map[string]string
}

// New makes an empty Env. Everything random in a System draws from seed; logf receives progress, one line each.
func New(d Driver, seed uint64, logf func(format string, args ...any)) *Env {
	return &Env{driver: d, seed: seed, logf: logf, params: map[string]time.Duration{}, versions: map[string]string{}, secrets: map[string]string{}}
}

// Seed is the run's seed.
func (e *Env) Seed() uint64 { return e.seed }

// Logf reports progress.
func (e *Env) Logf(format string, args ...any) { e.logf(format, args...) }

// Addr returns the address that the named node has or will have, so that configurations can name nodes not yet started.
func (e *Env) Addr(node string) (string, error) { return e.driver.Addr(node) }

// Launch starts a node and registers it.
func (e *Env) Launch(ctx context.Context, s Spec) (*Node, error) {
	addr, err := e.driver.Addr(s.Name)
	if err != nil {
		return nil, fmt.Errorf("address of %s: %w", s.Name, err)
	}
	p, err := e.driver.Launch(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("launch %s: %w", s.Name, err)
	}
	n := &Node{Spec: s, Addr: addr, Proc: p}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nodes = append(e.nodes, n)
	return n, nil
}

// Node finds a launched node by its name.
func (e *Env) Node(name string) (*Node, error) {
	for _, n := range e.Nodes() {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%q: no such node", name)
}

// Nodes returns all nodes by name.
func (e *Env) Nodes() []*Node {
	e.mu.Lock()
	defer e.mu.Unlock()
	ns := slices.Clone(e.nodes)
	slices.SortFunc(ns, func(a, b *Node) int { return compareNames(a.Name, b.Name) })
	return ns
}

// Role returns the nodes of a role by name.
func (e *Env) Role(role string) []*Node {
	return slices.DeleteFunc(e.Nodes(), func(n *Node) bool { return n.Role != role })
}

// NameOf gives the name of the node with that address, or the address itself.
func (e *Env) NameOf(addr string) string {
	for _, n := range e.Nodes() {
		if n.Addr == addr {
			return n.Name
		}
	}
	return addr
}

// SetTarget says where the load goes.
func (e *Env) SetTarget(t Target) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.target = t
}

// Target is where the load goes.
func (e *Env) Target() Target {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.target
}

// KeepSecret says that a value must not be found in any log, response or metric. Its name is what reports call it.
func (e *Env) KeepSecret(name, value string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secrets[name] = value
}

// Secrets are the values that must not be found, by their names.
func (e *Env) Secrets() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.secrets)
}

// SetParam records what the system was configured with; checks judge by it, and know it by its name.
func (e *Env) SetParam(name string, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.params[name] = d
}

// Params returns a copy of what SetParam recorded.
func (e *Env) Params() map[string]time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.params)
}

// SetVersion records the version of a part of the stack.
func (e *Env) SetVersion(what, version string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.versions[what] = version
}

// Versions returns a copy of what SetVersion recorded.
func (e *Env) Versions() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.versions)
}

// compareNames orders shop-2 before shop-10.
func compareNames(a, b string) int {
	return cmp.Or(cmp.Compare(trimDigits(a), trimDigits(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func trimDigits(s string) string {
	for len(s) > 0 && s[len(s)-1] >= '0' && s[len(s)-1] <= '9' {
		s = s[:len(s)-1]
	}
	return s
}
