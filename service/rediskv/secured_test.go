package rediskv_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
	"github.com/sentinel-chaos/sentinel/service/rediskv"
)

// A Redis with TLS and users is used by who has a certificate and the passwords, and by nobody else. No line of the log has a password.
func TestSecuredRedis(t *testing.T) {
	r, certs := servers.StartSecuredRedis(t)
	tests := []struct {
		name   string
		change func(*rediskv.Options)
		used   bool
	}{
		{"all of it", func(*rediskv.Options) {}, true},
		{"wrong password", func(o *rediskv.Options) { o.Password = "wrong-password" }, false},
		{"no password", func(o *rediskv.Options) { o.User, o.Password = "", "" }, false},
		{"wrong password of Redis Sentinel", func(o *rediskv.Options) { o.SentinelPassword = "wrong-password" }, false},
		{"no TLS", func(o *rediskv.Options) { o.TLS = nil }, false},
		{"no certificate", func(o *rediskv.Options) {
			o.TLS = &tls.Config{RootCAs: o.TLS.RootCAs, MinVersion: tls.VersionTLS12}
		}, false},
		{"another authority", func(o *rediskv.Options) {
			o.TLS = &tls.Config{RootCAs: servers.MakeCertificates(t).Client(t).RootCAs, Certificates: o.TLS.Certificates, MinVersion: tls.VersionTLS12}
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log strings.Builder
			o := rediskv.Options{
				Sentinels: []string{r.Sentinel.Addr}, Master: r.Name, Replica: "gateway-1", Budget: budget,
				User: servers.RedisUser, Password: servers.RedisPassword,
				SentinelUser: servers.RedisSentinelUser, SentinelPassword: servers.RedisSentinelPassword, TLS: certs.Client(t),
			}
			test.change(&o)
			if !test.used {
				o.Budget = time.Second // for nothing
			}
			s := rediskv.Open(o, slog.New(slog.NewTextHandler(io.Writer(&log), nil)))
			reply, err := s.Acquire(t.Context(), t.Name(), "a", time.Hour, nil)
			if used := err == nil && reply.Verdict == service.Granted; used != test.used {
				t.Errorf("got %+v, %v", reply, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			said := log.String()
			if err != nil {
				said += err.Error()
			}
			if strings.Contains(said, "password-of") || strings.Contains(said, "wrong-password") {
				t.Errorf("a password was told: %s", said)
			}
		})
	}
}
