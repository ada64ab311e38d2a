// Command counter is an HTTP service that counts in Redis: POST /count/NAME adds one and answers the new count.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	db := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: os.Getenv("MASTER"), SentinelAddrs: strings.Split(os.Getenv("SENTINELS"), ","),
		MaxRetries: -1, PoolSize: 16, MaxIdleConns: 4, DialTimeout: 250 * time.Millisecond, ReadTimeout: time.Second, ContextTimeoutEnabled: true})
	http.Handle("GET /metrics", promhttp.Handler())
	http.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if ctx.Err() != nil {
			w.WriteHeader(http.StatusServiceUnavailable) // the balancer is to send no more
		}
	})
	http.HandleFunc("POST /count/{name}", func(w http.ResponseWriter, r *http.Request) {
		patient, cancel := context.WithTimeout(r.Context(), 8*time.Second)
		defer cancel()
		n, err := db.Incr(patient, r.PathValue("name")).Result()
		for ; err != nil && patient.Err() == nil; n, err = db.Incr(patient, r.PathValue("name")).Result() {
			time.Sleep(20 * time.Millisecond) // a master that died is replaced within seconds
		}
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, n)
	})
	server := &http.Server{Addr: os.Getenv("LISTEN")}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	<-ctx.Done()
	time.Sleep(time.Second) // until the balancer has noticed
	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
