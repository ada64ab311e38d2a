package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a master with one replica and a Redis Sentinel that knows them.
type Redis struct {
	Master, Replica, Sentinel *Server
	Name                      string // of the master
}

// awaitReplica waits until the master of the client has its replica.
func awaitReplica(t testing.TB, client *redis.Client) {
	t.Helper()
	Await(t, "the replica comes online", func(ctx context.Context) error {
		info, err := client.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "state=online") {
			err = fmt.Errorf("replication: %s", info)
		}
		return err
	})
}

// StartRedis starts them and waits until the replica is online.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	program := find(t, "redis-server")
	r := &Redis{Name: "m"}
	r.Master = startRedis(t, program)
	host, port, _ := net.SplitHostPort(r.Master.Addr)
	r.Replica = startRedis(t, program, "--replicaof", host, port)
	client := redis.NewClient(&redis.Options{Addr: r.Master.Addr})
	t.Cleanup(func() { _ = client.Close() })
	awaitReplica(t, client)
	r.Sentinel = startRedisSentinel(t, program, host, port)
	return r
}

// StartRelayedRedis starts a master without a replica and a Redis Sentinel, and a relay before each. By the address of the Redis
// Sentinel's relay clients find that of the master's. If Redis becomes Slow, each message is late by a random time up to late.
func StartRelayedRedis(t testing.TB, late time.Duration) (r *Redis, master, sentinel *Relay) {
	t.Helper()
	program := find(t, "redis-server")
	r = &Redis{Name: "m", Master: startRedis(t, program)}
	master = StartRelay(t, r.Master.Addr, late)
	host, port, _ := net.SplitHostPort(master.Addr)
	r.Sentinel = startRedisSentinel(t, program, host, port)
	return r, master, StartRelay(t, r.Sentinel.Addr, late)
}

func startRedis(t testing.TB, program string, args ...string) *Server {
	t.Helper()
	addr, port := FreeAddr(t)
	base := []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"}
	return start(t, folder(t, nil), nil, addr, program, append(base, args...)...)
}

func startRedisSentinel(t testing.TB, program, host, port string) *Server {
	t.Helper()
	addr, own := FreeAddr(t)
	dir := folder(t, nil)
	config := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor m %s %s 1\n", own, host, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatalf("write the configuration of Redis Sentinel: %v", err)
	}
	s := start(t, dir, nil, addr, program, config, "--sentinel")
	client := redis.NewSentinelClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	Await(t, "Redis Sentinel answers", func(ctx context.Context) error {
		return client.GetMasterAddrByName(ctx, "m").Err()
	})
	return s
}
