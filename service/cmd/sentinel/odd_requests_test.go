package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/odd"
	"github.com/sentinel-chaos/sentinel/service/internal/oracle"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// TestOddRequests: whatever clients send, and whatever the LLM answers meanwhile, requests are answered as documented, and with the right
// answers; nothing panics, and nothing is left when it is over. Every answer has its row, and the books say what the LLM has billed.
// FUZZ_COUNT=10000000 makes a long run of it.
func TestOddRequests(t *testing.T) {
	plan := odd.NewPlan(t, 10_000)
	defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	crowd := newCrowd(t, plan)
	redis, dsn := servers.StartRedis(t), servers.StartPostgres(t)
	upstream := odd.Start(t, crowd.reply)
	c := oddConfig(t)
	c.PostgresDSN, c.RedisSentinels, c.LLMURL = dsn, []string{redis.Sentinel.Addr}, upstream.URL
	heard := &ear{}
	a, sigterm, stopped := running(t, c, slog.New(heard))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	api := client{t, "http://" + c.Listen, &http.Client{Transport: transport}}
	api.awaitStatus("the gateway is ready", http.StatusOK)
	crowd.address = c.Listen
	for _, tenant := range []string{"acme", "acme", "globex", wild} {
		_, issued := api.send("POST", "/v1/admin/keys", c.AdminToken, `{"tenant":"`+tenant+`"}`)
		key, _ := issued["api_key"].(string)
		crowd.keys = append(crowd.keys, credential{tenant, key})
	}

	crowd.send(plan.Count / warmUp)
	rest := atRest(t, a)
	began := time.Now()
	crowd.send(plan.Count)
	took := time.Since(began)
	crowd.settled(t, a, rest)
	crowd.refused.Add(1)
	if status, got := api.send("POST", "/v1/query", crowd.keys[0].key, `{"model":"m","prompt":"`+strings.Repeat("p", 1<<19)+`"}`); status == http.StatusServiceUnavailable && crowd.isOverloaded(got) {
		t.Error("there is no room for a body any more")
	}
	crowd.panics(t, api)
	sigterm()
	if err := <-stopped; err != nil {
		t.Errorf("stopped with %v", err)
	}
	heard.check(t)
	crowd.accounts(t, dsn)
	t.Logf("%d requests in %s, %.0f/s: %s", crowd.sent.Load(), took.Round(time.Second), float64(crowd.sent.Load())/took.Seconds(), crowd.tally())
}

// garbage may be so many times what is in use, in per cent: a small heap that is filled so quickly would be swept all the time.
const garbage = 800

// warmUp is the part of the requests that are sent before anything is measured: pools fill, and memory is got that stays.
const warmUp = 20

// wild is the tenant whose questions get answers of which nobody can tell what they are worth.
const wild = "wild"

// oddConfig has figures by which nothing odd takes long: the model is asked again soon, and once. The budgets of stores are generous, since
// the clients take all the processors that there are.
func oddConfig(t *testing.T) Config {
	required(t)
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.Listen, _ = servers.FreeAddr(t)
	c.AdminToken = "admin"
	c.RedisBudget, c.PostgresBudget, c.Lease, c.RequestTimeout = 3*time.Second, 3*time.Second, 20*time.Second, 30*time.Second
	c.LLMTimeout, c.LLMBudget, c.LLMMaxRest = 3*time.Second, 3*time.Second, time.Millisecond
	c.BreakerPatience, c.BreakerOpen = 0, time.Millisecond
	c.MaxBodyBytes = 64 << 20
	return c
}

type credential struct{ tenant, key string }

// crowd is all the clients of a test.
type crowd struct {
	t        *testing.T
	plan     odd.Plan
	answers  oracle.Answers
	address  string
	keys     []credential
	next     atomic.Uint64 // script
	sent     atomic.Uint64 // requests
	billed   atomic.Int64  // nano-dollars, by the LLM to all tenants but the wild one
	refused  atomic.Int64  // queries that may have a row though they were not answered
	mu       sync.Mutex
	counts   map[string]int // answers by status and code
	file     *os.File
	answered *bufio.Writer // ids of the queries that were answered, a line each
}

