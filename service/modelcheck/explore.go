package modelcheck

import (
	"fmt"
	"slices"
	"strings"
)

// kind is the sort of a move, for questions that leave some sorts out.
type kind uint8

const (
	faulty   kind = 1 << iota // a fault
	arrival                   // a new request
	failure                   // an end without an answer, or of a lifetime: no progress
	lease                     // the end of a lease
	comeback                  // a lease store returns
)

// environment is the actor of moves that no gateway makes.
const environment = -1

// step describes a move.
type step struct {
	who  int // a gateway, or environment
	does string
	at   leaseStore
	how  verdict
	told bool // how matters, or at for environment
}

func (s step) String() string {
	switch {
	case s.who == environment && s.told:
		return fmt.Sprintf("%s %s", s.at, s.does)
	case s.who == environment:
		return "time " + s.does
	case s.told:
		return fmt.Sprintf("gateway-%d %s %s: %s", s.who+1, s.does, s.at, s.how)
	}
	return fmt.Sprintf("gateway-%d %s", s.who+1, s.does)
}

// move is one transition.
type move struct {
	step   step
	kind   kind
	to     state
	broken string // the promise that it breaks, if any
}

// space is all that can happen.
type space struct {
	m      *model
	states []state
	parent []int32 // of each state, the one from which it was first seen
	index  map[state]int32
	edges  []edge
}

type edge struct {
	from, to int32
	kind     kind
}

// counterexample is how a promise is broken.
type counterexample struct {
	promise string
	steps   []step
}

func (c *counterexample) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, after %d steps:", c.promise, len(c.steps))
	for i, s := range c.steps {
		fmt.Fprintf(&b, "\n%4d. %s", i+1, s)
	}
	return b.String()
}

// explore walks through all states, breadth first, until a promise breaks. The first counterexample is a shortest one.
func explore(m *model, keepEdges bool) (*space, *counterexample) {
	start := m.start()
	sp := &space{m: m, index: map[state]int32{}}
	sp.add(m.normal(start), -1)
	var found *counterexample
	for at := int32(0); int(at) < len(sp.states) && found == nil; at++ {
		m.moves(sp.states[at], func(v move) {
			if found != nil {
				return
			}
			to := sp.add(m.normal(v.to), at)
			if v.broken != "" && (m.judged == "" || m.judged == v.broken) {
				found = &counterexample{v.broken, sp.trace(at, v)}
				return
			}
			if keepEdges && to != at {
				sp.edges = append(sp.edges, edge{at, to, v.kind})
			}
		})
	}
	return sp, found
}

func (sp *space) add(s state, parent int32) int32 {
	if i, ok := sp.index[s]; ok {
		return i
	}
	i := int32(len(sp.states))
	sp.index[s] = i
	sp.states = append(sp.states, s)
	sp.parent = append(sp.parent, parent)
	return i
}

// trace is a way to a state, with one move after it unless that is the zero move. States are kept with their gateways in an
// order of their own. So the way is walked again from the start with the gateways in their places.
func (sp *space) trace(to int32, last move) []step {
	var way []state
	if last.step != (step{}) {
		way = append(way, sp.m.normal(last.to))
	}
	for ; to > 0; to = sp.parent[to] {
		way = append(way, sp.states[to])
	}
	s := sp.m.start()
	var steps []step
	for _, want := range slices.Backward(way) {
		v := sp.walk(s, want)
		steps, s = append(steps, v.step), v.to
	}
	return steps
}

// walk returns a move from s to a state whose normal form is want; one that breaks a promise, if there is one.
func (sp *space) walk(s, want state) (found move) {
	sp.m.moves(s, func(v move) {
		if found.broken == "" && sp.m.normal(v.to) == want {
			found = v
		}
	})
	return found
}

const unanswerable = "a request can no longer be answered"

// stuck returns a way to the first state that matters from which no goal can be reached without moves of some kinds, or nil.
func (sp *space) stuck(avoid kind, matters, goal func(*state) bool) *counterexample {
	first := make([]int32, len(sp.states)+1) // of the edges into a state, sorted by that
	for _, e := range sp.edges {
		first[e.to+1]++
	}
	for i := range sp.states {
		first[i+1] += first[i]
	}
	into := make([]int32, len(sp.edges))
	next := append([]int32(nil), first...)
	for _, e := range sp.edges {
		if e.kind&avoid == 0 {
			into[next[e.to]] = e.from
			next[e.to]++
		}
	}
	reaches := make([]bool, len(sp.states))
	var queue []int32
	for i := range sp.states {
		if goal(&sp.states[i]) {
			reaches[i] = true
			queue = append(queue, int32(i))
		}
	}
	for len(queue) > 0 {
		at := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, from := range into[first[at]:next[at]] {
			if !reaches[from] {
				reaches[from] = true
				queue = append(queue, from)
			}
		}
	}
	for i := range sp.states {
		if !reaches[i] && matters(&sp.states[i]) {
			return &counterexample{unanswerable, sp.trace(int32(i), move{})}
		}
	}
	return nil
}
