package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// journal is rediskv.outboxName.
const journal = "sentinel:journal"

// failing is a gateway whose stores can be broken, under load.
type failing struct {
	*served
	model    *echo
	redis    []*servers.Relay
	postgres *servers.Relay
	outbox   string // address of Redis itself
	books    string // DSN of PostgreSQL itself
	sigterm  func()
	stopped  <-chan error
}

// startFailing starts a gateway, of a name of its own in books that others share, before a Redis of its own.
func startFailing(t *testing.T, c Config, model *echo, books string) *failing {
	t.Helper()
	f := &failing{served: &served{config: c, log: &syncLog{}}, model: model, books: books}
	f.config.LLMURL = upstream(t, model)
	slow := func(budget time.Duration) time.Duration { return budget * 6 / 5 } // beyond the budget as often as not in two messages
	store, master, sentinel := servers.StartRelayedRedis(t, slow(c.RedisBudget))
	f.redis, f.outbox = []*servers.Relay{master, sentinel}, store.Master.Addr
	dsn, err := url.Parse(books)
	if err != nil {
		t.Fatal(err)
	}
	f.postgres = servers.StartRelay(t, dsn.Host, slow(c.PostgresBudget))
	dsn.Host = f.postgres.Addr
	f.config.PostgresDSN, f.config.RedisSentinels = dsn.String(), []string{sentinel.Addr}
	f.config.Listen, f.config.AdminListen = nobody(t), nobody(t)
	f.app, f.sigterm, f.stopped = running(t, f.config, slog.New(slog.NewJSONHandler(f.log, nil)))
	f.clients, f.operators = newClient(t, f.config.Listen), newClient(t, f.config.AdminListen)
	f.operators.awaitStatus("the gateway is ready", 200)
	return f
}

// key issues an API key, when PostgreSQL has the time: gateways that start beside each other keep it busy for longer than its budget.
func (f *failing) key(t *testing.T) (key string) {
	t.Helper()
	servers.Await(t, "a key is issued", func(context.Context) error {
		status, issued := f.operators.send("POST", "/v1/admin/keys", administrator, `{"tenant":"acme"}`)
		if key, _ = issued["api_key"].(string); key == "" {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	return key
}

// breaks gives a store a fault.
func (f *failing) breaks(t *testing.T, store string, fault servers.Fault) {
	t.Helper()
	relays := f.redis
	if store == "postgres" {
		relays = []*servers.Relay{f.postgres}
	}
	for _, relay := range relays {
		relay.Break(t, fault)
	}
}

// toldIDs are the ids of requests that were answered.
type toldIDs struct {
	mu  sync.Mutex
	all map[string]bool
}

func (a *toldIDs) add(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[id] = true
}

func (a *toldIDs) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all)
}

// load asks, hits and misses in turns, until nobody answers any more.
func (f *failing) load(key string) (answered *toldIDs, end func()) {
	const workers, pause = 6, 10 * time.Millisecond
	answered = &toldIDs{all: map[string]bool{}}
	ctx, cancel := context.WithCancel(f.clients.t.Context())
	var asking sync.WaitGroup
	for w := range workers {
		asking.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id, prompt := fmt.Sprintf("%s-%d-%d", f.config.Replica, w, n), stored
				if n%2 > 0 {
					prompt = fmt.Sprintf("%s-%d", f.config.Replica, n) // each is asked by all workers, and shared by those who come in time
				}
				if status, _ := f.clients.send("POST", "/v1/query", key, asks(prompt), "X-Request-Id", id); status == 200 {
					answered.add(id)
				}
				sleep(ctx, pause)
			}
		})
	}
	return answered, func() {
		cancel()
		asking.Wait()
	}
}

// watch asks time and again how the gateway is, as those do who run it, until it has ended.
func (f *failing) watch() (end func()) {
	ctx, cancel := context.WithCancel(f.operators.t.Context())
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for ctx.Err() == nil {
				_, _ = f.operators.send("GET", "/health", "", "")
				sleep(ctx, 5*time.Millisecond)
			}
		})
	}
	return func() {
		cancel()
		asking.Wait()
	}
}

