package postgres

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// fates of a connection that is being opened.
const (
	made = iota
	refused
	broken // after its dial
	fates
)

// TestOpeningIsBounded: no more than openAtOnce are under way, whatever becomes of them, everybody has a turn, and in the end all
// turns are free.
func TestOpeningIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all, takes = 30, 100 * time.Millisecond
		o := newOpening()
		var underWay, most, had atomic.Int64
		for i := range all {
			go func() {
				cfg := dialing(func() error {
					most.Store(max(most.Load(), underWay.Add(1)))
					had.Add(1)
					if i%fates == refused {
						underWay.Add(-1)
						return errors.New("refused")
					}
					return nil
				})
				o.bound(cfg)
				conn, err := cfg.DialFunc(t.Context(), "tcp", "")
				if err != nil {
					return
				}
				time.Sleep(takes)
				underWay.Add(-1)
				if i%fates == made {
					_ = cfg.AfterConnect(t.Context(), nil)
				}
				_ = conn.Close()
			}()
		}
		time.Sleep(all * takes)
		if had.Load() != all || most.Load() != openAtOnce || len(o) != 0 {
			t.Errorf("%d of %d had a turn, %d at once, %d turns were not given back", had.Load(), all, most.Load(), len(o))
		}
	})
}

// dialing is a configuration whose dial does so, and then connects.
func dialing(do func() error) *pgconn.Config {
	return &pgconn.Config{DialFunc: func(context.Context, string, string) (net.Conn, error) {
		if err := do(); err != nil {
			return nil, err
		}
		conn, _ := net.Pipe()
		return conn, nil
	}}
}

// A query is cancelled by a second socket of a connection that is made. It waits for no turn, since the queries of a server that
// hangs are cancelled just when no connection can be opened.
func TestCancellingWaitsForNoTurn(t *testing.T) {
	o := newOpening()
	cfg := dialing(func() error { return nil })
	o.bound(cfg)
	for range 2 * openAtOnce {
		conn, err := cfg.DialFunc(t.Context(), "tcp", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = cfg.AfterConnect(t.Context(), nil)
	}
}

func TestTurnIsNotAwaitedForEver(t *testing.T) {
	o := newOpening()
	for range openAtOnce {
		o <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := dialing(func() error { return nil })
	o.bound(cfg)
	if _, err := cfg.DialFunc(ctx, "tcp", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
