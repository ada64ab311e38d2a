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

// A connection that breaks before it is made has no query to cancel, and pgx would do it all the same: by a second socket, which takes a turn
// for 15 s if the server says nothing. That of two such connections is all there are.
func TestNothingIsCancelledBeforeItIsMade(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var dialled atomic.Int64
	var silent []net.Conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if dialled.Add(1) > openAtOnce {
				silent = append(silent, conn)
				continue
			}
			_, _ = conn.Read(make([]byte, 1000))
			_ = conn.Close()
		}
	}()
	cfg, err := parseDSN("postgres://somebody@" + listener.Addr().String() + "/db?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	o := newOpening()
	for range openAtOnce {
		c := cfg.ConnConfig.Copy()
		o.bound(&c.Config)
		if _, err := pgconn.ConnectConfig(t.Context(), &c.Config); err == nil {
			t.Fatal("it was made")
		}
	}
	time.Sleep(100 * time.Millisecond) // what pgx does then, it does at once and beside this
	_ = listener.Close()
	<-ended
	for _, conn := range silent {
		_ = conn.Close()
	}
	if len(silent) > 0 {
		t.Errorf("%d connections that were never made were cancelled", len(silent))
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
