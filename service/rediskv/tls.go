package rediskv

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// handshakeTimeout is what a TLS handshake may take once there is a socket: it is work for both sides, which a busy machine takes time for.
const handshakeTimeout = 500 * time.Millisecond

// dialing is how long a connection may take to be made.
func (o Options) dialing() time.Duration {
	if o.TLS == nil {
		return dialTimeout
	}
	return dialTimeout + handshakeTimeout
}

// dialer makes connections with TLS; nil, which is the client's own, if there is none. The client's own would give a handshake what is left of
// the little time that a dead node's address is given, and would not end with the context.
func (o Options) dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.TLS == nil {
		return nil
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		socket, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		conn, err := handshake(ctx, socket, o.TLS, addr)
		if err != nil {
			_ = socket.Close()
			return nil, fmt.Errorf("TLS with %s: %w", addr, err)
		}
		return conn, nil
	}
}

// handshake makes a socket to addr a TLS connection, whose other side must be who the address says.
func handshake(ctx context.Context, socket net.Conn, config *tls.Config, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	own := config.Clone()
	own.ServerName = host
	conn := tls.Client(socket, own)
	return conn, conn.HandshakeContext(ctx)
}
