package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Nobody gets an answer without a key, and nobody administers without the token, however they spell what they ask for.
func TestCredentialsCannotBeBypassed(t *testing.T) {
	s := serving(t, &echo{}, func(*Config) {})
	key := s.key(t, "acme")
	other := s.key(t, "globex")
	s.store(t, key, stored)
	query := asks(stored)
	of := func(user, password string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, test := range []struct {
		name  string
		lines []string // of the header
		want  int
	}{
		{"the key", []string{bearing(key)}, 200}, // else the others prove nothing
		{"no key", nil, 401},
		{"an empty key", []string{bearing("")}, 401},
		{"no scheme", []string{"Authorization: " + key}, 401},
		{"another scheme", []string{"Authorization: Token " + key}, 401},
		{"a scheme of two words", []string{"Authorization: Bearer Bearer " + key}, 401},
		{"a user's name", []string{of(key, "")}, 401},
		{"a password", []string{of("", key)}, 401},
		{"in lower case", []string{bearing(strings.ToLower(key))}, 401},
		{"in upper case", []string{bearing(strings.ToUpper(key))}, 401},
		{"less a letter", []string{bearing(key[:len(key)-1])}, 401},
		{"and a letter", []string{bearing(key + "x")}, 401},
		{"and a space within", []string{bearing(key[:9] + " " + key[9:])}, 401},
		{"and another", []string{bearing(key + " " + other)}, 401},
		{"and another by a comma", []string{bearing(key + "," + other)}, 401},
		{"and another scheme by a comma", []string{bearing(key + ", Basic x")}, 401},
		{"encoded", []string{bearing("%73k-" + key[3:])}, 401},
		{"a tab in place of a space", []string{"Authorization: Bearer\t" + key}, 401},
		{"and a NUL", []string{bearing(key + "\x00")}, 400},
		{"twice", []string{bearing(key), bearing(key)}, 401},
		{"before a wrong one", []string{bearing(key), bearing("sk-wrong")}, 401},
		{"after a wrong one", []string{bearing("sk-wrong"), bearing(key)}, 401},
		{"after an empty one", []string{"Authorization:", bearing(key)}, 401},
		{"before another tenant's", []string{bearing(key), "authorization: Bearer " + other}, 401},
		{"a space before the colon", []string{"Authorization : Bearer " + key}, 400},
		{"an underscore in another name", []string{"Proxy_Authorization: Bearer " + key}, 401},
		{"for a proxy", []string{"Proxy-Authorization: Bearer " + key}, 401},
		{"under other names", []string{"X-Api-Key: " + key, "Api-Key: " + key, "X-Authorization: Bearer " + key, "X-Forwarded-Authorization: Bearer " + key}, 401},
		{"in a cookie", []string{"Cookie: api_key=" + key + "; Authorization=Bearer " + key}, 401},
		{"a forwarded user", []string{"X-Forwarded-User: acme", "X-Remote-User: acme", "X-Tenant: acme", "X-User-Id: 1"}, 401},
		{"a trailer", []string{"Trailer: Authorization"}, 401},
		{"the token in place of a key", []string{bearing(administrator)}, 401},
	} {
		t.Run("query with "+test.name, func(t *testing.T) {
			lines := append([]string{closing}, test.lines...)
			got := told(t, s.config.Listen, rawRequest("POST", "/v1/query", query, lines...))
			if got.status != test.want || got.status != 200 && strings.Contains(got.body, stored) {
				t.Errorf("status %d, not %d: %s", got.status, test.want, got.body)
			}
		})
	}
	for name, target := range map[string]string{"api_key": "api_key=" + key, "access_token": "access_token=" + key, "Authorization": "Authorization=Bearer%20" + key} {
		if got := told(t, s.config.Listen, rawRequest("POST", "/v1/query?"+target, query, closing)); got.status != 401 {
			t.Errorf("the key as ?%s=: status %d", name, got.status)
		}
	}
	for name, lines := range map[string][]string{"none": nil, "a tenant's key": {bearing(key)}, "an empty one": {bearing("")},
		"lower case": {bearing(strings.ToLower(administrator))}, "less a letter": {bearing(administrator[:len(administrator)-1])},
		"twice": {bearing(administrator), bearing(administrator)}, "after a key": {bearing(key), bearing(administrator)},
		"before a key": {bearing(administrator), bearing(key)}, "its first word": {"Authorization: Bearer " + administrator + " x"},
		"a query's parameter": {"X-Admin-Token: " + administrator, "Cookie: token=" + administrator}} {
		for _, ask := range administration() {
			t.Run(fmt.Sprintf("%s %s with the token %s", ask.method, ask.path, name), func(t *testing.T) {
				got := told(t, s.config.Listen, rawRequest(ask.method, ask.path, ask.body, append([]string{closing}, lines...)...))
				if got.status != 401 {
					t.Errorf("status %d, %s", got.status, got.body)
				}
			})
		}
	}
	if status, _ := s.clients.send("POST", "/v1/query", key, query); status != 200 {
		t.Errorf("afterwards the key gets %d: somebody revoked it", status)
	}
	if status, keys := s.operators.send("GET", "/v1/admin/keys", administrator, ""); status != 200 || len(list(keys["keys"])) != 2 {
		t.Errorf("afterwards there are keys %d, %v", status, keys)
	}
}

func list(of any) []any {
	all, _ := of.([]any)
	return all
}

// administration is all that an administrator does, for the first tenant of a test.
func administration() []struct{ method, path, body string } {
	return []struct{ method, path, body string }{
		{"POST", "/v1/admin/keys", `{"tenant":"mallory"}`},
		{"GET", "/v1/admin/keys", ""},
		{"DELETE", "/v1/admin/keys/1", ""},
		{"GET", "/v1/admin/usage?tenant=acme", ""},
	}
}

// roundabout are ways to spell what a request is for that some servers, proxies and frameworks take for the same.
func roundabout(method, path string) map[string]string {
	return map[string]string{
		"absolute":              method + " http://a" + path,
		"of another host":       method + " http://127.0.0.1:1" + path,
		"of another scheme":     method + " https://localhost" + path,
		"encoded":               method + " " + strings.Replace(path, "admin", "%61dmin", 1),
		"encoded slash":         method + " " + strings.Replace(path, "/admin", "%2fadmin", 1),
		"encoded twice":         method + " " + strings.Replace(path, "admin", "%2561dmin", 1),
		"two slashes":           method + " /" + path,
		"two slashes within":    method + " " + strings.Replace(path, "/admin", "//admin", 1),
		"a detour":              method + " /v1/query/.." + strings.TrimPrefix(path, "/v1"),
		"an encoded detour":     method + " /v1/query/%2e%2e" + strings.TrimPrefix(path, "/v1"),
		"a detour by /live":     method + " /live/.." + path,
		"a slash at the end":    method + " " + path + "/",
		"in upper case":         method + " " + strings.ToUpper(path),
		"a parameter of a path": method + " " + strings.Replace(path, "/admin", "/admin;x=y", 1),
		"a backslash":           method + " " + strings.Replace(path, "/admin", "\\admin", 1),
		"a NUL":                 method + " " + path + "%00",
		"a fragment":            method + " /v1/query%23" + path,
		"another version":       method + " /v1/../v1/./admin/../admin" + strings.TrimPrefix(path, "/v1/admin"),
		"a method in lowercase": strings.ToLower(method) + " " + path,
		"CONNECT":               "CONNECT " + path,
		"TRACE":                 "TRACE " + path,
		"PATCH":                 "PATCH " + path,
		"no method of HTTP":     "ADMIN " + path,
	}
}

// overrides are headers by which some servers take another method, path or origin.
func overrides(method, path string) []string {
	return []string{"X-HTTP-Method-Override: " + method, "X-HTTP-Method: " + method, "X-Method-Override: " + method, "X-Original-URL: " + path,
		"X-Rewrite-URL: " + path, "X-Forwarded-Prefix: " + path, "X-Forwarded-Host: localhost", "X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1",
		"Forwarded: for=127.0.0.1;host=localhost"}
}

// refused reports whether a status says that nothing was done: to go elsewhere is nothing done either.
func refused(status int) bool {
	switch status {
	case 301, 307, 308, 400, 401, 404, 405, 501, 505:
		return true
	}
	return false
}

// However a request spells its method and path, administration needs the token, and where it has a listener of its own it is nowhere else:
// with the token, too.
func TestPathsCannotBeBypassed(t *testing.T) {
	s := serving(t, &echo{}, func(*Config) {})
	key := s.key(t, "acme")
	s.store(t, key, stored)
	apart := &served{config: s.config, log: &syncLog{}, redis: s.redis, dsn: s.dsn}
	apart.config.Listen, apart.config.AdminListen, apart.config.Replica = nobody(t), nobody(t), "gateway-2"
	apart.start(t)
	for _, ask := range administration() {
		path, _, _ := strings.Cut(ask.path, "?")
		ways := roundabout(ask.method, path)
		ways["as it is"] = ask.method + " " + ask.path
		ways["a query with overrides"] = "POST /v1/query"
		ways["a look with overrides"] = "GET /live"
		for name, line := range ways {
			method, target, _ := strings.Cut(line, " ")
			for listener, c := range map[string]struct{ addr, key string }{"of all without a token": {s.config.Listen, key},
				"of clients without a token": {apart.config.Listen, key}, "of clients with the token": {apart.config.Listen, administrator},
				"of operators without a token": {apart.config.AdminListen, key}} {
				t.Run(fmt.Sprintf("%s %s, %s, at the listener %s", ask.method, path, name, listener), func(t *testing.T) {
					lines := []string{closing, bearing(c.key)}
					if strings.HasSuffix(name, "overrides") {
						lines = append(lines, overrides(ask.method, path)...)
					}
					got := told(t, c.addr, rawRequest(method, target, ask.body, lines...))
					live := target == "/live" && got.status == 200 && got.body == `{"status":"live"}`
					asked := target == "/v1/query" && got.status >= 400 && got.status < 500 // what is no query is refused as one
					if !refused(got.status) && !live && !asked {
						t.Errorf("status %d, %s", got.status, got.body)
					}
					if where := got.header.Get("Location"); where != "" && (!strings.HasPrefix(where, "/") || strings.HasPrefix(where, "//")) {
						t.Errorf("it leads to %s", where)
					}
				})
			}
		}
	}
	if status, keys := s.operators.send("GET", "/v1/admin/keys", administrator, ""); status != 200 || len(list(keys["keys"])) != 1 {
		t.Errorf("afterwards there are keys %d, %v", status, keys)
	}
	if status, _ := s.clients.send("POST", "/v1/query", key, asks(stored)); status != 200 {
		t.Errorf("afterwards the key gets %d", status)
	}
}

// What a request has in its body, or in what frames its body, is no request of its own.
func TestRequestsCannotBeSmuggled(t *testing.T) {
	s := serving(t, &echo{}, func(*Config) {})
	key := s.key(t, "acme")
	s.store(t, key, stored)
	hidden := rawRequest("GET", "/v1/admin/keys", "", bearing(administrator), closing)
	post := func(body string, lines ...string) string {
		return "POST /v1/query HTTP/1.1\r\nHost: a\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + body
	}
	for name, test := range map[string]struct {
		says string
		want []int
	}{
		"in the body of a stranger":   {rawRequest("POST", "/v1/query", hidden), []int{401}},
		"in the body of a known key":  {rawRequest("POST", "/v1/query", hidden, bearing(key), closing), []int{400}},
		"in the body of a GET":        {rawRequest("GET", "/live", hidden, closing), []int{200}},
		"in the body of what is not":  {rawRequest("POST", "/nowhere", hidden, closing), []int{404}},
		"two lengths":                 {post(hidden, bearing(key), "Content-Length: 1", fmt.Sprint("Content-Length: ", len(hidden))), []int{400}},
		"a length that is negative":   {post(hidden, bearing(key), "Content-Length: -1"), []int{400}},
		"a length with a sign":        {post(hidden, bearing(key), "Content-Length: +1"), []int{400}},
		"a length of two":             {post(hidden, bearing(key), "Content-Length: 1, 1"), []int{400}},
		"chunks that nobody knows":    {post(hidden, bearing(key), "Transfer-Encoding: xchunked"), []int{501}},
		"chunks and another encoding": {post(hidden, bearing(key), "Transfer-Encoding: chunked, identity"), []int{501}},
		"chunks twice":                {post(hidden, bearing(key), "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), []int{400, 501}},
		"chunks of no length":         {post("x\r\n"+hidden, bearing(key), "Transfer-Encoding: chunked"), []int{400}},
		"a chunk that never ends":     {post("ffffffffffffffff1\r\n"+hidden, bearing(key), "Transfer-Encoding: chunked"), []int{400}},
		"an older version's chunks": {strings.Replace(post("0\r\n\r\n"+hidden, bearing(key), "Transfer-Encoding: chunked", closing), "1.1", "1.0", 1),
			[]int{400, 501}},
	} {
		t.Run(name, func(t *testing.T) {
			got := told(t, s.config.Listen, test.says)
			ok := false
			for _, want := range test.want {
				ok = ok || got.status == want
			}
			if !ok || strings.Contains(got.body, `"keys"`) {
				t.Errorf("status %d, not one of %v: %s", got.status, test.want, got.body)
			}
		})
	}
	// Chunks count and not the length: what comes after them is a request of its own, which needs its own token.
	for token, want := range map[string]int{administrator: http.StatusOK, key: http.StatusUnauthorized} {
		after := rawRequest("GET", "/v1/admin/keys", "", bearing(token), closing)
		says := post("0\r\n\r\n"+after, bearing(key), "Content-Length: 4", "Transfer-Encoding: chunked")
		replies, err := wire{addr: s.config.Listen}.talk(t.Context(), says)
		if got := statuses(replies); err != nil || len(got) != 2 || got[0] != http.StatusBadRequest || got[1] != want {
			t.Errorf("chunks and a length, and then a request that gets %d: %v, %v", want, got, err)
		}
	}
}
