package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
	"github.com/sentinel-chaos/sentinel/service/internal/settling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(settling.M{M: m}) }

// slowModel answers once it is released, and says when it was asked.
type slowModel struct{ asked, release chan struct{} }

func (m *slowModel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	m.asked <- struct{}{}
	<-m.release
	_, _ = io.WriteString(w, `{"id":"c1","model":"m","choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`)
}

type client struct {
	t    testing.TB
	base string
	http *http.Client
}

// send asks, with further lines of the header if there are any, and returns the status, 0 for no answer, and the answer.
func (c client) send(method, path, bearer, body string, header ...string) (int, map[string]any) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return 0, nil
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	var got map[string]any
	_ = json.NewDecoder(resp.Body).Decode(&got)
	return resp.StatusCode, got
}

// awaitStatus waits until /ready answers so; 0 is no answer.
func (c client) awaitStatus(what string, want int) {
	servers.Await(c.t, what, func(context.Context) error {
		if status, _ := c.send("GET", "/ready", "", ""); status != want {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
}

// awaitState waits until /ready says so.
func (c client) awaitState(want string) {
	servers.Await(c.t, "the gateway is "+want, func(context.Context) error {
		if _, got := c.send("GET", "/ready", "", ""); got["status"] != want {
			return fmt.Errorf("it says %v", got)
		}
		return nil
	})
}

// longDrain is long enough to be seen, though the machine stands still meanwhile.
const longDrain = 3 * time.Second

// A replica that gets SIGTERM before it is ready was never ready, and ends clean.
func TestSIGTERMWhileStarting(t *testing.T) {
	for name, postgres := range map[string]func(*testing.T) (dsn string, awaitMigration func()){
		"no PostgreSQL":            func(t *testing.T) (string, func()) { return "postgres://" + nobody(t) + "/sentinel", func() {} },
		"another replica migrates": migrating,
	} {
		t.Run(name, func(t *testing.T) {
			listen := nobody(t)
			dsn, awaitMigration := postgres(t)
			required(t)
			t.Setenv("SENTINEL_LISTEN", listen)
			t.Setenv("SENTINEL_POSTGRES_DSN", dsn)
			t.Setenv("SENTINEL_REDIS_SENTINELS", nobody(t))
			t.Setenv("SENTINEL_DRAIN", longDrain.String())
			code := make(chan int, 1)
			go func() { code <- run() }()
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			api := client{t, "http://" + listen, &http.Client{Transport: transport}}
			awaitMigration()
			api.awaitState("starting")
			if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			api.awaitState("draining")
			if got := <-code; got != exitClean {
				t.Errorf("exit code %d", got)
			}
		})
	}
}

// nobody is an address at which nobody listens.
func nobody(t testing.TB) string {
	addr, _ := servers.FreeAddr(t)
	return addr
}

// migrating is a PostgreSQL whose migration lock somebody holds until the test ends. The function waits until somebody else wants it.
func migrating(t *testing.T) (dsn string, awaitMigration func()) {
	const lock = 0x7365_6e74_696e_656c // postgres.migrationLock
	dsn = servers.StartPostgres(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock($1)", int64(lock)); err != nil {
		t.Fatal(err)
	}
	return dsn, func() {
		servers.Await(t, "a replica waits for the migration lock", func(ctx context.Context) error {
			var waiting int
			err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting)
			if err == nil && waiting != 1 {
				err = fmt.Errorf("%d wait", waiting)
			}
			return err
		})
	}
}

// A request that is in flight when SIGTERM comes is answered, its row is in the ledger, and the process ends clean.
func TestRequestInFlightSurvivesSIGTERM(t *testing.T) {
	redis, dsn := servers.StartRedis(t), servers.StartPostgres(t)
	model := &slowModel{asked: make(chan struct{}, 1), release: make(chan struct{})}
	llm := httptest.NewServer(model)
	defer llm.Close()
	required(t)
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	unhurried(&c)
	c.Listen, _ = servers.FreeAddr(t)
	c.AdminToken, c.PostgresDSN, c.RedisSentinels, c.LLMURL = "admin", dsn, []string{redis.Sentinel.Addr}, llm.URL
	c.Drain = longDrain
	c.LLMTimeout, c.LLMBudget, c.RequestTimeout, c.Grace = time.Minute, 2*time.Minute, time.Minute, time.Minute
	a, sigterm, stopped := running(t, c, slog.New(slog.DiscardHandler))

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	api := client{t, "http://" + c.Listen, &http.Client{Transport: transport}}
	api.awaitStatus("the gateway is ready", http.StatusOK)
	_, issued := api.send("POST", "/v1/admin/keys", "admin", `{"tenant":"acme"}`)
	key, _ := issued["api_key"].(string)
	const inFlight = 2 // one calls the model, the other shares its flight
	answered := make(chan int, inFlight)
	for range inFlight {
		go func() {
			status, _ := api.send("POST", "/v1/query", key, `{"model":"m","prompt":"p","max_tokens":8}`)
			answered <- status
		}()
	}
	<-model.asked
	servers.Await(t, "both requests are in flight", func(context.Context) error {
		if now := a.api.Active().Now(); now != inFlight {
			return fmt.Errorf("%d are", now)
		}
		return nil
	})
	sigterm()
	api.awaitStatus("the gateway says that it is not ready", http.StatusServiceUnavailable)
	api.awaitStatus("the listener is closed", 0)
	close(model.release)
	for range inFlight {
		if status := <-answered; status != http.StatusOK {
			t.Errorf("a request in flight got %d", status)
		}
	}
	if err := <-stopped; err != nil {
		t.Errorf("stopped with %v", err)
	}
	expectRows(t, dsn)
}

// expectRows wants the call's row, which is paid for, and its follower's.
func expectRows(t *testing.T, dsn string) {
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var rows, calls, cost int64
	sql := `SELECT count(*), count(*) FILTER (WHERE kind = 'call'), sum(cost_nanousd) FROM ledger WHERE call_id = 'c1'`
	if err := conn.QueryRow(t.Context(), sql).Scan(&rows, &calls, &cost); err != nil {
		t.Fatal(err)
	}
	if rows != 2 || calls != 1 || cost != 150+2*600 {
		t.Errorf("booked %d rows, %d calls, %d nano-dollars", rows, calls, cost)
	}
}

// running starts the gateway, until sigterm. Then stopped gets what its end says.
func running(t testing.TB, c Config, log *slog.Logger) (a *app, sigterm func(), stopped <-chan error) {
	t.Helper()
	a, err := assemble(c, log)
	if err != nil {
		t.Fatal(err)
	}
	term, sigterm := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.run(term) }()
	return a, sigterm, ended
}