func newCrowd(t *testing.T, plan odd.Plan) *crowd {
	answers, err := oracle.ReadAnswers("../../../docs/FAILURE_MODES.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "answered"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return &crowd{t: t, plan: plan, answers: answers, counts: map[string]int{}, file: file, answered: bufio.NewWriter(file)}
}

// mark names a question, for the upstream and for whoever asks it.
func mark(tenant, model, prompt string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, tenant+"\x00"+model+"\x00"+prompt)
	return h.Sum64()
}

// replyTo is what the upstream says to a question.
func (c *crowd) replyTo(tenant, model, prompt string) odd.Reply {
	number := mark(tenant, model, prompt)
	draws := c.plan.Draws(number)
	if tenant == wild {
		return odd.NewReply(draws, fmt.Sprintf("%x:", number))
	}
	for {
		reply := odd.NewReply(draws, fmt.Sprintf("%x:", number))
		if reply.Wild || reply.Reason == service.ReasonTimeout || strings.HasPrefix(model, plain) && reply.Reason != "" {
			continue
		}
		return reply
	}
}

// plain begins the names of models that answer whatever they are asked.
const plain = "plain"

// reply is the upstream.
func (c *crowd) reply(question []byte) odd.Reply {
	var asked struct {
		Model, User string
		Messages    []struct{ Content string }
	}
	if err := json.Unmarshal(question, &asked); err != nil || len(asked.Messages) != 1 {
		c.t.Errorf("the model was asked %.300q: %v", question, err)
		return odd.Reply{Ends: true}
	}
	reply := c.replyTo(asked.User, asked.Model, asked.Messages[0].Content)
	if asked.User != wild && reply.Priced {
		reply.Sent = func() { c.billed.Add(costOf(reply.Completion)) }
	}
	return reply
}

func costOf(o oracle.Completion) int64 { return 150*o.Prompt + 600*o.Answer }

const clients = 48

// send has scripts sent until so many requests have been.
func (c *crowd) send(count uint64) {
	end := c.sent.Load() + count
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			conn := &conversation{crowd: c}
			defer conn.close()
			for c.sent.Load() < end && !c.t.Failed() {
				c.play(conn, c.next.Add(1))
				if c.plan.Only > 0 {
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	go c.progress(stop)
	all.Wait()
	close(stop)
}

func (c *crowd) progress(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(30 * time.Second):
			c.t.Logf("%d requests: %s; heap %d KiB, %d goroutines", c.sent.Load(), c.tally(), measure().heap>>10, runtime.NumGoroutine())
		}
	}
}

// play plays one script. What it sends depends on seed and number alone.
func (c *crowd) play(conn *conversation, number uint64) {
	if c.plan.Only > 0 {
		number = c.plan.Only
	}
	r := c.plan.Draws(number)
	var err error
	if odd.In(r, 40) {
		err = conn.stray(r)
	} else {
		err = conn.batch(r, number)
	}
	if err != nil {
		c.t.Errorf("script %d of seed %d: %v", number, c.plan.Seed, err)
	}
}

// note counts an answer, and keeps the ids of queries that were answered.
func (c *crowd) note(status int, code, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[strings.TrimSpace(fmt.Sprint(status, " ", code))]++
	if id != "" {
		_, _ = c.answered.WriteString(id + "\n") // a bufio.Writer keeps its error
	}
}

