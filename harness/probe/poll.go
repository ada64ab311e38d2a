package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
)

// askTimeout bounds one question to one node: a dead or paused node does not answer at all. It is well below the 2 s for which an
// observer may be blind (check.ProbesSampled), and well above what a loaded machine needs.
const askTimeout = 500 * time.Millisecond

// maxReply bounds what is read of one answer, in bytes.
const maxReply = 4 << 20

// dialer opens connections, as a net.Dialer does.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// dial is that of all but tests.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: askTimeout}).DialContext(ctx, network, addr)
}

// pollAll asks every node, each at its own pace: a slow one delays no other. ask makes the function that is called at
// every tick. Ticks are absolute, so that the schedule does not drift; those that a slow answer overruns are left out.
func pollAll(ctx context.Context, dial dialer, nodes []*env.Node, port int, every time.Duration, ask func(*env.Node) func(context.Context, *asker)) error {
	transport := &http.Transport{DialContext: dial, DisableCompression: true}
	defer transport.CloseIdleConnections()
	var g Group
	for _, n := range nodes {
		one := ask(n)
		a := &asker{node: n, port: port, client: &http.Client{Transport: transport}}
		g.Go(func() error {
			tick(ctx, every, func() { one(ctx, a) })
			return nil
		})
	}
	return g.Wait()
}

// tick calls f at once and then at every multiple of every, until ctx ends.
func tick(ctx context.Context, every time.Duration, f func()) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// asker asks one node over HTTP, on a connection that it keeps.
type asker struct {
	node     *env.Node
	port     int
	client   *http.Client
	endpoint string // as last resolved; a mapped port may change at a restart
}

// get asks for path and hands the body to read, which may be nil.
func (a *asker) get(ctx context.Context, path string, read func(io.Reader) error) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	defer func() {
		if err != nil {
			a.endpoint = ""
		}
	}()
	if a.endpoint == "" {
		if a.endpoint, err = a.node.Endpoint(ctx, a.port); err != nil {
			return 0, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.endpoint+path, nil)
	if err != nil {
		return 0, err
	}
	res, err := a.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body := io.LimitReader(res.Body, maxReply)
	if read != nil && res.StatusCode == http.StatusOK {
		err = read(body)
	}
	_, drained := io.Copy(io.Discard, body) // else the connection is not kept
	return res.StatusCode, errors.Join(err, drained)
}

// statusDetail is how an observation tells a status.
func statusDetail(status int) string { return "status " + strconv.Itoa(status) }
