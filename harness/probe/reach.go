package probe

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

//go:embed reach.py
var reachScript string

const (
	// reachEvery is how often each address is tried, and reachPatience for how long: far longer than a connection inside one
	// machine takes, and shorter than the second after which a lost packet is sent again.
	reachEvery    = 200 * time.Millisecond
	reachPatience = 300 * time.Millisecond
	// reachRound is how long one run of the script lasts: starting it costs more than a hundred looks.
	reachRound = 5 * time.Second
	// reachPort is one that nobody listens on: what refuses a connection was reached, and no server has to deal with it.
	reachPort = 9
	// reachAgain is the pause after a script that could not run, as when its node is dead or paused.
	reachAgain = 500 * time.Millisecond
)

// Reach tries, from inside the nodes of the names or roles from, to reach those of the names or roles to, and records who loses
// and reaches whom. It asks the nodes' network, not their programs: one that is paused is reached. The nodes that it looks
// from need python3.
func Reach(to, from []string) Probe {
	return dialling{"reach", evidence.SourceReach, func(*env.Node) int { return reachPort }, func(what string) string {
		if what == evidence.SawRefused {
			return evidence.SawReached
		}
		return what
	}}.probe(to, from)
}

// dialling is how connections between nodes are tried.
type dialling struct {
	verb   string                   // begins the probe's name
	source func(from string) string // of what is seen from a node
	port   func(to *env.Node) int
	means  func(what string) string // what is recorded of what the script saw
}

func (d dialling) probe(to, from []string) Probe {
	name := d.verb + " " + strings.Join(to, ", ") + " from " + strings.Join(from, ", ")
	return Probe{Name: name, Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
		var all Group
		for _, n := range e.Nodes() {
			r := reacher{dialling: d, from: n, names: map[string]string{}, last: map[string]string{}, rec: rec}
			for _, other := range e.Nodes() {
				if other != n && slices.ContainsFunc(to, other.Is) {
					r.names[other.Addr] = other.Name
					r.to = append(r.to, net.JoinHostPort(other.Addr, strconv.Itoa(d.port(other))))
				}
			}
			if len(r.to) > 0 && slices.ContainsFunc(from, n.Is) {
				all.Go(func() error { return r.watch(ctx) })
			}
		}
		return all.Wait()
	}}
}

// reacher looks from one node.
type reacher struct {
	dialling
	from  *env.Node
	to    []string          // host:port
	names map[string]string // by address
	last  map[string]string // what was seen last, by name
	rec   *evidence.Recorder
}

// watch runs the script over and over. That it fails for a while is for other observers of its node to explain; that it
// never succeeds is an error.
func (r *reacher) watch(ctx context.Context) error {
	argv := []string{"python3", "-I", "-S", "-c", reachScript, inSeconds(reachRound), inSeconds(reachEvery), inSeconds(reachPatience)}
	argv = append(argv, r.to...)
	var last error
	ran := false
	for ctx.Err() == nil {
		out, err := r.from.Exec(ctx, argv...)
		if err == nil {
			err = r.read(out.Stdout)
		}
		if err == nil && out.Code != 0 {
			err = fmt.Errorf("status %d: %s", out.Code, out.Stderr)
		}
		switch {
		case err == nil:
			ran = true
			continue
		case ctx.Err() != nil:
			continue // it was not the script that failed
		}
		last = err
		clear(r.last) // what is seen next is news
		_ = env.Sleep(ctx, reachAgain)
	}
	if !ran && last != nil {
		return fmt.Errorf("reach other nodes from %s: %w", r.from.Name, last)
	}
	return nil
}

// read records what changed: each line is a time, an address and what was seen.
func (r *reacher) read(lines []byte) error {
	for s := bufio.NewScanner(bytes.NewReader(lines)); s.Scan(); {
		var at int64
		var addr, what string
		if _, err := fmt.Sscan(s.Text(), &at, &addr, &what); err != nil {
			return fmt.Errorf("read %q: %w", s.Text(), err)
		}
		name, what := r.names[addr], r.means(what)
		if r.last[name] == what {
			continue
		}
		r.last[name] = what
		evidence.Observations.Put(r.rec, evidence.Observation{At: r.rec.Since(time.Unix(0, at)), Source: r.source(r.from.Name), Node: name, What: what})
	}
	return nil
}

// inSeconds is how the script takes its times.
func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
