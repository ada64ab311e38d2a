package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// client is the address that a request came from: the peer's or, behind proxies that are trusted, the last one that these
// name and that is not one of them. Whatever stands further to the left in the header anybody may have written.
func (a *API) client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !a.trusts(client) {
			break
		}
		named, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		client = named.Unmap()
	}
	return client
}

func (a *API) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(a.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}
