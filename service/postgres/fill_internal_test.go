package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// TestFill: with a server whose schema was not there, all connections that are kept are open when it returns, and stay so, though the pool
// looks after them; with one that lets nobody in, it says how many are, and ends with its context.
func TestFill(t *testing.T) {
	s := openStore(t, servers.StartPostgres(t), 5)
	time.Sleep(2 * fillPause) // a pool that did not wait for the schema would have begun to fill itself
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if used, idle := s.Pool(); int32(used+idle) < s.kept || s.kept == 0 { // while the pool looks after them it uses them
			t.Errorf("%d of %d connections are open", used+idle, s.kept)
		}
		time.Sleep(healthPeriod + healthPeriod/2)
	}
	testPrepared(t, s)

	dsn, _ := knocking(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*fillPause)
	defer cancel()
	began := time.Now()
	q := openImpatient(t, dsn)
	q.migrated()
	err := q.Fill(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "0 of 8 connections are open") {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}
