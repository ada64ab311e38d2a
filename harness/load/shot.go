package load

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/guard"
)

// writeAtOnce is the largest request, in bytes, that surely fits into the kernel's buffer of an idle connection, so that
// handing it over takes microseconds and never waits for the other side.
const writeAtOnce = 16 << 10

// shot is one planned request: made ready before it is due, then sent, then followed to its end.
type shot struct {
	slot
	call     evidence.Call // what is known of it so far
	http     *http.Request
	bytes    []byte        // the request as it goes over the wire
	patience time.Duration // how long the client stays
	leaves   bool          // the plan has it go then
	deadline time.Time     // the end of that, once it is sent
	conn     *conn         // that carries it, once there is one
	err      error         // that ended it early
}

// prepare makes the request of a slot.
func (g *generator) prepare(s slot) *shot {
	r, err := s.ask(g.seed)
	out := &shot{slot: s, call: evidence.Call{Seq: s.seq, ID: fmt.Sprintf("%s-%d", g.name, s.seq), Stage: s.stage.Name,
		Tenant: r.Tenant, Key: r.Key, Due: g.clock.start + s.due}, patience: cmp.Or(r.Timeout, g.profile.Timeout)}
	if r.Leave > 0 && r.Leave < out.patience {
		out.patience, out.leaves = r.Leave, true
	}
	var wire bytes.Buffer
	if err == nil {
		out.http, err = g.request(r, out.call.ID)
	}
	if err == nil {
		err = out.http.Write(&wire)
	}
	if err != nil {
		out.err = fmt.Errorf("%w: request %d of stage %q: %w", ErrProfile, s.k, s.stage.Name, err)
		g.fail(out.err)
	}
	out.bytes = wire.Bytes()
	return out
}

// ask has the stage make the request.
func (s slot) ask(seed uint64) (r Request, err error) {
	err = guard.Do(func() error {
		r = s.stage.Request(s.k, s.stage.random(seed, s.k))
		return nil
	})
	return r, err
}

func (g *generator) request(r Request, id string) (*http.Request, error) {
	req, err := http.NewRequest(r.Method, g.to.URL+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	if token := g.to.Tokens[r.Tenant]; token != "" {
		req.Header.Set("Authorization", token)
	}
	req.Header.Set("X-Request-Id", id)
	return req, nil
}

// trySend hands the request to a connection that is open already. If there is none, or the request is too long to be
// taken at once, it does nothing: whoever paces the load must not wait.
func (g *generator) trySend(s *shot) {
	if s.err != nil || len(s.bytes) > writeAtOnce {
		return
	}
	if c := g.pool.get(); c != nil {
		g.depart(s)
		s.write(c)
	}
}

// depart marks the moment of sending.
func (g *generator) depart(s *shot) {
	s.deadline = time.Now().Add(s.patience)
	s.call.Sent = g.clock.now()
}

func (s *shot) write(c *conn) {
	s.conn = c
	s.call.Conns++
	if s.err = c.SetDeadline(s.deadline); s.err == nil {
		_, s.err = c.Write(s.bytes)
	}
}

// follow takes the request to its end: it sends it if that is still to be done, and reads the response.
func (g *generator) follow(s *shot) evidence.Call {
	if s.conn == nil && s.err == nil {
		if g.ctx.Err() != nil {
			return g.unsent(s)
		}
		g.send(s)
	}
	var r reply
	if s.conn != nil {
		r = g.receive(s)
	}
	s.call.End, s.call.Status = g.clock.now(), r.status
	if s.err != nil {
		g.explain(s)
		return s.call
	}
	g.judge(s, r)
	return s.call
}

// judge leaves a request whose answer the profile panics at as one that was cut short: nothing is known of it, and it is
// not the service that is to blame.
func (g *generator) judge(s *shot, r reply) {
	err := guard.Do(func() error {
		g.profile.judge(&s.call, r)
		return nil
	})
	if err != nil {
		g.fail(fmt.Errorf("%w: answer to request %d of stage %q: %w", ErrProfile, s.k, s.stage.Name, err))
		s.call.Outcome, s.call.Reason = evidence.Aborted, evidence.ReasonCancelled
	}
}

// send takes its time. Opening a connection is up to the other side, so the request counts as sent before that.
func (g *generator) send(s *shot) {
	g.depart(s)
	c := g.pool.get()
	if c == nil {
		ctx, cancel := context.WithDeadline(g.ctx, s.deadline)
		defer cancel()
		if c, s.err = g.pool.open(ctx); s.err != nil {
			return
		}
	}
	s.write(c)
}

// receive reads the response, if the request got as far, and gives the connection back or closes it.
func (g *generator) receive(s *shot) (r reply) {
	stop := context.AfterFunc(g.ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) }) // wakes the reader
	defer stop()
	if s.err == nil {
		r, s.err = s.conn.receive(s.http)
	}
	if s.err == nil && s.conn.reusable(r) {
		g.pool.put(s.conn)
	} else {
		_ = s.conn.Close() // nothing more is wanted from it
	}
	return r
}
