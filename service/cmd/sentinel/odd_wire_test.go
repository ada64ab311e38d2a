package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sentinel-chaos/sentinel/service/internal/odd"
	"github.com/sentinel-chaos/sentinel/service/internal/oracle"
)

// request is a request as it goes over a connection, with what may become of it.
type request struct {
	method string
	wire   []byte
	id     string
	may    []int     // statuses; none for all documented ones below 500
	wrong  []string  // fields of which a 422 must name some, if it is known which are wrong
	probe  bool      // its answer is as that of no route
	last   bool      // the connection may end after it
	asked  *question // if it is a right query

	foreign bool // net/http may answer it by itself, and read its body as another request
}

type question struct {
	tenant string
	oracle.Query
}

// message is what a request is made of.
type message struct {
	method, target, version string
	header                  []string // lines
	body                    []byte   // nil for none
}

// written is a message as it goes over a connection, its body framed in one way or another.
func (m message) written(r *rand.Rand) []byte {
	text := fmt.Appendf(nil, "%s %s %s\r\nHost: gateway\r\n", m.method, m.target, m.version)
	for _, line := range m.header {
		text = append(append(text, line...), "\r\n"...)
	}
	switch {
	case m.body == nil:
		return append(text, "\r\n"...)
	case odd.In(r, 4) && m.version == "HTTP/1.1":
		return append(append(text, "Transfer-Encoding: chunked\r\n\r\n"...), odd.Chunked(r, m.body)...)
	}
	return append(fmt.Appendf(text, "Content-Length: %d\r\n\r\n", len(m.body)), m.body...)
}

// request makes a request up that is whole: it is answered, whatever it asks for.
func (c *crowd) request(r *rand.Rand, id string) request {
	switch kind := r.IntN(1000); {
	case kind < 430:
		return c.query(r, id, oddBody(r), true)
	case kind < 500:
		return c.query(r, id, fmt.Appendf(nil, `{"model":"plain-%d","prompt":"prompt %d","max_tokens":64}`, r.IntN(3), r.IntN(64)), false)
	case kind < 504:
		return c.query(r, id, fmt.Appendf(nil, `{"prompt":"%s %d","model":%q}`, id, r.Uint64(), odd.Pick(r, "plain-1", "odd-1", "odd-2")), false)
	case kind < 690:
		return stranger(r, id)
	case kind < 820:
		return lost(r, id)
	case kind < 910:
		return administering(r, id)
	case kind < 985:
		return probe(r, id)
	}
	return c.oddHeader(r, id)
}

// oddBody is the body of a query, right or wrong.
func oddBody(r *rand.Rand) []byte {
	if odd.In(r, 5000) {
		return []byte(`{"model":"plain-1","prompt":"` + strings.Repeat("p", 1<<20-odd.Pick(r, 0, 40, 100)) + `"}`)
	}
	fields := []odd.Field{
		{Name: "model", Value: odd.Pick(r, `"plain-1"`, `"odd-1"`, `"`+odd.Text(r)+`"`, `"`+strings.Repeat("m", 127+r.IntN(3))+`"`)},
		{Name: "prompt", Value: fmt.Sprintf(`"%s %d"`, odd.Text(r), r.IntN(1e9))},
		{Name: "temperature", Value: odd.Pick(r, "0", "0.5", "2", "2.0001", "-0", "-1", "1e-400", "1e400", "1E0")},
		{Name: "max_tokens", Value: odd.Pick(r, "1", "64", "131072", "131073", "0", "-1", "1e2", "64.0", "99999999999999999999")},
	}
	if odd.In(r, 8) {
		fields = append(fields, odd.Field{Name: odd.Pick(r, "system", "stream", "Prompt", "MODEL", "", "messages", "max_token", strings.Repeat("é", 40)), Value: "[1]"})
	}
	body := []byte(odd.Object(r, fields...))
	if odd.In(r, 3) {
		body = odd.Mutate(r, body)
	}
	return body
}

