package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Credentials of a secured Redis.
const (
	RedisUser             = "gateway" // may use the gateway's keys alone
	RedisPassword         = "password-of-the-gateway"
	RedisSentinelUser     = "watched"
	RedisSentinelPassword = "password-of-the-sentinel"

	operatorPassword = "password-of-the-operator" // of the default user
)

// StartSecuredRedis starts what StartRedis starts, with TLS alone, certificates of clients required, and users with passwords.
func StartSecuredRedis(t testing.TB) (*Redis, Certificates) {
	t.Helper()
	program, certs := find(t, "redis-server"), MakeCertificates(t)
	r := &Redis{Name: "m"}
	r.Master = startSecuredRedis(t, program, certs)
	host, port, _ := net.SplitHostPort(r.Master.Addr)
	r.Replica = startSecuredRedis(t, program, certs, "--replicaof", host, port)
	client := redis.NewClient(&redis.Options{Addr: r.Master.Addr, Password: operatorPassword, TLSConfig: certs.Client(t)})
	t.Cleanup(func() { _ = client.Close() })
	awaitReplica(t, client)
	r.Sentinel = startSecuredSentinel(t, program, certs, host, port)
	return r, certs
}

func startSecuredRedis(t testing.TB, program string, certs Certificates, args ...string) *Server {
	t.Helper()
	addr, port := FreeAddr(t)
	base := []string{"--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
		"--tls-cert-file", certs.Cert, "--tls-key-file", certs.Key, "--tls-ca-cert-file", certs.CA, "--tls-replication", "yes",
		"--requirepass", operatorPassword, "--masterauth", operatorPassword,
		"--user", RedisUser, "on", ">" + RedisPassword, "~sentinel:*", "~probe:*", "+@all"}
	return start(t, folder(t, nil), nil, addr, program, append(base, args...)...)
}

func startSecuredSentinel(t testing.TB, program string, certs Certificates, host, port string) *Server {
	t.Helper()
	addr, own := FreeAddr(t)
	dir := folder(t, nil)
	config := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf(`port 0
tls-port %s
bind 127.0.0.1
tls-cert-file %s
tls-key-file %s
tls-ca-cert-file %s
tls-replication yes
user default off
user %s on >%s +@all &*
sentinel monitor m %s %s 1
sentinel auth-pass m %s
`, own, certs.Cert, certs.Key, certs.CA, RedisSentinelUser, RedisSentinelPassword, host, port, operatorPassword)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatalf("write the configuration of Redis Sentinel: %v", err)
	}
	s := start(t, dir, nil, addr, program, config, "--sentinel")
	client := redis.NewSentinelClient(&redis.Options{Addr: addr, Username: RedisSentinelUser, Password: RedisSentinelPassword, TLSConfig: certs.Client(t)})
	t.Cleanup(func() { _ = client.Close() })
	Await(t, "Redis Sentinel answers", func(ctx context.Context) error {
		return client.GetMasterAddrByName(ctx, "m").Err()
	})
	return s
}

// StartSecuredPostgres starts a PostgreSQL server with TLS and returns the DSN of its empty database, without any word of TLS, and the
// certificates.
func StartSecuredPostgres(t testing.TB) (dsn string, certs Certificates) {
	t.Helper()
	certs = makeCertificates(t, unprivileged(t))
	dsn = StartPostgres(t, "ssl=on", "ssl_cert_file="+certs.Cert, "ssl_key_file="+certs.Key)
	return strings.TrimSuffix(dsn, "?sslmode=disable"), certs
}
