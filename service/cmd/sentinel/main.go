// Sentinel is an HTTP gateway in front of an expensive language model: it calls the model once for what many ask at the
// same time, keeps the answer, and books what it cost. Its settings are environment variables; Config lists them.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Exit codes.
const (
	exitClean = 0
	exitDirty = 1 // it could not serve, or work was left when the grace period ended
	exitUsage = 2
)

func main() { os.Exit(run()) }

func run() int {
	// Before all else: whoever has no handler yet is killed by a SIGTERM. A second one changes nothing.
	term, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := loadConfig()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sentinel:", err)
		return exitUsage
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("replica", config.Replica)
	redis.SetLogger(redisLog{log})
	gateway, err := assemble(config, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sentinel: configuration:", err)
		return exitUsage
	}
	if err := gateway.run(term); err != nil {
		log.Error("stopped with work left", "error", err)
		return exitDirty
	}
	log.Info("stopped")
	return exitClean
}

// redisLog keeps the Redis client's chatter, a line per failed dial, out of the log unless it is wanted.
type redisLog struct{ log *slog.Logger }

// Printf logs one message of the client.
func (r redisLog) Printf(ctx context.Context, format string, args ...any) {
	r.log.DebugContext(ctx, fmt.Sprintf(format, args...))
}
