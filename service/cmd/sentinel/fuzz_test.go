package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// FuzzAddresses: a list that is taken has nothing but addresses that can be dialled, and is read the same again.
func FuzzAddresses(f *testing.F) {
	for _, text := range []string{"dead:1, alive:2", "[::1]:26379", ":1", "a:+1", "a:1,", "redis://a:1", "a b:1", "[fe80::1%eth0]:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var list, again addresses
		if list.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(strings.Join(list, ","))); err != nil || !slices.Equal(list, again) || len(list) != 1+strings.Count(text, ",") {
			t.Errorf("%q, then %q, %v", list, again, err)
		}
		for _, address := range list {
			host, port, err := net.SplitHostPort(address)
			number, notANumber := strconv.ParseUint(port, 10, 16)
			if err != nil || notANumber != nil || number == 0 || host == "" || strings.ContainsFunc(host, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("/@,", r) }) {
				t.Errorf("%q is taken: %v", address, err)
			}
		}
	})
}

// FuzzNetworks: the same of networks, none of which is of addresses that no client has.
func FuzzNetworks(f *testing.F) {
	for _, text := range []string{"10.0.0.0/8, fd00::/8", "10.0.0.1/8", "::ffff:10.0.0.0/104", "0.0.0.0/0", "10.0.0.0/8,", "fe80::%x/64"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var list, again networks
		if list.UnmarshalText([]byte(text)) != nil {
			return
		}
		texts := make([]string, len(list))
		for i, network := range list {
			texts[i] = network.String()
			if !network.IsValid() || network.Addr().Is4In6() || !network.Contains(netip.PrefixFrom(network.Addr(), network.Bits()).Addr()) {
				t.Errorf("%s is taken", network)
			}
		}
		if err := again.UnmarshalText([]byte(strings.Join(texts, ","))); err != nil || !slices.Equal(list, again) {
			t.Errorf("%s, then %s, %v", list, again, err)
		}
	})
}

// FuzzBaseURL: a URL that is taken leads to its host and nowhere else, and says nothing more.
func FuzzBaseURL(f *testing.F) {
	for _, text := range []string{"http://llm:9000/", "HTTPS://llm", "https://[fd00::1]:99", "http://u:p@h", "http://h?", "http://h#", "http://h//", "http://h:", "http:h", " http://h",
		"http://[fe80::1%25eth0]:1", "http://h\\@x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := baseURL(text)
		if err != nil {
			return
		}
		if again, err := baseURL(plain); err != nil || again != plain {
			t.Errorf("%q, then %q, %v", plain, again, err)
		}
		const path = "/v1/chat/completions"
		r, err := http.NewRequest(http.MethodPost, plain+path, nil)
		if err != nil {
			t.Fatalf("%q is taken: %v", text, err)
		}
		given, _ := url.Parse(text)
		if u := r.URL; u.Path != path || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" ||
			u.Hostname() == "" || !strings.EqualFold(u.Host, given.Host) {
			t.Errorf("%q leads to %s", text, r.URL)
		}
	})
}

// FuzzNear: the distance of two words is what it is by its definition.
func FuzzNear(f *testing.F) {
	f.Add("SENTINEL_LAESE", "SENTINEL_LEASE")
	f.Add("", "ab")
	f.Add("abc", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 12 || len(b) > 12 {
			return // the definition takes long
		}
		if got, want := near(a, b), distance(a, b, typos) <= typos; got != want || near(b, a) != got {
			t.Errorf("%q, %q: %t, the other way round %t", a, b, got, near(b, a))
		}
	})
}

// distance is how many letters must be added, lost or changed, if it is no more than most.
func distance(a, b string, most int) int {
	switch {
	case most < 0:
		return 1
	case a == "" || b == "":
		return len(a) + len(b)
	case a[0] == b[0]:
		return distance(a[1:], b[1:], most)
	}
	return 1 + min(distance(a[1:], b, most-1), distance(a, b[1:], most-1), distance(a[1:], b[1:], most-1))
}