func (c *crowd) tally() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var texts []string
	for what, n := range c.counts {
		texts = append(texts, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

func (c *crowd) isOverloaded(got map[string]any) bool {
	e, _ := got["error"].(map[string]any)
	return e["code"] == service.ReasonOverloaded
}

// figures are what a process has in use.
type figures struct {
	goroutines, files int
	heap              uint64
}

func measure() figures {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd") // there is none but on Linux
	return figures{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// atRest waits until nothing is under way, and then measures.
func atRest(t *testing.T, a *app) figures {
	t.Helper()
	servers.Await(t, "nothing is under way", func(context.Context) error {
		if n, flights, calls, rows := a.api.Active().Now(), a.gateway.ActiveFlights().Now(), a.llm.Active().Now(), a.ledger.Pending(); n+flights+calls+rows != 0 {
			return fmt.Errorf("%d requests, %d flights, %d calls and %d rows are", n, flights, calls, rows)
		}
		return nil
	})
	time.Sleep(2 * time.Second) // connections that were closed early are kept for half a second by the server; pools let go of what a crowd dialled
	return measure()
}

// What may be more at the end than at the start: connections of pools and their goroutines, and what is remembered of models, keys and routes.
const (
	moreGoroutines = 40
	moreFiles      = 20
	moreHeap       = 16 << 20
)

// settled wants everything as it was.
func (c *crowd) settled(t *testing.T, a *app, before figures) {
	t.Helper()
	after := atRest(t, a)
	servers.Await(t, "connections are closed", func(context.Context) error { // a machine that stood still has not come to it yet
		if now := after; now.goroutines > before.goroutines+moreGoroutines || now.files > before.files+moreFiles {
			after = measure()
			return fmt.Errorf("%+v are in use, before %+v", now, before)
		}
		return nil
	})
	if after.heap > before.heap+moreHeap {
		t.Errorf("%+v are in use, before %+v", after, before)
	}
	if n := a.ledger.SetAside(); n > 0 {
		t.Errorf("%d rows are set aside", n)
	}
	t.Logf("in use before: %+v, after: %+v", before, after)
}

// panics wants the metrics to tell of none.
func (c *crowd) panics(t *testing.T, api client) {
	t.Helper()
	resp, err := api.http.Get(api.base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(page), "\nsentinel_panics_total 0\n") {
		t.Errorf("panics are told of: %v", err)
	}
}

// accounts wants a row for each answer, for nothing else that was not billed, and the sum that the LLM has billed.
func (c *crowd) accounts(t *testing.T, dsn string) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE TEMPORARY TABLE answered (id text)"); err != nil {
		t.Fatal(err)
	}
	notFlushed := c.answered.Flush()
	if _, err := c.file.Seek(0, io.SeekStart); err != nil || notFlushed != nil {
		t.Fatal(err, notFlushed)
	}
	answered, err := conn.PgConn().CopyFrom(ctx, c.file, "COPY answered FROM STDIN")
	if err != nil {
		t.Fatal(err)
	}
	var missing, rows, cost, least int64
	err = conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM answered a WHERE NOT EXISTS (SELECT FROM ledger l WHERE l.request_id = a.id)), count(*),
		coalesce(sum(cost_nanousd) FILTER (WHERE tenant <> $1), 0)::bigint, coalesce(min(cost_nanousd), 0) FROM ledger`, wild).Scan(&missing, &rows, &cost, &least)
	if err != nil {
		t.Fatal(err)
	}
	if missing > 0 || rows < answered.RowsAffected() || rows > answered.RowsAffected()+c.refused.Load() {
		t.Errorf("%d rows, %d queries were answered and %d refused; %d answers have no row", rows, answered.RowsAffected(), c.refused.Load(), missing)
	}
	if cost != c.billed.Load() || least < 0 {
		t.Errorf("booked are %d nano-dollars, billed were %d; the least is %d", cost, c.billed.Load(), least)
	}
	t.Logf("%d rows, %d queries were answered; %d nano-dollars", rows, answered.RowsAffected(), cost)
}

// ear listens to the log for what tells of a defect.
type ear struct {
	mu   sync.Mutex
	bad  []string
	more int
}

// Enabled reports whether a level may have such a line.
func (e *ear) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// mostHeard lines are shown; one defect may have any number.
const mostHeard = 10

// Handle keeps a line that tells of a defect.
func (e *ear) Handle(_ context.Context, line slog.Record) error {
	if line.Level < slog.LevelError && !strings.Contains(line.Message, "panic") && !strings.Contains(line.Message, "superfluous") {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.more++; e.more > mostHeard {
		return nil
	}
	text := line.Message
	line.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	e.bad = append(e.bad, text)
	return nil
}

// WithAttrs leaves out what all lines of a logger have.
func (e *ear) WithAttrs([]slog.Attr) slog.Handler { return e }

// WithGroup does so too.
func (e *ear) WithGroup(string) slog.Handler { return e }

func (e *ear) check(t *testing.T) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.more > 0 {
		t.Errorf("%d lines of the log tell of defects: %.3000q", e.more, e.bad)
	}
}
