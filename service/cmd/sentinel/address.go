package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// addresses is a list of host:port, by commas. Spaces around them do not count.
type addresses []string

// UnmarshalText reads the list.
func (a *addresses) UnmarshalText(text []byte) error {
	for item := range strings.SplitSeq(string(text), ",") {
		address := strings.TrimSpace(item)
		if err := checkAddress(address); err != nil {
			return err
		}
		*a = append(*a, address)
	}
	return nil
}

// networks is a list of networks in CIDR notation, by commas. Spaces around them do not count.
type networks []netip.Prefix

// UnmarshalText reads the list.
func (n *networks) UnmarshalText(text []byte) error {
	for item := range strings.SplitSeq(string(text), ",") {
		network, err := netip.ParsePrefix(strings.TrimSpace(item))
		if err != nil || network.Addr().Is4In6() { // addresses of clients are never written so
			return fmt.Errorf("%q is no network such as 10.0.0.0/8", item)
		}
		*n = append(*n, network)
	}
	return nil
}

// checkAddress tells what is wrong with a host:port that is to be dialled.
func checkAddress(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil || !isHost(host) || !isPort(port) {
		return fmt.Errorf("%q is no address such as 10.0.0.1:26379", text)
	}
	return nil
}

// checkListen tells what is wrong with a host:port that is to be listened at. Without a host it means all addresses.
func checkListen(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host != "" && !isHost(host) || !isPort(port) {
		return fmt.Errorf("%q is no address such as :8080", text)
	}
	return nil
}

// checkAdminListen does the same for a listener that need not be.
func checkAdminListen(text string) error {
	if text == "" {
		return nil
	}
	return checkListen(text)
}

// errNoURL does not repeat the URL: some write credentials into one.
var errNoURL = errors.New("must be http:// or https://, a host and perhaps a port, and nothing else")

// baseURL is a server's URL without a slash at its end, to which paths can be added.
func baseURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Hostname()) || u.Path != "" && u.Path != "/" {
		return text, errNoURL
	}
	plain := (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	if !strings.EqualFold(strings.TrimSuffix(text, "/"), plain) || strings.HasSuffix(u.Host, ":") { // it had something else in it
		return text, errNoURL
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return text, errNoURL
	}
	return plain, nil
}

// isHost reports whether a text can be a host's name or IP address.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return isName(text)
}

const mostPort = 1<<16 - 1

func isPort(text string) bool {
	port, err := strconv.Atoi(text)
	return err == nil && port >= 1 && port <= mostPort && text[0] != '+'
}

// longestName is that of a host's name, in bytes.
const longestName = 253

// isName reports whether a text can stand in headers, metrics, rows and names of keys.
func isName(text string) bool {
	return text != "" && len(text) <= longestName && strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	}) < 0
}

func checkName(text string) error {
	if !isName(text) {
		return fmt.Errorf("%q is no name of letters, digits, dots, dashes and underscores, at most %d", text, longestName)
	}
	return nil
}

// checkToken tells what is wrong with a secret that is sent in a header; "" is none.
func checkToken(secret string) error {
	if strings.IndexFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return errors.New("must be printable ASCII without spaces")
	}
	return nil
}
