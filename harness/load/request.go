package load

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
)

// writeAtOnce is the largest request, in bytes, that surely fits into the kernel's buffer of an idle connection. To hand it
// over takes microseconds and never waits for the other side.
const writeAtOnce = 16 << 10

// plannedRequest is made ready before it is due, then sent, then followed to its end.
type plannedRequest struct {
	entry
	record   evidence.Request // what is known of it so far
	http     *http.Request
	wire     []byte        // the request as it goes over the wire
	timeout  time.Duration // how long the client waits
	aborts   bool          // the plan has the client cancel at the timeout
	deadline time.Time     // the end of the timeout, once the request is sent
	conn     *conn         // that carries it, once there is one
	err      error         // that ended it early
}

// prepare makes the request of an entry.
func (g *generator) prepare(e entry) *plannedRequest {
	from, err := e.request(g.seed)
	out := &plannedRequest{entry: e, timeout: cmp.Or(from.Timeout, g.profile.Timeout),
		record: evidence.Request{Seq: e.seq, ID: fmt.Sprintf("%s-%d", g.idPrefix, e.seq), Stage: e.stage.Name, Class: from.Class,
			User: from.User, Credential: from.Credential, Key: from.Key, Want: int16(from.Want), Due: g.clock.start + e.due}}
	if from.AbortAfter > 0 && from.AbortAfter < out.timeout {
		out.timeout, out.aborts = from.AbortAfter, true
	}
	var wire bytes.Buffer
	if err == nil {
		out.http, err = g.newHTTP(from, out.record.ID)
	}
	if err == nil {
		err = out.http.Write(&wire)
	}
	if err != nil {
		out.err = fmt.Errorf("%w: request %d of stage %q: %w", ErrProfile, e.k, e.stage.Name, err)
		g.fail(out.err)
	}
	out.wire = wire.Bytes()
	return out
}

// request has the stage make the request.
func (e entry) request(seed uint64) (r Request, err error) {
	err = panics.Do(func() error {
		r = e.stage.Request(e.k, e.stage.random(seed, e.k))
		return nil
	})
	return r, err
}

func (g *generator) newHTTP(from Request, id string) (*http.Request, error) {
	r, err := http.NewRequest(from.Method, g.to.URL+from.Path, bytes.NewReader(from.Body))
	if err != nil {
		return nil, err
	}
	if from.Header != nil {
		r.Header = from.Header.Clone()
	}
	if token := g.to.Tokens[cmp.Or(from.Credential, from.User)]; token != "" {
		r.Header.Set("Authorization", token)
	}
	r.Header.Set("X-Request-Id", id)
	return r, nil
}

// trySend hands the request to a connection that is open already. If there is none, or the request is too long to be
// taken at once, it does nothing: whoever paces the load must not wait.
func (g *generator) trySend(r *plannedRequest) {
	if r.err != nil || len(r.wire) > writeAtOnce {
		return
	}
	if c := g.pool.get(); c != nil {
		g.markSent(r)
		r.write(c)
	}
}

// markSent marks the moment of sending. The deadline counts from there or a little later, so that no request which timed out is on
// record as shorter than its timeout.
func (g *generator) markSent(r *plannedRequest) {
	r.record.Sent = g.clock.now()
	r.deadline = time.Now().Add(r.timeout)
}

func (r *plannedRequest) write(c *conn) {
	r.conn = c
	r.record.Conns++
	if r.err = c.SetDeadline(r.deadline); r.err == nil {
		_, r.err = c.Write(r.wire)
	}
}

// follow takes the request to its end: it sends it if that is still to be done, and reads the response.
func (g *generator) follow(r *plannedRequest) evidence.Request {
	if r.conn == nil && r.err == nil {
		if g.ctx.Err() != nil {
			return g.unsent(r)
		}
		g.send(r)
	}
	var resp Response
	if r.conn != nil {
		resp = g.receive(r)
	}
	r.record.End, r.record.Status = g.clock.now(), int16(resp.Status)
	if r.err != nil {
		g.explain(r)
		return r.record
	}
	g.understand(r, resp)
	return r.record
}

// send takes its time. Opening a connection is up to the other side, so the request counts as sent before that.
func (g *generator) send(r *plannedRequest) {
	g.markSent(r)
	c := g.pool.get()
	if c == nil {
		ctx, cancel := context.WithDeadline(g.ctx, r.deadline)
		defer cancel()
		if c, r.err = g.pool.open(ctx); r.err != nil {
			return
		}
	}
	r.write(c)
}

// receive reads the response, if the request got as far, and gives the connection back or closes it.
func (g *generator) receive(r *plannedRequest) (resp Response) {
	stop := context.AfterFunc(g.ctx, func() { _ = r.conn.SetDeadline(time.Unix(1, 0)) }) // wakes the reader
	defer stop()
	if r.err == nil {
		resp, r.err = r.conn.receive(r.http)
		resp.Seq, resp.ID = r.seq, r.record.ID
	}
	if r.err == nil && r.conn.reusable() {
		g.pool.put(r.conn)
	} else {
		_ = r.conn.Close() // nothing more is wanted from it
	}
	return resp
}