// query asks a query with a key. If it is right and rarely to be asked, since calls of the model take long, it comes without.
func (c *crowd) query(r *rand.Rand, id string, body []byte, rarely bool) request {
	by := odd.Pick(r, c.keys...)
	if by.tenant == wild && !odd.In(r, 8) {
		by = c.keys[0] // little of what the wild one asks for can be stored
	}
	q, status, wrong := oracle.ReadQuery(body)
	m := message{method: "POST", target: "/v1/query", version: "HTTP/1.1", header: []string{"X-Request-Id: " + id}, body: body}
	made := request{method: m.method, id: id, may: []int{status}, wrong: wrong, last: len(body) > largest}
	if status == http.StatusOK && rarely && !odd.In(r, 40) {
		made.may = []int{http.StatusUnauthorized}
		made.wire = m.written(r)
		return made
	}
	m.header = append(m.header, "Authorization: "+odd.Pick(r, "Bearer ", "bearer ", "BEARER  ")+by.key)
	made.may = append(made.may, http.StatusServiceUnavailable) // a body for which there is no memory, or a key that is not known yet
	if status == http.StatusOK {
		made.may, made.asked = append(made.may, http.StatusTooManyRequests, http.StatusBadGateway), &question{by.tenant, q}
	}
	made.wire = m.written(r)
	return made
}

// largest is the size of a body, in bytes, beyond which the server may end the connection rather than read what is left of it.
const largest = 100_000

