package rediskv_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/dependency"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
	"github.com/sentinel-chaos/sentinel/service/internal/settling"
	"github.com/sentinel-chaos/sentinel/service/rediskv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(settling.M{M: m}) }

// budget is generous: these tests are about what the scripts do, on however slow a machine.
const budget = 20 * time.Second

func openStore(t *testing.T, r *servers.Redis, budget time.Duration) *rediskv.Store {
	t.Helper()
	s := rediskv.OpenPatient(rediskv.Options{
		Sentinels: []string{r.Sentinel.Addr}, Master: r.Name, Replica: "gateway-1", Budget: budget,
	}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestStore runs every test against one master and replica, with keys of its own each.
func TestStore(t *testing.T) {
	r := servers.StartRedis(t)
	s := openStore(t, r, budget)
	admin := redis.NewClient(&redis.Options{Addr: r.Master.Addr})
	t.Cleanup(func() { _ = admin.Close() })
	tests := []struct {
		name string
		run  func(*testing.T, *rediskv.Store, *redis.Client)
	}{
		{"locks", testLocks},
		{"takeover", testTakeover},
		{"answers", testAnswers},
		{"late answer without a lock", testLateAnswer},
		{"lost lock", testLostLock},
		{"outbox", testOutbox},
		{"two buckets, one empty", testTwoBuckets},
		{"a bucket without a look into the cache", testBucketAlone},
		{"bucket after a failover", testBucketOfAnotherClock},
		{"full bucket", testFullBucket},
		{"hit that is refused", testLimitedHit},
		{"scripts after a failover", testUnknownScripts},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, s, admin) })
	}
	t.Run("bucket that replicas share", func(t *testing.T) { testSharedBucket(t, r) })
	t.Run("lock that is not replicated", func(t *testing.T) { testNotReplicated(t, r, admin) })
	t.Run("full memory", func(t *testing.T) { testFullMemory(t, r, admin) })
	t.Run("paused master", func(t *testing.T) { testPaused(t, r) })
}

