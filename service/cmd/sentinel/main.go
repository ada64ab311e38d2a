// Sentinel is an HTTP gateway in front of an expensive language model: it calls the model once for what many ask at the
// same time, keeps the answer, and books what it cost. Its settings are environment variables, which docs/SETTINGS.md lists.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// Exit codes.
const (
	exitClean = 0
	exitDirty = 1 // it could not serve, or work was left when the grace period ended or a second signal came
	exitUsage = 2
)

func main() { os.Exit(run()) }

func run() int {
	// Before all else: whoever has no handler yet is killed by a SIGTERM.
	signals := make(chan os.Signal, 2) // the first, and the second
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	config, err := loadConfig()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sentinel:", err)
		return exitUsage
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("replica", config.Replica)
	for _, remark := range config.Remarks {
		log.Warn("configuration", "remark", remark)
	}
	redis.SetLogger(redisLog{log})
	gateway, err := assemble(config, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sentinel: configuration:", err)
		return exitUsage
	}
	term, end := context.WithCancel(context.Background())
	defer end()
	stopped := make(chan int, 1)
	go func() { stopped <- exitCode(log, gateway.run(term)) }()
	for {
		select {
		case code := <-stopped:
			return code
		case <-signals:
			if term.Err() != nil {
				return hurried(log, gateway.ledger.Pending())
			}
			end()
		}
	}
}

// exitCode tells how the process stopped. Perhaps nobody takes the log: a second signal must not have to wait for this.
func exitCode(log *slog.Logger, err error) int {
	if err != nil {
		log.Error("stopped with work left", "error", err)
		return exitDirty
	}
	log.Info("stopped")
	return exitClean
}

// lastWord is how long a process that is to end at once waits for its log to be taken: longer than a busy machine takes for that, and no longer,
// since there may be nobody who takes it.
const lastWord = time.Second

// hurried tells that a second signal came. Nobody may take what the log says, which can be why the first one ended nothing.
func hurried(log *slog.Logger, pending int64) int {
	told := make(chan struct{})
	go func() {
		defer close(told)
		log.Error("stopped at once by a second signal", "pending", pending)
	}()
	select {
	case <-told:
	case <-time.After(lastWord):
	}
	return exitDirty
}

// redisLog keeps the Redis client's chatter, a line per failed dial, out of the log unless it is wanted.
type redisLog struct{ log *slog.Logger }

// Printf logs one message of the client.
func (r redisLog) Printf(ctx context.Context, format string, args ...any) {
	r.log.DebugContext(ctx, fmt.Sprintf(format, args...))
}
