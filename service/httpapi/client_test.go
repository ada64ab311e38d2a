package httpapi_test

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/service/httpapi"
)

func TestWhomARequestComesFrom(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		name, peer string
		forwarded  []string // X-Forwarded-For
		trusted    []netip.Prefix
		want       string
	}{
		{"direct", "192.0.2.1:4711", nil, proxies, "192.0.2.1"},
		{"direct, over IPv6", "[2001:db8::1]:4711", nil, proxies, "2001:db8::1"},
		{"mapped", "[::ffff:192.0.2.1]:4711", nil, proxies, "192.0.2.1"},
		{"behind a proxy", "10.0.0.9:4711", []string{"192.0.2.1"}, proxies, "192.0.2.1"},
		{"behind two", "10.0.0.9:4711", []string{"192.0.2.1, fd00::1"}, proxies, "192.0.2.1"},
		{"behind two, a line each", "10.0.0.9:4711", []string{"192.0.2.1", "fd00::1"}, proxies, "192.0.2.1"},
		{"pretends to be another", "10.0.0.9:4711", []string{"198.51.100.7, 192.0.2.1"}, proxies, "192.0.2.1"},
		{"pretends to be behind a proxy", "192.0.2.1:4711", []string{"198.51.100.7"}, proxies, "192.0.2.1"},
		{"pretends to be a proxy", "10.0.0.9:4711", []string{"198.51.100.7, 10.1.2.3, 192.0.2.1"}, proxies, "192.0.2.1"},
		{"nobody is trusted", "10.0.0.9:4711", []string{"192.0.2.1"}, nil, "10.0.0.9"},
		{"a proxy that says nothing", "10.0.0.9:4711", nil, proxies, "10.0.0.9"},
		{"a proxy that says nonsense", "10.0.0.9:4711", []string{"192.0.2.1, unknown"}, proxies, "10.0.0.9"},
		{"the proxies themselves", "10.0.0.9:4711", []string{"10.0.0.8"}, proxies, "10.0.0.8"},
		{"no address", "@", []string{"192.0.2.1"}, proxies, "invalid IP"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked netip.Addr
			a, _ := newAPI(fine, func(o *httpapi.Options) {
				o.Proxies = test.trusted
				o.Addresses = anywhere(func(client netip.Addr) error {
					asked = client
					return nil
				})
			})
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/query", strings.NewReader(query))
			r.RemoteAddr = test.peer
			r.Header.Set("Authorization", "Bearer good")
			for _, line := range test.forwarded {
				r.Header.Add("X-Forwarded-For", line)
			}
			a.ServeHTTP(httptest.NewRecorder(), r)
			if asked.String() != test.want {
				t.Errorf("from %s", asked)
			}
		})
	}
}
