package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// TestFill: with a server, all connections that are kept are open when it returns; with one that lets nobody in, it says how many
// are, and ends with its context.
func TestFill(t *testing.T) {
	s := openStore(t, servers.StartPostgres(t), 5)
	if err := s.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, idle := s.Pool(); int32(idle) < s.kept || s.kept == 0 {
		t.Errorf("%d of %d connections are open", idle, s.kept)
	}

	dsn, _ := knocking(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*fillPause)
	defer cancel()
	began := time.Now()
	err := openQuick(t, dsn).Fill(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "0 of 8 connections are open") {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}
