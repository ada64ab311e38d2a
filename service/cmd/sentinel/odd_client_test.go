package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/odd"
)

// conversation is a connection that is used for many scripts, as long as the gateway leaves it open.
type conversation struct {
	crowd *crowd
	conn  *net.TCPConn
	in    *bufio.Reader
}

// longest is how long any script may take: a request's whole time, and more.
const longest = time.Minute

func (c *conversation) open() error {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.crowd.address)
		if err != nil {
			return err
		}
		c.conn, _ = conn.(*net.TCPConn)
		c.in = bufio.NewReader(conn)
	}
	return c.conn.SetDeadline(time.Now().Add(longest))
}

func (c *conversation) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
	c.conn = nil
}

// mostPipelined requests are sent before the first answer is read.
const mostPipelined = 48

// batch sends whole requests, one behind the other, and wants an answer to each, in their order, until one says that the connection ends.
func (c *conversation) batch(r *rand.Rand, script uint64) error {
	var requests []request
	var wire []byte
	for i := range 1 + r.IntN(mostPipelined) {
		next := c.crowd.request(r, fmt.Sprintf("q-%d-%d", script, i))
		requests, wire = append(requests, next), append(wire, next.wire...)
		if next.last {
			break
		}
	}
	if err := c.open(); err != nil {
		return err
	}
	conn, sent := c.conn, make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = conn.Write(wire) // what does not come through is not answered
	}()
	err := c.answers(requests)
	if err != nil {
		c.close()
	}
	<-sent
	return err
}

func (c *conversation) answers(requests []request) error {
	for i, request := range requests {
		resp, body, err := c.answer(request.method)
		if err == nil {
			err = c.crowd.check(request, resp, body)
		}
		if err != nil {
			return fmt.Errorf("request %d of %d, %.500q: %w", i+1, len(requests), request.wire, err)
		}
		c.crowd.sent.Add(1)
		if resp.Close { // what comes behind it is not answered
			defer c.close()
			if more, err := c.in.ReadByte(); err == nil {
				return fmt.Errorf("request %d of %d, %.500q: %q after the last answer", i+1, len(requests), request.wire, more)
			}
			return nil
		}
	}
	if requests[len(requests)-1].foreign {
		c.close() // its body may have been read as another request
		return nil
	}
	if n := c.in.Buffered(); n > 0 {
		return fmt.Errorf("%d bytes after %d answers", n, len(requests))
	}
	return nil
}

// answer reads the next one that is final.
func (c *conversation) answer(method string) (*http.Response, []byte, error) {
	for {
		if resp, body, err := c.next(method); err != nil || resp.StatusCode != http.StatusContinue {
			return resp, body, err
		}
	}
}

func (c *conversation) next(method string) (*http.Response, []byte, error) {
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// check tells what is wrong with the answer to a whole request.
func (c *crowd) check(r request, resp *http.Response, body []byte) error {
	if r.may != nil && !slices.Contains(r.may, resp.StatusCode) || r.may == nil && resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("status %d, not one of %d: %.300q", resp.StatusCode, r.may, body)
	}
	if r.probe {
		c.note(resp.StatusCode, "", "")
		return nil
	}
	code, named, err := c.answers.Check(resp, body)
	if err != nil {
		return err
	}
	isOurs := resp.Header.Get("X-Served-By") != ""
	if got := resp.Header.Get("X-Request-Id"); isOurs && r.id != "" && got != r.id {
		return fmt.Errorf("it is the answer to %s", got)
	}
	for _, name := range named {
		if r.wrong != nil && !slices.ContainsFunc(r.wrong, func(wrong string) bool { return strings.HasPrefix(wrong, name) }) {
			return fmt.Errorf("it names %q; wrong are %q", name, r.wrong)
		}
	}
	switch {
	case r.asked != nil && resp.StatusCode == http.StatusOK:
		c.note(resp.StatusCode, "", resp.Header.Get("X-Request-Id"))
		return c.checkAnswer(*r.asked, body)
	case r.asked != nil:
		c.refused.Add(1)
	}
	c.note(resp.StatusCode, code, "")
	return nil
}