// stranger asks with no key, or with one that nobody knows.
func stranger(r *rand.Rand, id string) request {
	m := message{method: "POST", target: odd.Pick(r, "/v1/query", "/v1/query?x=1", "/v1/admin/keys"), version: "HTTP/1.1",
		header: []string{"X-Request-Id: " + id}, body: oddBody(r)}
	made := request{method: m.method, id: id, may: []int{http.StatusUnauthorized}, last: len(m.body) > largest}
	switch kind := r.IntN(100); {
	case kind < 6:
		m.header = append(m.header, fmt.Sprintf("Authorization: Bearer sk-%d", r.Uint64()))
		made.may = append(made.may, http.StatusServiceUnavailable)
	case kind < 50:
		m.header = append(m.header, "Authorization: "+odd.Pick(r, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer\tx", "\xff", ", Bearer"))
	}
	made.wire = m.written(r)
	return made
}

// lost asks for paths that are none, or with methods that they do not have.
func lost(r *rand.Rand, id string) request {
	target := ""
	for range 1 + r.IntN(5) {
		target += odd.Pick(r, "/", "//") + odd.Pick(r, "v1", "query", "admin", "keys", "usage", "..", ".", "", "live", "ready", "%2e%2e", "%2F", "%00", "%ff", "\xff", "é", "a;b", "*")
	}
	target += odd.Pick(r, "", "", "/", "?", "?tenant=a", "?%zz", "#")
	m := message{method: odd.Pick(r, "GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "HEAD", "CONNECT", "FOO"), target: target, version: "HTTP/1.1",
		header: []string{"X-Request-Id: " + id}}
	if odd.In(r, 50) {
		m.target = odd.Pick(r, "*", "http://gateway", "http://gateway/v1/query", "HTTP://gateway//")
	}
	if odd.In(r, 3) {
		m.body = []byte("{}")
	}
	path, _, _ := strings.Cut(target, "?")
	return request{method: m.method, id: id, wire: m.written(r), probe: slices.Contains([]string{"/live", "/ready"}, strings.TrimSuffix(path, "#"))}
}

// firstOther is the first id that a key may have which nobody asks with.
const firstOther = 10

// administering is what administrators do and mistype.
func administering(r *rand.Rand, id string) request {
	moment := func() string {
		return odd.Pick(r, "2026-01-02T03:04:05Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-24:00", "2026-01-02T03:04:05+24:00",
			"2026-01-02T03:04:05%2B23:59", "2026-02-30T00:00:00Z", "now", "", "2026-01-02T03:04:05.999999999999Z", "2026-01-02t03:04:05z")
	}
	tenant := func() string {
		return odd.Pick(r, "nobody", "nobody", "", "%00", "%FF", "a%20b", "-", strings.Repeat("a", 64), "a&tenant=b", "a;b", "%zz")
	}
	number := odd.Pick(r, "0", "x", "%2B1", "01", "%00", "-1", "1%20", "99999999999999999999", strconv.Itoa(firstOther+r.IntN(2000)))
	m := odd.Pick(r,
		message{method: "GET", target: "/v1/admin/keys?tenant=" + cmp.Or(tenant(), "nobody")}, // all of them are many
		message{method: "GET", target: "/v1/admin/usage?tenant=" + tenant() + "&from=" + moment() + "&to=" + moment()},
		message{method: "GET", target: "/v1/admin/usage?to=" + moment() + "&tenant=" + tenant()},
		message{method: "DELETE", target: "/v1/admin/keys/" + number},
		message{method: "POST", target: "/v1/admin/keys", body: []byte(odd.Object(r, odd.Field{Name: "tenant", Value: `"` + odd.Pick(r, "", "a b", "-", strings.Repeat("a", 64)) + odd.Text(r) + `"`}))},
		message{method: "HEAD", target: "/v1/admin/keys?tenant=nobody"},
	)
	m.version = "HTTP/1.1"
	made := request{method: m.method, id: id, may: []int{http.StatusUnauthorized}}
	m.header = []string{"X-Request-Id: " + id, "Authorization: Bearer " + odd.Pick(r, "guess", "", "Admin", "admin", "admin,admin")}
	if odd.In(r, 3) {
		m.header[1] = "Authorization: Bearer admin"
	}
	if strings.HasSuffix(m.header[1], "Bearer admin") {
		made.may = []int{http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	}
	made.wire = m.written(r)
	return made
}

// probe asks what balancers and operators do.
func probe(r *rand.Rand, id string) request {
	m := message{method: odd.Pick(r, "GET", "HEAD"), target: odd.Pick(r, "/live", "/ready", "/health"), version: "HTTP/1.1", header: []string{"X-Request-Id: " + id}}
	made := request{method: m.method, id: id, may: []int{http.StatusOK}, probe: true}
	if odd.In(r, 1000) {
		m.target, made.may = "/metrics", []int{http.StatusOK, http.StatusServiceUnavailable}
	}
	made.wire = m.written(r)
	return made
}

// oddHeader asks for a stored answer with headers that are odd, or wrong.
func (c *crowd) oddHeader(r *rand.Rand, id string) request {
	made := c.query(r, id, []byte(`{"model":"plain-1","prompt":"prompt 1","max_tokens":64}`), false)
	line, after, _ := strings.Cut(string(made.wire), "\r\n")
	add := odd.Pick(r, "Expect: 100-continue", "X-Forwarded-For: 10.0.0.1, ::ffff:1.2.3.4, fe80::1%x, , junk", "X-Request-Id: other", "Authorization: Bearer other", "Connection: keep-alive, x",
		"Upgrade: h2c\r\nConnection: Upgrade", "Content-Encoding: gzip", "Content-Type: \xff", "TE: trailers", "Range: bytes=0-1", "Cookie: "+strings.Repeat("c", 8000), "X-Empty:",
		"X-Http-Method-Override: DELETE", "X\x01: y", "X : y", "Content-Length: +1", "Content-Length: 1, 2", "Content-Length: -1", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked, chunked",
		"Host: other", "Expect: a biscuit", "X-Long: "+strings.Repeat("x", 30_000), "Connection: close", " folded: line", "no colon", "X: \x00")
	if odd.In(r, 30) {
		line = strings.Replace(line, "HTTP/1.1", odd.Pick(r, "HTTP/1.0", "HTTP/2.0", "HTTP/3.0", "HTTP/1.9", "HTTP/1", "ICY", ""), 1)
	}
	if add == "X-Request-Id: other" {
		made.id = "other"
	}
	made.wire = []byte(line + "\r\n" + add + "\r\n" + after)
	made.may = append(made.may, http.StatusBadRequest, http.StatusUnauthorized, http.StatusExpectationFailed, http.StatusRequestHeaderFieldsTooLarge,
		http.StatusNotImplemented, http.StatusHTTPVersionNotSupported)
	made.last, made.foreign = true, true
	return made
}
