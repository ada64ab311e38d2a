package rediskv

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"testing/synctest"
)

// A server that is reached and says nothing keeps nobody beyond the end of an operation. The time of a bubble stands while somebody in it waits
// for the network: the handshake has not taken too long when the operation ends.
func TestHandshakeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			cancel()
			_, _ = conn.Read(make([]byte, 1<<10))
			_ = conn.Close()
		}()
		dial := Options{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}.dialer()
		if _, err := dial(ctx, "tcp", listener.Addr().String()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
