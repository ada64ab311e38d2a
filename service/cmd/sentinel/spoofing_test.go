package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// fromAddress is a client that comes from an address of this machine, over connections of its own.
func fromAddress(t testing.TB, addr, from string) client {
	transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return client{t, "http://" + addr, &http.Client{Transport: transport}}
}

// Who is no proxy has the limit of its own address, whatever addresses it names. A proxy's clients are told apart by what the proxy says, and by
// nothing that they say themselves. Meanwhile a known key at an address of its own is not refused.
func TestSpoofedAddresses(t *testing.T) {
	const stranger, proxy, honest, burst = "127.0.0.2", "127.0.1.1", "127.0.0.3", 40
	s := serving(t, &echo{}, func(c *Config) {
		c.RateIP, c.RateIPBurst = 20, burst
		c.RateIPProxies = networks{netip.MustParsePrefix("127.0.1.0/24")}
	})
	key := s.key(t, "acme")
	s.store(t, key, stored)
	named := func(n int) string { return fmt.Sprintf("198.51.100.%d", n) }
	for _, test := range []struct {
		name, from string
		lines      func(n int) []string // of the header of the n-th request
	}{
		{"nobody", stranger, func(int) []string { return nil }},
		{"one", stranger, func(n int) []string { return []string{"X-Forwarded-For: " + named(n)} }},
		{"many", stranger, func(n int) []string {
			return []string{"X-Forwarded-For: " + named(n) + ", " + named(n+1) + ", " + proxy}
		}},
		{"lines", stranger, func(n int) []string { return []string{"X-Forwarded-For: " + proxy, "X-Forwarded-For: " + named(n)} }},
		{"other headers", stranger, func(n int) []string {
			return []string{"X-Real-Ip: " + named(n), "Forwarded: for=" + named(n), "True-Client-Ip: " + named(n), "CF-Connecting-Ip: " + named(n),
				"X-Client-Ip: " + named(n), "X-Forwarded: for=" + named(n), "Client-Ip: " + named(n), "X-Cluster-Client-Ip: " + named(n)}
		}},
		{"a proxy alone", stranger, func(int) []string { return []string{"X-Forwarded-For: " + proxy} }},
		{"one before what a proxy adds", proxy, func(n int) []string { return []string{"X-Forwarded-For: " + named(n) + ", 203.0.113.1"} }},
		{"one in a line before the proxy's", proxy, func(n int) []string { return []string{"X-Forwarded-For: " + named(n), "X-Forwarded-For: 203.0.113.2"} }},
		{"proxies before what a proxy adds", proxy, func(n int) []string {
			return []string{fmt.Sprintf("X-Forwarded-For: %s, 127.0.1.%d, 203.0.113.3", named(n), n)}
		}},
		{"another spelling", proxy, func(n int) []string {
			return []string{"X-Forwarded-For: " + []string{"203.0.113.4", "::ffff:203.0.113.4", " 203.0.113.4 ", "::ffff:cb00:7104"}[n%4]}
		}},
		{"another host of one network", proxy, func(n int) []string { return []string{fmt.Sprintf("X-Forwarded-For: 2001:db8::%x", n+1)} }},
		{"nonsense", proxy, func(n int) []string { return []string{fmt.Sprintf("X-Forwarded-For: %s, nonsense-%d", named(n), n)} }},
	} {
		t.Run("names "+test.name, func(t *testing.T) {
			hits := s.hits(t, fromAddress(t, s.config.Listen, honest), key, 100*time.Millisecond)
			got := map[int]int{}
			began := time.Now()
			for n := range 4 * burst {
				replies, err := wire{addr: s.config.Listen, from: test.from}.talk(t.Context(), rawRequest("POST", "/v1/query", asks("p"), append(test.lines(n%250), closing)...))
				if err != nil || len(replies) != 1 {
					t.Fatalf("%d replies, %v", len(replies), err)
				}
				got[replies[0].status]++
			}
			most := burst + int(20*time.Since(began).Seconds()) + 1 // some of its burst may be gone by the case before
			if got[http.StatusUnauthorized] > most || got[http.StatusTooManyRequests] != 4*burst-got[http.StatusUnauthorized] {
				t.Errorf("of %d requests %v, and %d at most were to be let through", 4*burst, got, most)
			}
			if len(hits()) == 0 {
				t.Error("nobody asked meanwhile")
			}
		})
	}
	t.Run("clients of a proxy", func(t *testing.T) { // else what was refused proves nothing
		for n := range 2 * burst {
			got, err := wire{addr: s.config.Listen, from: proxy}.talk(t.Context(), rawRequest("POST", "/v1/query", asks("p"), "X-Forwarded-For: "+named(n), closing))
			if err != nil || len(got) != 1 || got[0].status != http.StatusUnauthorized {
				t.Fatalf("client %d got %v, %v", n, statuses(got), err)
			}
		}
	})
}
