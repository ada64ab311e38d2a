package load_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

const (
	// arrives is a timeout in which even a machine that stands still for a second or two gets a request to its server and the begin of
	// an answer back, for tests in which it has to pass after that.
	arrives = 3 * time.Second
	// patience is far beyond what anything here takes, for tests in which it must not pass.
	patience = time.Minute
	// nowhere is where nobody listens. A port that was closed is another process's the next moment.
	nowhere = "http://127.0.0.1:1"
)

// behaviour answers one request on a connection; more is true when the connection can carry another.
type behaviour func(conn net.Conn, r *http.Request) (more bool)

// rawServer speaks HTTP as badly as it is told to.
type rawServer struct {
	listener net.Listener
	behave   behaviour
	requests atomic.Int64
	conns    sync.Map
	serving  sync.WaitGroup
}

func serve(t testing.TB, b behaviour) *rawServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{listener: l, behave: b}
	s.serving.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func (s *rawServer) url() string { return "http://" + s.listener.Addr().String() }

func (s *rawServer) close() {
	s.listener.Close()
	s.conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	s.serving.Wait()
}

func (s *rawServer) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.conns.Store(c, nil)
		s.serving.Go(func() { s.carry(c) })
	}
}

func (s *rawServer) carry(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.ContentLength = int64(len(body))
		s.requests.Add(1)
		if !s.behave(c, r) {
			return
		}
	}
}

// The behaviours that tests choose from.

func answer(status int, header, body string) behaviour {
	return func(c net.Conn, r *http.Request) bool {
		_, err := fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Length: %d\r\n%s\r\n%s", status, http.StatusText(status), len(body), header, body)
		return err == nil
	}
}

func say(text string) behaviour {
	return func(c net.Conn, r *http.Request) bool { io.WriteString(c, text); return false }
}

func reset(c net.Conn, r *http.Request) bool {
	c.(*net.TCPConn).SetLinger(0)
	return false
}

func hang(c net.Conn, r *http.Request) bool {
	io.Copy(io.Discard, c) // until the caller gives up
	return false
}

func inPieces(c net.Conn, r *http.Request) bool {
	for _, part := range []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "2\r\no", "k\r\n", "0\r\n\r\n"} {
		if _, err := io.WriteString(c, part); err != nil {
			return false
		}
		time.Sleep(time.Millisecond) // slow on purpose
	}
	return true
}

var errNotOK = errors.New("not the word ok")

// readOK accepts one body only.
func readOK(r load.Response, _ *evidence.Recorder) error {
	if string(r.Body) != "ok" {
		return errNotOK
	}
	return nil
}

// refusal is 503 with Retry-After.
func refusal(status int, h http.Header, _ []byte) (time.Duration, bool) {
	s, err := strconv.Atoi(h.Get("Retry-After"))
	return time.Duration(s) * time.Second, status == http.StatusServiceUnavailable && err == nil
}

func post(k uint64, r *rand.Rand) load.Request {
	return load.Request{Method: http.MethodPost, Path: "/v1/things", Body: []byte(`{"n":1}`),
		Class: "write", User: "acme", Key: fmt.Sprint("key-", k)}
}

func profile(stages ...load.Stage) load.Profile {
	for i := range stages {
		if stages[i].Request == nil {
			stages[i].Request = post
		}
	}
	return load.Profile{Stages: stages, Timeout: 5 * time.Second, Read: readOK, Refusal: refusal}
}

// run sends a profile and returns the requests by their number, having checked what holds for every run.
func run(t testing.TB, ctx context.Context, p load.Profile, url string) []evidence.Request {
	t.Helper()
	return runSeeded(t, ctx, p, url, 7)
}

func runSeeded(t testing.TB, ctx context.Context, p load.Profile, url string, seed uint64) []evidence.Request {
	t.Helper()
	var got []evidence.Request
	to := load.Target{URL: url, Tokens: map[string]string{"acme": "Bearer secret", "acme-2": "Bearer other"}}
	err := load.Run(ctx, p, to, seed, 0, record(t, t.TempDir()), func(r evidence.Request) { got = append(got, r) })
	if err != nil {
		t.Fatal(err)
	}
	return inOrder(t, p, got)
}

// record starts to record a run, whose epoch is now.
func record(t testing.TB, dir string) *evidence.Recorder {
	t.Helper()
	return recordFrom(t, dir, time.Now())
}

func recordFrom(t testing.TB, dir string, epoch time.Time) *evidence.Recorder {
	t.Helper()
	rec, err := evidence.NewRecorder(dir, epoch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rec.Close(); err != nil {
			t.Error(err)
		}
	})
	return rec
}

func inOrder(t testing.TB, p load.Profile, got []evidence.Request) []evidence.Request {
	t.Helper()
	var planned uint64
	for _, s := range p.Plan() {
		planned += s.Requests
	}
	all := make([]evidence.Request, planned)
	if uint64(len(got)) != planned {
		t.Fatalf("%d requests planned, %d recorded", planned, len(got))
	}
	for _, r := range got {
		if r.Seq >= planned || all[r.Seq].ID != "" {
			t.Fatalf("request %d recorded twice or never planned", r.Seq)
		}
		all[r.Seq] = r
	}
	for i, r := range all {
		checkRecord(t, r)
		if i > 0 && r.Due < all[i-1].Due {
			t.Errorf("request %d is due before request %d", i, i-1)
		}
	}
	return all
}

// checkRecord is what every record promises.
func checkRecord(t testing.TB, r evidence.Request) {
	t.Helper()
	unsent := r.Outcome == evidence.Unsent
	switch {
	case unsent != (r.Sent == 0):
		t.Errorf("request %d: %s, yet sent at %v", r.Seq, r.Outcome, r.Sent)
	case !unsent && r.Sent < r.Due:
		t.Errorf("request %d: sent before it was due", r.Seq)
	case !unsent && r.End < r.Sent:
		t.Errorf("request %d: ended before it was sent", r.Seq)
	case r.Conns > 1:
		t.Errorf("request %d went over %d connections", r.Seq, r.Conns)
	case (r.Outcome == evidence.OK || r.Outcome == evidence.Refused) != (r.Reason == ""):
		t.Errorf("request %d: outcome %s with reason %q", r.Seq, r.Outcome, r.Reason)
	}
}

func count(requests []evidence.Request) map[evidence.Outcome]int {
	n := map[evidence.Outcome]int{}
	for _, r := range requests {
		n[r.Outcome]++
	}
	return n
}