// ended waits for the end after SIGTERM, which must come within the grace period, and returns what it says. On a busy machine nothing comes when
// it is due: what a timer was late by meanwhile, at most, is allowed on top. If that is much of what there is for the end of administration,
// those who watch may be cut off, which loses nothing.
func (f *failing) ended(t *testing.T) error {
	t.Helper()
	lateness := watchTimers(t)
	told := time.Now()
	f.sigterm()
	select {
	case err := <-f.stopped:
		took, late := time.Since(told), lateness()
		t.Logf("it ended in %s of %s; timers were late by %s at most", took, f.config.Grace, late)
		if took > f.config.Grace+late {
			t.Errorf("it ended late:\n%s", f.log)
		}
		if err != nil && err.Error() == "administration: context deadline exceeded" && late > f.config.Grace/(8*flushShare)/2 {
			return nil
		}
		return err
	case <-time.After(4 * f.config.Grace):
		t.Fatalf("it has not ended in four times its grace period:\n%s", f.log)
		return nil
	}
}

// rows are those of the gateway, wherever they are. The outbox comes first: a row is in the book before it leaves there.
func (f *failing) rows(t *testing.T) (all []service.Row) {
	t.Helper()
	outbox := redis.NewClient(&redis.Options{Addr: f.outbox})
	defer outbox.Close()
	waiting, err := outbox.XRange(t.Context(), journal, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range waiting {
		var row service.Row
		text, _ := entry.Values["row"].(string)
		call, _ := entry.Values["call"].(string)
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		row.CallID, row.Token, _ = strings.Cut(call, " ")
		all = append(all, row)
	}
	book, err := pgx.Connect(t.Context(), f.books)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close(context.WithoutCancel(t.Context()))
	booked, err := book.Query(t.Context(), "SELECT request_id, kind, call_id FROM ledger WHERE replica = $1", f.config.Replica)
	if err != nil {
		t.Fatal(err)
	}
	for booked.Next() {
		var row service.Row
		if err := booked.Scan(&row.RequestID, &row.Kind, &row.CallID); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := booked.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// expectRows wants a row for each request that was answered, and one of a call for each call.
func (f *failing) expectRows(t *testing.T, answered *toldIDs) {
	t.Helper()
	requests, calls := map[string]bool{}, map[string]bool{}
	for _, row := range f.rows(t) {
		requests[row.RequestID] = true
		if row.Kind == service.RowCall {
			calls[row.CallID] = true
		}
	}
	t.Logf("%d requests were answered, and %d calls", len(answered.all), len(f.model.calls()))
	missing := maps.Clone(answered.all)
	maps.DeleteFunc(missing, func(id string, _ bool) bool { return requests[id] })
	if len(missing) > 0 {
		t.Errorf("%d of %d answered requests have no row, such as %v", len(missing), len(answered.all), first(missing))
	}
	unpaid := map[string]bool{}
	for _, call := range f.model.calls() {
		if !calls[call] {
			unpaid[call] = true
		}
	}
	if len(unpaid) > 0 {
		t.Errorf("%d of %d calls have no row, such as %v", len(unpaid), len(f.model.calls()), first(unpaid))
	}
}

func first(of map[string]bool) string {
	for one := range of {
		return one
	}
	return ""
}

// patient is a configuration of a gateway that has 5 s to end, and calls that fit into it. A machine that stands still has none given up: nobody
// would book what the model has answered by then.
func patient(t *testing.T) Config {
	t.Helper()
	c := configured(t)
	c.Grace, c.LLMTimeout, c.LLMBudget, c.BreakerPatience = 5*time.Second, 3*time.Second, 3*time.Second, 500*time.Millisecond
	return c
}

// A replica that gets SIGTERM while a store is slow, silent, refusing or away, be it for a while or from that moment on, ends within its grace
// period and without an error. What it has answered, and what it has bought, is in the ledger or in the outbox: one store could take it.
func TestSIGTERMWhileAStoreFails(t *testing.T) {
	books := servers.StartPostgres(t, "max_connections=300")
	c := patient(t)
	for i, store := range []string{"redis", "postgres"} {
		for _, fault := range servers.Faults() {
			t.Run(fmt.Sprintf("%s is %s", store, fault), func(t *testing.T) {
				t.Parallel() // each waits, most of the time
				for _, since := range []time.Duration{0, time.Second} {
					own := c
					own.Replica = fmt.Sprintf("gateway-%d-%d-%s", i, fault, since)
					f := startFailing(t, own, &echo{takes: 100 * time.Millisecond}, books)
					f.failAndEnd(t, store, fault, since)
				}
			})
		}
	}
}

// failAndEnd breaks a store under load and sends SIGTERM after that time.
func (f *failing) failAndEnd(t *testing.T, store string, fault servers.Fault, since time.Duration) {
	t.Helper()
	key := f.key(t)
	f.store(t, key, stored)
	answered, endLoad := f.load(key)
	endWatch := f.watch()
	defer endWatch()
	defer endLoad()
	servers.Await(t, "the load is under way", func(context.Context) error {
		if n := answered.count(); n < 20 {
			return fmt.Errorf("%d are answered", n)
		}
		return nil
	})
	f.breaks(t, store, fault)
	sleep(t.Context(), since)
	up := map[string]func() bool{"redis": f.app.redis.Up, "postgres": f.app.postgres.Up}[store]
	if since > 0 && fault != servers.Slow { // what is slow answers now and then
		servers.Await(t, "the fault is known", func(context.Context) error { // a budget ends later where gateways share a machine
			if up() {
				return fmt.Errorf("%s is called well", store)
			}
			return nil
		})
	}
	before := answered.count()
	if err := f.ended(t); err != nil {
		t.Errorf("%s since: it ended with %v\n%s", since, err, f.log)
	}
	endLoad()
	if answered.count() == before {
		t.Errorf("%s since: nothing was answered after SIGTERM", since)
	}
	f.expectRows(t, answered)
}

// If both stores fall silent with a call under way that is then paid for, the end comes in time as well. It is not clean, and the log has all
// of the row that nobody took, for whoever books it by hand.
func TestSIGTERMWithoutStores(t *testing.T) {
	for _, fault := range servers.Faults()[1:] { // what is slow takes it in the end
		t.Run("both are "+fault.String(), func(t *testing.T) {
			asked, release := make(chan struct{}, 1), make(chan struct{})
			answer := sync.OnceFunc(func() { close(release) })
			defer answer()
			c := patient(t)
			c.LLMTimeout, c.LLMBudget = 20*time.Second, 20*time.Second // the call goes on until both stores are broken
			f := startFailing(t, c, &echo{asked: asked, release: release}, servers.StartPostgres(t))
			key := f.key(t)
			answered := make(chan int, 1)
			go func() {
				status, _ := f.clients.send("POST", "/v1/query", key, asks("p"), "X-Request-Id", "the-lost-one")
				answered <- status
			}()
			select {
			case <-asked:
			case status := <-answered:
				t.Fatalf("no call was made: status %d", status)
			}
			f.breaks(t, "redis", fault)
			f.breaks(t, "postgres", fault)
			sigterm := f.sigterm
			f.sigterm = func() {
				sigterm()
				answer()
			}
			err := f.ended(t)
			if err == nil || !strings.Contains(err.Error(), "1 ledger rows are in neither") {
				t.Errorf("it ended with %v", err)
			}
			if status := <-answered; status == 200 {
				t.Error("the request was answered, though nobody could book it")
			}
			if rows := f.lost(t); len(rows) != 1 || rows[0].RequestID != "the-lost-one" || rows[0].Kind != service.RowCall || rows[0].Cost == 0 || rows[0].CallID != "call-1" {
				t.Errorf("the log tells of %+v:\n%s", rows, f.log)
			}
		})
	}
}

// lost are the rows that the log says are lost.
func (f *failing) lost(t *testing.T) (rows []service.Row) {
	t.Helper()
	for line := range strings.Lines(f.log.String()) {
		var entry struct {
			Msg string
			Row *service.Row
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(entry.Msg, "a ledger row is lost") && entry.Row != nil {
			rows = append(rows, *entry.Row)
		}
	}
	return rows
}

// watchTimers sets one timer after another. The function that it returns tells by how much the worst was late.
func watchTimers(t *testing.T) (lateness func() time.Duration) {
	const length = 5 * time.Millisecond
	ctx, end := context.WithCancel(t.Context())
	var worst time.Duration
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			set := time.Now()
			time.Sleep(length)
			worst = max(worst, time.Since(set)-length)
		}
	})
	return func() time.Duration {
		end()
		watching.Wait()
		return worst
	}
}
