package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// shot is one planned request, ready to be sent, and its record as far as it is known.
type shot struct {
	slot
	call evidence.Call
	http *http.Request // nil when the stage made a request that can not be sent
}

// load makes the request of a slot.
func (g *generator) load(run string, s slot) *shot {
	r := s.stage.Request(s.k, s.stage.random(g.seed, s.k))
	out := &shot{slot: s, call: evidence.Call{Seq: s.seq, ID: fmt.Sprintf("%s-%d", run, s.seq), Stage: s.stage.Name,
		Tenant: r.Tenant, Key: r.Key, Due: g.start + s.due}}
	req, err := http.NewRequestWithContext(g.ctx, r.Method, g.to.URL+r.Path, onceOnly(r.Body))
	if err != nil {
		_ = g.fail(fmt.Errorf("%w: request %d of stage %q: %w", ErrProfile, s.k, s.stage.Name, err))
		return out
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	if len(r.Body) > 0 {
		req.ContentLength = int64(len(r.Body))
	}
	if token := g.to.Tokens[r.Tenant]; token != "" {
		req.Header.Set("Authorization", token)
	}
	req.Header.Set("X-Request-Id", out.call.ID)
	out.http = req
	return out
}

// onceOnly is a body that http.Transport can not send twice, so that it never retries: a retry would hide a dropped
// request. That holds for an empty body too, which is why it is not left out.
func onceOnly(body []byte) io.Reader { return io.NopCloser(bytes.NewReader(body)) }

// fire sends the request and follows it to its end.
func (g *generator) fire(s *shot) evidence.Call {
	if s.http == nil {
		return g.unsent(s)
	}
	ctx, cancel := context.WithTimeout(s.http.Context(), g.profile.Timeout)
	defer cancel()
	c := s.call
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { c.Conns++ }}
	c.Sent = g.now()
	resp, err := g.transport.RoundTrip(s.http.WithContext(httptrace.WithClientTrace(ctx, trace)))
	var h http.Header
	var body []byte
	if err == nil {
		c.Status, h = resp.StatusCode, resp.Header
		body, err = readAll(resp.Body)
	}
	c.End = g.now()
	if err != nil {
		c.Outcome, c.Reason = classify(err)
		if c.Outcome == evidence.Unsent {
			c.Sent = 0
		}
		return c
	}
	g.profile.judge(&c, h, body)
	return c
}

func readAll(body io.ReadCloser) ([]byte, error) {
	b, err := io.ReadAll(body)
	return b, errors.Join(err, body.Close())
}

// judge gives a complete response its outcome.
func (p Profile) judge(c *evidence.Call, h http.Header, body []byte) {
	var err error
	if c.Status >= 200 && c.Status < 300 {
		c.Outcome = evidence.OK
		if c.Answer, err = p.Read(c.Status, h, body); err != nil {
			c.Outcome, c.Reason = evidence.Failed, reasonMalformed
		}
		return
	}
	c.Outcome, c.Reason = evidence.Failed, reasonStatus
	if p.Refusal == nil {
		return
	}
	if after, ok := p.Refusal(c.Status, h, body); ok {
		c.Outcome, c.Reason, c.RetryAfter = evidence.Refused, "", after
	}
}

// unsent is the record of a request that was planned and not sent.
func (g *generator) unsent(s *shot) evidence.Call {
	c := s.call
	c.Outcome, c.Reason, c.End = evidence.Unsent, reasonNotSent, g.now()
	return c
}
