package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/dependency"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
	"github.com/sentinel-chaos/sentinel/service/internal/settling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(settling.M{M: m}) }

// budget is generous: these tests are about what the statements do, on however slow a machine.
const budget = 20 * time.Second

// leaseOver is a lease that has ended as soon as it is granted.
const leaseOver = 0 * time.Second

func openStore(t *testing.T, dsn string, maxConns int32) *Store {
	t.Helper()
	return openPatient(t, Options{DSN: dsn, Conns: maxConns, Replica: "gateway-1", Budget: budget})
}

// openPatient opens a store that waits for its connections as long as tests do for operations. Where the pool gives one up, only an operation with a
// budget asks for another; tests do so without one, and so does a migration.
func openPatient(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := open(o, func(cfg *pgxpool.Config) {
		cfg.ConnConfig.DialFunc = (&net.Dialer{Timeout: budget}).DialContext
		cfg.ConnConfig.ConnectTimeout, cfg.PingTimeout = budget, budget
	}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// openMigrated opens a store on a server whose schema another one has brought up to date.
func openMigrated(t *testing.T, dsn string, maxConns int32) *Store {
	t.Helper()
	s := openStore(t, dsn, maxConns)
	s.migrated()
	return s
}

// TestStore runs every test against one server, with keys of its own each.
func TestStore(t *testing.T) {
	dsn := servers.StartPostgres(t)
	t.Run("migrations of replicas that start together", func(t *testing.T) { testMigrate(t, dsn) })
	s := openMigrated(t, dsn, 5)
	tests := []struct {
		name string
		run  func(*testing.T, *Store)
	}{
		{"claims", testClaims},
		{"one winner", testOneWinner},
		{"takeover", testTakeover},
		{"answers", testAnswers},
		{"texts that jsonb does not take", testAnyText},
		{"what is never taken", testNever},
		{"recheck", testRecheck},
		{"recheck without release", testRecheckWithoutRelease},
		{"late answer without a claim", testLateAnswer},
		{"lost claim", testLostClaim},
		{"stale answers", testFind},
		{"ledger", testLedger},
		{"keys", testKeys},
		{"usage", testUsage},
		{"sweep", testSweep},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
	t.Run("connections of an unfit server", func(t *testing.T) { testUnfit(t, openMigrated(t, dsn, 1)) })
	t.Run("server without room", func(t *testing.T) { testExhausted(t, openStore(t, dsn, 20)) })
	t.Run("server that lets one in", func(t *testing.T) { testFewConnections(t, s) })
	t.Run("server without connections", func(t *testing.T) { testCrowded(t, s) })
	t.Run("connection that becomes free", func(t *testing.T) { testFreedConnection(t, openMigrated(t, dsn, 5)) })
	t.Run("outage", func(t *testing.T) { testOutage(t, dsn) })
}

// testPrepared sees that a connection knows the statements of requests before the first one: also one of a replica that
// had its connections before there was a schema.
func testPrepared(t *testing.T, s *Store) {
	err := s.use(t.Context(), func(ctx context.Context, conn *pgxpool.Conn) error {
		var known int
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_prepared_statements WHERE statement IN ($1, $2, $3)",
			claimSQL, settleSQL, rowsSQL).Scan(&known); err != nil {
			return err
		}
		if known != 3 {
			t.Errorf("a new connection knows %d of 3 statements", known)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func testMigrate(t *testing.T, dsn string) {
	var all sync.WaitGroup
	for range 3 {
		s := openStore(t, dsn, 2)
		all.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
			testPrepared(t, s)
		})
	}
	all.Wait()
}

func acquireAs(t *testing.T, s *Store, key, token string, lease time.Duration) service.Reply {
	t.Helper()
	reply, err := s.Acquire(t.Context(), key, token, lease, nil)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func settle(t *testing.T, s *Store, end service.Settlement) service.Receipt {
	t.Helper()
	if end.ExpiresAt.IsZero() {
		end.ExpiresAt = time.Now().Add(time.Hour)
	}
	receipt, err := s.Settle(t.Context(), end)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func testClaims(t *testing.T, s *Store) {
	key := t.Name()
	for i, step := range []struct {
		token string
		want  service.Verdict
	}{
		{"a", service.Granted}, {"b", service.Refused}, {"a", service.Granted}, // a's second is a renewal, or reads an unacknowledged grant back
	} {
		if got := acquireAs(t, s, key, step.token, time.Hour).Verdict; got != step.want {
			t.Errorf("step %d: got %d, want %d", i, got, step.want)
		}
	}
	for _, token := range []string{"b", "a"} { // b's release must not end a's lease
		if err := s.Release(t.Context(), key, token); err != nil {
			t.Fatal(err)
		}
		want := map[string]service.Verdict{"b": service.Refused, "a": service.Granted}[token]
		if got := acquireAs(t, s, key, "c", time.Hour).Verdict; got != want {
			t.Errorf("after the release by %s: got %d, want %d", token, got, want)
		}
	}
}

func testOneWinner(t *testing.T, s *Store) {
	key := t.Name()
	var mu sync.Mutex
	var all sync.WaitGroup
	granted := 0
	for i := range 20 {
		all.Go(func() {
			reply, err := s.Acquire(t.Context(), key, fmt.Sprint("token ", i), time.Hour, nil)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if reply.Verdict == service.Granted {
				granted++
			}
		})
	}
	all.Wait()
	if granted != 1 {
		t.Errorf("granted to %d", granted)
	}
}

func testTakeover(t *testing.T, s *Store) {
	key := t.Name()
	acquireAs(t, s, key, "dead", leaseOver)
	if got := acquireAs(t, s, key, "heir", time.Hour).Verdict; got != service.Granted {
		t.Fatalf("the heir got %d", got)
	}
	if got := acquireAs(t, s, key, "dead", time.Hour).Verdict; got != service.Refused {
		t.Errorf("the former holder got %d", got)
	}
}

func testAnswers(t *testing.T, s *Store) {
	key := t.Name()
	answer := service.Answer{CallID: "c1", Text: "text", Model: "m", PromptTokens: 1, CompletionTokens: 2, Cost: 3}
	row := service.Row{RequestID: "r1", Tenant: "acme", Key: key, Kind: service.RowCall, CallID: "c1", Cost: 3, At: time.Now()}
	acquireAs(t, s, key, "a", time.Hour)
	for range 2 { // the second is what a retry is
		if !settle(t, s, service.Settlement{Key: key, Token: "a", Answer: answer, Row: &row}).Stored {
			t.Error("not stored")
		}
	}
	reply := acquireAs(t, s, key, "b", time.Hour)
	if reply.Verdict != service.Answered || reply.Answer != answer || time.Until(reply.ExpiresAt) <= 0 || time.Until(reply.ExpiresAt) > time.Hour {
		t.Errorf("got %+v", reply)
	}
	if got := rowsOf(t, s, key); len(got) != 1 || got[0].kind != service.RowCall || got[0].cost != 3 {
		t.Errorf("booked %+v", got)
	}
}

func testAnyText(t *testing.T, s *Store) {
	for i, text := range []string{"", "\x00", "a\x00b", "\ufffd\uffff\ufeff\u202e\u2028\U0001f600e\u0301"} {
		key := fmt.Sprint(t.Name(), i)
		answer := service.Answer{CallID: "c", Token: key, Text: text, Model: "m", Finish: "length"}
		row := service.Row{RequestID: key, Key: key, Kind: service.RowCall, CallID: "c", Token: key, At: time.Now()}
		acquireAs(t, s, key, "a", time.Hour)
		if !settle(t, s, service.Settlement{Key: key, Token: "a", Answer: answer, Row: &row}).Stored {
			t.Errorf("%q is not stored", text)
		}
		hit := service.Row{RequestID: "hit", Key: key, At: time.Now()}
		reply, err := s.Acquire(t.Context(), key, "b", time.Hour, &hit)
		if err != nil || reply.Verdict != service.Answered || reply.Answer != answer {
			t.Errorf("%q: %+v, %v", text, reply, err)
		}
		if found, err := s.Find(t.Context(), key, 0); err != nil || found != answer {
			t.Errorf("%q: found %+v, %v", text, found, err)
		}
		if got := rowsOf(t, s, key); len(got) != 2 || !slices.ContainsFunc(got, func(b booked) bool { return b.id == "hit/"+key }) {
			t.Errorf("%q: booked %+v", text, got)
		}
	}
}

// A row that PostgreSQL will not take is refused once, and says nothing of PostgreSQL.
func testNever(t *testing.T, s *Store) {
	long := make([]byte, 8000)
	for i := range long {
		long[i] = byte('!' + rand.IntN('~'-'!'))
	}
	for _, bad := range []service.Row{{CallID: "c\x00"}, {CallID: string(long)}, {CallID: "c", Cost: -1}} {
		bad.RequestID, bad.Key, bad.Kind, bad.At = "never", t.Name(), service.RowCall, time.Now()
		if err := s.Write(t.Context(), []service.Row{bad}); !errors.Is(err, dependency.ErrNever) {
			t.Errorf("%.9q: %v", bad.CallID, err)
		}
		end := service.Settlement{Key: t.Name(), Token: "a", Answer: service.Answer{CallID: "c"}, ExpiresAt: time.Now().Add(time.Hour), Row: &bad}
		began := time.Now()
		if _, err := s.Settle(t.Context(), end); !errors.Is(err, dependency.ErrNever) || !s.Up() {
			t.Errorf("%.9q: %v after %s", bad.CallID, err, time.Since(began))
		}
	}
}

// The last holder settles between this asker's look at the running claim and its insert: the batch's second statement
// must see it. The first statement is made to wait for the settling transaction, as in the race.
func testRecheck(t *testing.T, s *Store) {
	key := t.Name()
	askWhileTheHolderSettles(t, s, key)
	var running int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM claims WHERE key = $1 AND state = 'running'`, key).Scan(&running); err != nil || running != 0 {
		t.Errorf("%d claims left running, %v", running, err)
	}
}

// A claim that cannot be released is no reason to keep the answer from who asked for it.
func testRecheckWithoutRelease(t *testing.T, s *Store) {
	_, err := s.pool.Exec(t.Context(), `
		CREATE FUNCTION no_release() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no release'; END $$;
		CREATE TRIGGER no_release BEFORE UPDATE ON claims FOR EACH ROW WHEN (NEW.state = 'failed') EXECUTE FUNCTION no_release()`)
	if err != nil {
		t.Fatal(err)
	}
	askWhileTheHolderSettles(t, s, t.Name())
	if _, err := s.pool.Exec(t.Context(), `DROP FUNCTION no_release CASCADE`); err != nil {
		t.Fatal(err)
	}
}

func askWhileTheHolderSettles(t *testing.T, s *Store, key string) {
	t.Helper()
	acquireAs(t, s, key, "a", leaseOver)
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), settleSQL, key, "a", []byte(`{"call_id":"c1"}`), time.Hour); err != nil {
		t.Fatal(err)
	}
	asked := make(chan service.Reply)
	go func() {
		var reply service.Reply
		err := s.use(t.Context(), func(ctx context.Context, conn *pgxpool.Conn) (err error) { // one attempt: the next would not race
			reply, err = acquire(ctx, conn, key, "b", time.Hour, nil)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		asked <- reply
	}()
	servers.Await(t, "the second asker waits for the first", func(ctx context.Context) error {
		var waiting int
		err := s.pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`).Scan(&waiting)
		if err == nil && waiting == 0 {
			err = errors.New("nobody waits")
		}
		return err
	})
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reply := <-asked; reply.Verdict != service.Answered || reply.Answer.CallID != "c1" {
		t.Errorf("got %+v", reply)
	}
}

func testLateAnswer(t *testing.T, s *Store) {
	free, held := t.Name()+" free", t.Name()+" held"
	acquireAs(t, s, held, "somebody", time.Hour)
	for _, key := range []string{free, held} {
		receipt := settle(t, s, service.Settlement{Key: key, Token: "late", Answer: service.Answer{CallID: "late"}})
		if receipt.Stored != (key == free) {
			t.Errorf("%s: %+v", key, receipt)
		}
	}
	if got := acquireAs(t, s, free, "x", time.Hour); got.Answer.CallID != "late" {
		t.Errorf("free key: got %+v", got)
	}
	if got := acquireAs(t, s, held, "x", time.Hour); got.Verdict != service.Refused {
		t.Errorf("held key: got %+v", got)
	}
}

func testLostClaim(t *testing.T, s *Store) {
	key := t.Name()
	acquireAs(t, s, key, "paused", leaseOver)
	acquireAs(t, s, key, "heir", time.Hour)
	row := service.Row{RequestID: "paused", Key: key, Kind: service.RowCall, CallID: "old", Cost: 3, At: time.Now()}
	stale := service.Settlement{Key: key, Token: "paused", Answer: service.Answer{CallID: "old"}, Row: &row}
	if settle(t, s, stale).Stored {
		t.Error("stored under a lost claim")
	}
	if got := acquireAs(t, s, key, "x", time.Hour).Verdict; got != service.Refused {
		t.Errorf("before the heir's answer: got %d", got)
	}
	settle(t, s, service.Settlement{Key: key, Token: "heir", Answer: service.Answer{CallID: "new"}})
	if settle(t, s, stale).Stored {
		t.Error("stored under a lost claim")
	}
	if got := acquireAs(t, s, key, "x", time.Hour); got.Answer.CallID != "new" {
		t.Errorf("got %+v", got)
	}
	if got := rowsOf(t, s, key); len(got) != 1 || got[0].cost != 3 {
		t.Errorf("the call was booked as %+v", got)
	}
}

func testFind(t *testing.T, s *Store) {
	key := t.Name()
	settle(t, s, service.Settlement{Key: key, Answer: service.Answer{CallID: "c"}, ExpiresAt: time.Now()})
	if _, err := s.Find(t.Context(), key, 0); !errors.Is(err, service.ErrNoAnswer) {
		t.Errorf("a dead answer: %v", err)
	}
	if got, err := s.Find(t.Context(), key, time.Hour); err != nil || got.CallID != "c" {
		t.Errorf("within the grace: %+v, %v", got, err)
	}
}

func testSweep(t *testing.T, s *Store) {
	old, young := t.Name()+" old", t.Name()+" young"
	settle(t, s, service.Settlement{Key: young, Answer: service.Answer{CallID: "c"}})
	settle(t, s, service.Settlement{Key: old, Answer: service.Answer{CallID: "c"}, ExpiresAt: time.Now()})
	const many = 2*sweepBatch + 1
	if _, err := s.pool.Exec(t.Context(), `INSERT INTO claims (key, owner, state, lease_until)
		SELECT $1 || n, 'somebody', 'failed', now() - interval '1 hour' FROM generate_series(1, $2) n`, old, many); err != nil {
		t.Fatal(err)
	}
	if err := s.sweep(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM claims WHERE key LIKE $1 || '%'`, old).Scan(&left); err != nil || left > 0 {
		t.Errorf("%d of %d old claims are still there: %v", left, many, err)
	}
	if _, err := s.Find(t.Context(), old, time.Hour); !errors.Is(err, service.ErrNoAnswer) {
		t.Errorf("the old claim is still there: %v", err)
	}
	if _, err := s.Find(t.Context(), young, 0); err != nil {
		t.Errorf("the young answer: %v", err)
	}
}

// booked is a row as it is in the ledger.
type booked struct {
	id, kind string
	cost     int64
	at       time.Time
}

func rowsOf(t *testing.T, s *Store, key string) []booked {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `SELECT id, kind, cost_nanousd, at FROM ledger WHERE key = $1 ORDER BY id`, key)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []booked
	for rows.Next() {
		var b booked
		if err := rows.Scan(&b.id, &b.kind, &b.cost, &b.at); err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func testLedger(t *testing.T, s *Store) {
	key, at := t.Name(), time.Now().Truncate(time.Microsecond)
	call := service.Row{RequestID: "twice", Key: key, Kind: service.RowCall, CallID: "c1", Cost: 3, At: at}
	hit := call
	hit.Kind, hit.Cost = service.RowHit, 0
	second := call
	second.CallID = "c2" // the same request had to call twice: both calls are billed
	for _, rows := range [][]service.Row{{hit}, {call, hit, call}, {second}, {hit}, {call}} {
		if err := s.Write(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	got := rowsOf(t, s, key)
	if len(got) != 2 || got[0].id != "twice/c1" || got[0].kind != service.RowCall || got[0].cost != 3 || !got[0].at.Equal(at) || got[1].cost != 3 {
		t.Errorf("booked %+v", got)
	}
}

func testKeys(t *testing.T, s *Store) {
	first, err := s.Add(t.Context(), "acme", "hash-1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Add(t.Context(), "acme", "hash-1")
	if err != nil || again != first {
		t.Errorf("repeated: id %q, then %q, %v", first, again, err)
	}
	if other, err := s.Add(t.Context(), "acme", "hash-2"); err != nil || other == first {
		t.Errorf("a second key: id %q, %v", other, err)
	}
	if who, err := s.Identify(t.Context(), "hash-1"); err != nil || who != (service.Identity{Tenant: "acme", KeyID: first}) {
		t.Errorf("got %+v, %v", who, err)
	}
	testRevocation(t, s, first)
	if _, err := s.Add(t.Context(), "globex", "hash-3"); err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string]int{"acme": 2, "globex": 1, "": 3, "nobody": 0} {
		if keys, err := s.List(t.Context(), tenant); err != nil || len(keys) != want {
			t.Errorf("of %q listed %+v, %v", tenant, keys, err)
		}
	}
}

func testRevocation(t *testing.T, s *Store, id string) {
	var moments []time.Time
	for range 2 { // the second is what a retry is
		if err := s.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		keys, err := s.List(t.Context(), "acme")
		if err != nil || len(keys) != 2 || keys[1].ID != id || keys[1].Created.IsZero() || !keys[0].Revoked.IsZero() {
			t.Fatalf("listed %+v, %v", keys, err)
		}
		moments = append(moments, keys[1].Revoked)
	}
	if moments[0].IsZero() || moments[1] != moments[0] {
		t.Errorf("revoked at %s, then at %s", moments[0], moments[1])
	}
	for _, hash := range []string{"hash-1", "no such hash"} {
		if _, err := s.Identify(t.Context(), hash); !errors.Is(err, service.ErrUnauthorized) {
			t.Errorf("%s: got %v", hash, err)
		}
	}
	for _, id := range []string{"0", "x", "", "+" + id, "0" + id, " " + id} {
		if err := s.Revoke(t.Context(), id); !errors.Is(err, service.ErrNoKey) {
			t.Errorf("revoked %q: %v", id, err)
		}
	}
}

func testUsage(t *testing.T, s *Store) {
	from := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	row := func(request, keyID, kind string, cost int64, at time.Time) service.Row {
		return service.Row{RequestID: request, Tenant: "used", KeyID: keyID, Key: "k", Kind: kind, CallID: "c", Cost: cost, At: at}
	}
	other := row("r5", "7", service.RowCall, 100, from)
	other.Tenant = "another"
	rows := []service.Row{
		row("r1", "7", service.RowCall, 5, from), row("r2", "7", service.RowHit, 0, from.Add(time.Minute)),
		row("r3", "8", service.RowHit, 0, from), row("r4", "", service.RowCall, 3, from), other,
		row("early", "7", service.RowCall, 100, from.Add(-time.Nanosecond*1000)), row("late", "7", service.RowCall, 100, from.Add(time.Hour)),
	}
	if err := s.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	got, err := s.Usage(t.Context(), "used", from, from.Add(time.Hour))
	want := []service.Usage{{KeyID: "", Requests: 1, Calls: 1, Cost: 3}, {KeyID: "7", Requests: 2, Calls: 1, Cost: 5}, {KeyID: "8", Requests: 1}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}