func acquireAs(t *testing.T, s *rediskv.Store, key, token string, lease time.Duration) service.Reply {
	t.Helper()
	reply, err := s.Acquire(t.Context(), key, token, lease, nil)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func settle(t *testing.T, s *rediskv.Store, end service.Settlement) service.Receipt {
	t.Helper()
	end.ExpiresAt = time.Now().Add(time.Hour)
	receipt, err := s.Settle(t.Context(), end)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func testLocks(t *testing.T, s *rediskv.Store, _ *redis.Client) {
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

// testFullMemory: a Redis that takes no more writes says so at once, and nothing of what it refused has happened.
func testFullMemory(t *testing.T, r *servers.Redis, admin *redis.Client) {
	full := func(yes string) {
		t.Helper()
		if err := admin.ConfigSet(t.Context(), "maxmemory", yes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	row := service.Row{RequestID: "r1", Tenant: "acme", Key: t.Name(), Kind: service.RowHit, At: time.Now()}
	bucket := service.Bucket{Limit: service.Limit{Rate: 1, Burst: 1}, Kind: service.BucketOfKey, ID: t.Name()}
	full("1")
	defer full("0")
	for what, ask := range map[string]func(*rediskv.Store) error{
		"a read": func(s *rediskv.Store) error {
			_, _, err := s.Read(t.Context(), row, []service.Bucket{bucket})
			return err
		},
		"a lock": func(s *rediskv.Store) error {
			_, err := s.Acquire(t.Context(), t.Name(), "a", time.Hour, nil)
			return err
		},
		"an answer": func(s *rediskv.Store) error {
			_, err := s.Settle(t.Context(), service.Settlement{Key: t.Name(), Token: "a", Row: &row, ExpiresAt: time.Now().Add(time.Hour)})
			return err
		},
		"a row": func(s *rediskv.Store) error {
			_, err := s.Append(t.Context(), row)
			return err
		},
	} {
		s := openStore(t, r, budget)
		asked := time.Now()
		err := ask(s)
		if took := time.Since(asked); !errors.Is(err, dependency.ErrExhausted) || s.Up() || took > budget/2 {
			t.Errorf("%s: %v after %s, up %t", what, err, took, s.Up())
		}
	}
	for _, name := range []string{"sentinel:lock:" + t.Name(), "sentinel:answer:" + t.Name(), "sentinel:bucket:" + bucket.Name()} {
		if n, err := admin.Exists(t.Context(), name).Result(); err != nil || n != 0 {
			t.Errorf("%s exists: %d, %v", name, n, err)
		}
	}
	s := openStore(t, r, budget)
	_, _ = s.Append(t.Context(), row)
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() { defer close(watched); s.Watch(ctx) }()
	defer func() { stop(); <-watched }()
	full("0")
	servers.Await(t, "Redis takes writes again", func(context.Context) error {
		if !s.Up() {
			return dependency.ErrUnavailable
		}
		return nil
	})
}

func testTakeover(t *testing.T, s *rediskv.Store, _ *redis.Client) {
	key := t.Name()
	acquireAs(t, s, key, "dead", time.Millisecond)
	servers.Await(t, "the lease ends", func(context.Context) error {
		if got := acquireAs(t, s, key, "heir", time.Hour).Verdict; got != service.Granted {
			return fmt.Errorf("got %d", got)
		}
		return nil
	})
	if got := acquireAs(t, s, key, "dead", time.Hour).Verdict; got != service.Refused {
		t.Errorf("the former holder got %d", got)
	}
}

func testAnswers(t *testing.T, s *rediskv.Store, admin *redis.Client) {
	for _, answer := range []service.Answer{
		{CallID: "c1", Text: "two\nlines", Model: "m", PromptTokens: 1, CompletionTokens: 2, Cost: 3}, // of a replica of an older version
		{CallID: "c1", Token: "t1", Text: "two\nlines", Finish: "stop"},
		{CallID: "c1", Token: "t2", Text: ""},
		{CallID: "c1", Token: "t3", Text: "a\x00b\uffff"},
	} {
		testAnswer(t, s, admin, t.Name()+answer.Token, answer)
	}
}

func testAnswer(t *testing.T, s *rediskv.Store, admin *redis.Client, key string, answer service.Answer) {
	hit := service.Row{RequestID: "r2", Tenant: "acme", Key: key, Kind: service.RowHit, At: time.Now().UTC()}
	if _, _, err := s.Read(t.Context(), hit, nil); !errors.Is(err, service.ErrNoAnswer) {
		t.Fatalf("before any answer: %v", err)
	}
	acquireAs(t, s, key, "a", time.Hour)
	for range 2 { // the second is what a retry is
		if receipt := settle(t, s, service.Settlement{Key: key, Token: "a", Answer: answer}); receipt.Mark != "" || !receipt.Stored {
			t.Errorf("settled without a row: %+v", receipt)
		}
	}
	got, mark, err := s.Read(t.Context(), hit, nil)
	if err != nil || got != answer || mark == "" {
		t.Errorf("read %+v, %q, %v", got, mark, err)
	}
	reply := acquireAs(t, s, key, "b", time.Hour)
	if reply.Verdict != service.Answered || reply.Answer != answer || time.Until(reply.ExpiresAt) <= 0 || time.Until(reply.ExpiresAt) > time.Hour {
		t.Errorf("asked for the flight: %+v", reply)
	}
	if held := admin.Exists(t.Context(), "sentinel:lock:"+key).Val(); held != 0 {
		t.Error("the lock was kept")
	}
	hit.CallID, hit.Token = answer.CallID, answer.Token
	if entries := outbox(t, s); len(entries) != 1 || entries[0].Row != hit || entries[0].Mark != mark {
		t.Errorf("in the outbox %+v", entries)
	}
	forgetAll(t, s)
}

func testLateAnswer(t *testing.T, s *rediskv.Store, _ *redis.Client) {
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

func testLostLock(t *testing.T, s *rediskv.Store, _ *redis.Client) {
	key := t.Name()
	row := service.Row{RequestID: "paused", Key: key, Kind: service.RowCall, CallID: "old", Cost: 3, At: time.Now().UTC()}
	stale := service.Settlement{Key: key, Token: "paused", Answer: service.Answer{CallID: "old"}, Row: &row}
	acquireAs(t, s, key, "heir", time.Hour)
	if settle(t, s, stale).Stored {
		t.Error("stored under a lost lock")
	}
	if got := acquireAs(t, s, key, "x", time.Hour).Verdict; got != service.Refused {
		t.Errorf("before the heir's answer: got %d", got)
	}
	settle(t, s, service.Settlement{Key: key, Token: "heir", Answer: service.Answer{CallID: "new"}})
	if settle(t, s, stale).Stored {
		t.Error("stored under a lost lock")
	}
	if got := acquireAs(t, s, key, "x", time.Hour); got.Answer.CallID != "new" {
		t.Errorf("got %+v", got)
	}
	if entries := outbox(t, s); len(entries) != 2 || entries[0].Row != row {
		t.Errorf("the call was in the outbox as %+v", entries)
	}
	forgetAll(t, s)
}

// outbox reads everything in the outbox.
func outbox(t *testing.T, s *rediskv.Store) []service.Entry {
	t.Helper()
	entries, length, err := s.Orphans(t.Context(), -time.Hour, 100) // rows of an hour ahead are old enough
	if err != nil || int(length) != len(entries) {
		t.Fatalf("%d of %d entries, %v", len(entries), length, err)
	}
	return entries
}

func forgetAll(t *testing.T, s *rediskv.Store) {
	t.Helper()
	var marks []service.Mark
	for _, e := range outbox(t, s) {
		marks = append(marks, e.Mark)
	}
	if err := s.Forget(t.Context(), marks); err != nil {
		t.Fatal(err)
	}
	if left := outbox(t, s); len(left) != 0 {
		t.Errorf("left %+v", left)
	}
}

func testOutbox(t *testing.T, s *rediskv.Store, _ *redis.Client) {
	for i := range 3 {
		row := service.Row{RequestID: fmt.Sprint(i), Key: "k", Kind: service.RowHit, CallID: "c", At: time.Now().UTC()}
		if _, err := s.Append(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	if entries, length, err := s.Orphans(t.Context(), time.Hour, 100); err != nil || len(entries) != 0 || length != 3 {
		t.Errorf("young rows: %d of %d, %v", len(entries), length, err)
	}
	if entries, length, err := s.Orphans(t.Context(), -time.Hour, 2); err != nil || len(entries) != 2 || length != 3 {
		t.Errorf("with a limit of 2: %d of %d, %v", len(entries), length, err)
	}
	if entries, length, err := s.Orphans(t.Context(), -time.Hour, 0); err != nil || len(entries) != 0 || length != 3 {
		t.Errorf("with a limit of 0: %d of %d, %v", len(entries), length, err)
	}
	forgetAll(t, s)
}

func testUnknownScripts(t *testing.T, s *rediskv.Store, admin *redis.Client) {
	if err := admin.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if got := acquireAs(t, s, t.Name(), "a", time.Hour).Verdict; got != service.Granted {
		t.Errorf("got %d", got)
	}
}

// A lock that its replica has not got would be lost in a failover: it is not granted. Redis counts in whole seconds how old the replica's last
// sign of life is. So a replica that is seen to have given one in this second is waited for a second later at the least. If the machine
// stood still for longer, a grant is right.
func testNotReplicated(t *testing.T, r *servers.Redis, admin *redis.Client) {
	s := openStore(t, r, 300*time.Millisecond)
	var seen time.Time
	servers.Await(t, "the replica gives a sign of life", func(ctx context.Context) error {
		seen = time.Now()
		info, err := admin.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "lag=0") {
			err = fmt.Errorf("replication: %s", info)
		}
		return err
	})
	r.Replica.Pause()
	defer r.Replica.Resume()
	reply, err := s.Acquire(t.Context(), t.Name(), "a", time.Hour, nil)
	if took := time.Since(seen); (err == nil || reply.Verdict != service.NoReply) && took < time.Second {
		t.Errorf("got %+v, %v after %s", reply, err, took)
	}
}

func testPaused(t *testing.T, r *servers.Redis) {
	const budget = 3 * time.Second // on a busy machine an outage is found out some time after its end
	s := openStore(t, r, budget)
	watching, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.Watch(watching)
	}()
	r.Master.Pause()
	second := make(chan error)
	go func() { // most of a budget behind, and no wiser than the first
		time.Sleep(budget * 4 / 5)
		_, _, err := s.Read(t.Context(), service.Row{Key: t.Name()}, nil)
		second <- err
	}()
	_, _, first := s.Read(t.Context(), service.Row{Key: t.Name()}, nil)
	told := 0
	for _, err := range []error{first, <-second} {
		if !errors.Is(err, dependency.ErrUnavailable) || s.Up() {
			t.Fatalf("got %v, up %t", err, s.Up())
		}
		if strings.HasSuffix(err.Error(), dependency.ErrUnavailable.Error()) { // who waits for a budget of its own says what came of it
			told++
		}
	}
	if told != 1 {
		t.Errorf("%d of 2 were told of the outage", told)
	}
	r.Master.Resume()
	servers.Await(t, "the outage ends", func(context.Context) error {
		if !s.Up() {
			return errors.New("unavailable")
		}
		return nil
	})
	if _, _, err := s.Read(t.Context(), service.Row{Key: t.Name()}, nil); !errors.Is(err, service.ErrNoAnswer) {
		t.Errorf("afterwards: %v", err)
	}
	stop()
	<-watched
}