// checkAnswer tells what is wrong with the answer to a query.
func (c *crowd) checkAnswer(asked question, body []byte) error {
	var got struct {
		CallID string `json:"call_id"`
		Answer string
		Finish string `json:"finish_reason"`
		Model  string
		Source service.Source
		Usage  struct {
			Prompt int64 `json:"prompt_tokens"`
			Answer int64 `json:"completion_tokens"`
		}
		Cost int64 `json:"cost_nanousd"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return err
	}
	said := c.replyTo(asked.tenant, asked.Model, asked.Prompt)
	if asked.tenant == wild {
		said.Usable, said.Prompt, said.Answer, said.Text, said.Finish, said.Model, said.ID = true, got.Usage.Prompt, got.Usage.Answer, got.Answer, got.Finish, got.Model, got.CallID
	}
	cost := int64(0)
	if got.Source == service.Call {
		cost = costOf(said.Completion)
	}
	if said.Model == "" {
		said.Model = asked.Model
	}
	if said.ID == "" && strings.HasPrefix(got.CallID, "unnamed-") {
		said.ID = got.CallID
	}
	if !said.Usable || got.Answer != said.Text || got.Usage.Prompt != said.Prompt || got.Usage.Answer != said.Answer || got.Cost != cost || got.Cost < 0 ||
		got.Finish != said.Finish || got.Model != said.Model || got.CallID != said.ID || got.CallID == "" {
		return fmt.Errorf("%s: %.2000q, while the model said %+v", asked.tenant, body, said.Completion)
	}
	return nil
}

// stray sends what is no whole request, or no request at all, over a connection of its own, and leaves in one way or another. Whatever is
// answered is an answer.
func (c *conversation) stray(r *rand.Rand) error {
	c.crowd.sent.Add(1)
	c.crowd.refused.Add(mostStray)
	own := &conversation{crowd: c.crowd}
	if err := own.open(); err != nil {
		return err
	}
	defer own.close()
	sent := c.crowd.strayWire(r)
	for wire := sent; len(wire) > 0; {
		n := 1 + r.IntN(len(wire))
		if _, err := own.conn.Write(wire[:n]); err != nil {
			break // it has ended the connection
		}
		wire = wire[n:]
	}
	switch kind := r.IntN(100); {
	case kind < 10:
		return nil // gone without a word
	case kind < 20:
		return own.conn.SetLinger(0) // and without an end
	case kind < 99 || !odd.In(r, 10): // else it waits for the gateway to end it
		_ = own.conn.CloseWrite()
	}
	for {
		switch _, err := own.in.Peek(1); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("the connection does not end after %.1000q", sent)
		case err != nil:
			return nil
		}
		resp, body, err := own.next(http.MethodGet)
		switch {
		case err != nil:
			return fmt.Errorf("%w, after %.1000q", err, sent)
		case resp.StatusCode == http.StatusContinue:
			continue // perhaps nothing comes of it
		}
		code, _, err := c.crowd.answers.Check(resp, body)
		if err == nil && resp.StatusCode == http.StatusInternalServerError {
			err = errDefect
		}
		if err != nil {
			return fmt.Errorf("%w, status %d, %.300q, to %.1000q", err, resp.StatusCode, body, sent)
		}
		id := ""
		if resp.StatusCode == http.StatusOK && strings.Contains(string(body), `"call_id":`) && !strings.Contains(resp.Header.Get("X-Request-Id"), `\`) {
			id = resp.Header.Get("X-Request-Id")
		}
		c.crowd.note(resp.StatusCode, code, id)
	}
}

var errDefect = errors.New("a defect")

// mostStray is how many requests a stray script is made of.
const mostStray = 3

func (c *crowd) strayWire(r *rand.Rand) (wire []byte) {
	for range 1 + r.IntN(mostStray) {
		made := odd.Pick(r, func() request {
			return c.query(r, "x-1", fmt.Appendf(nil, `{"model":"plain-1","prompt":"prompt %d"}`, r.IntN(64)), false)
		},
			func() request { return c.query(r, "x-2", oddBody(r), true) },
			func() request { return stranger(r, "x-3") },
			func() request { return c.oddHeader(r, "x-4") })()
		wire = append(wire, made.wire...)
	}
	if odd.In(r, 3) {
		return wire[:r.IntN(len(wire))]
	}
	return odd.Mutate(r, wire)
}
