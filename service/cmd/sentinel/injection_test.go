package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// injections are texts that do harm where they are put into SQL, patterns and scripts of Redis, headers, lines of a log, or a page of metrics.
func injections() map[string]string {
	return map[string]string{
		"SQL that is always true": `' OR '1'='1`,
		"SQL that drops":          `'); DROP TABLE ledger CASCADE; --`,
		"SQL without spaces":      `');DELETE/**/FROM/**/ledger;--`,
		"SQL by a dollar":         `$$;DELETE/**/FROM/**/claims;$$`,
		"SQL that sleeps":         `1;SELECT/**/pg_sleep(60)`,
		"a parameter":             `$1`,
		"a pattern":               `*`,
		"a pattern of keys":       `sentinel:*`,
		"Lua":                     `"..redis.call('FLUSHALL').."`,
		"Lua in brackets":         `]]..redis.call('FLUSHALL')--`,
		"RESP":                    `*1%0d%0a$8%0d%0aFLUSHALL%0d%0a`,
		"JSON":                    `x","level":"ERROR","msg":"forged`,
		"JSON that ends":          `x"}{"level":"ERROR","msg":"forged"}`,
		"a template":              `{{.AdminToken}}${SENTINEL_ADMIN_TOKEN}%s%n%d`,
		"a label":                 `x"}%20forged_metric{a="b`,
		"a path":                  `../../etc/passwd`,
		"HTML":                    `<script>alert(1)</script>`,
	}
}

// lines are texts that do harm where a line ends.
func lines() map[string]string {
	return map[string]string{
		"a line of a header": "x\r\nSet-Cookie: forged=1",
		"a line of a log":    "x\n" + `{"level":"ERROR","msg":"forged"}`,
		"a line of metrics":  "x\nforged_metric 1",
		"RESP":               "x\r\n*1\r\n$8\r\nFLUSHALL\r\n",
		"a line of Unicode":  "x\u2028y\u0085z",
		"an escape":          "\x1b[2J\x1b]0;forged\x07",
	}
}

// Whatever texts clients and administrators send, they are texts: each is refused by name or means itself, and nothing that is stored is lost.
func TestInjection(t *testing.T) {
	s := serving(t, &echo{}, func(*Config) {})
	key := s.key(t, "acme")
	s.store(t, key, stored)
	all := injections()
	for name, text := range lines() {
		all["text with "+name] = text
	}
	asked := map[string]bool{} // request ids that are fit for a label
	for name, text := range all {
		plain := injections()[name] != ""
		t.Run(name, func(t *testing.T) {
			if plain {
				if got := told(t, s.config.Listen, rawRequest("POST", "/v1/query", asks(stored), closing, bearing(text))); got.status != 401 {
					t.Errorf("as a key: %d, %s", got.status, got.body)
				}
			}
			s.injectPrompt(t, key, text)
			s.injectModel(t, key, text, plain)
			for _, body := range []string{fmt.Sprintf(`{"tenant":%s}`, quoted(text)), fmt.Sprintf(`{%s:"acme"}`, quoted(text))} {
				if status, got := s.operators.send("POST", "/v1/admin/keys", administrator, body); status != 422 {
					t.Errorf("as a tenant, %s: %d, %v", body, status, got)
				}
			}
			for _, path := range []string{"/v1/admin/usage?tenant=%s", "/v1/admin/keys?tenant=%s", "/v1/admin/usage?tenant=acme&from=%s", "/v1/admin/keys?%s=acme"} {
				if status, got := s.operators.send("GET", fmt.Sprintf(path, url.QueryEscape(text)), administrator, ""); status != 422 {
					t.Errorf("as "+path+": %d, %v", text, status, got)
				}
			}
			if status, got := s.operators.send("DELETE", "/v1/admin/keys/"+url.PathEscape(text), administrator, ""); status != 404 {
				t.Errorf("as the id of a key: %d, %v", status, got)
			}
			if id := s.injectID(t, key, text, plain); id != "" {
				asked[id] = true
			}
			if got := told(t, s.config.Listen, rawRequest("GET", "/"+url.PathEscape(text), "", closing)); !refused(got.status) || got.header.Get("Set-Cookie") != "" {
				t.Errorf("as a path: %d, %v", got.status, got.header)
			}
		})
	}
	s.hit(t, s.clients, key) // nobody has flushed Redis
	s.nothingLost(t, asked)
	s.nothingForged(t)
}

func quoted(text string) string {
	value, _ := json.Marshal(text) // any text has one
	return string(value)
}

// injectPrompt: a prompt has any characters, and its answer has the same.
func (s *served) injectPrompt(t *testing.T, key, text string) {
	t.Helper()
	for _, prompt := range []string{text, stored + text, text + stored} {
		status, got := s.clients.send("POST", "/v1/query", key, asks(prompt))
		if status != 200 || got["answer"] != "acme: "+prompt {
			t.Errorf("as a prompt: %d, %v", status, got)
		}
	}
}

// injectModel: a model's name is printable ASCII. Of one for which the model asks for a pause, the log and the metrics tell.
func (s *served) injectModel(t *testing.T, key, text string, plain bool) {
	t.Helper()
	body := func(prompt string) string {
		return fmt.Sprintf(`{"model":%s,"prompt":%q}`, quoted(text), prompt)
	}
	want, held := 200, 503
	if !plain {
		want, held = 422, 422
	}
	if status, got := s.clients.send("POST", "/v1/query", key, body("p")); status != want {
		t.Errorf("as a model: %d, %v", status, got)
	}
	if status, got := s.clients.send("POST", "/v1/query", key, body(pauseQuestion)); status != held {
		t.Errorf("as a model that is held back: %d, %v", status, got)
	}
}

// injectID sends a text as a request's id, and returns it if it is a label.
func (s *served) injectID(t *testing.T, key, text string, plain bool) string {
	t.Helper()
	got := told(t, s.config.Listen, rawRequest("POST", "/v1/query", asks(stored), bearing(key), "X-Request-Id: "+text, closing))
	if got.header.Get("Set-Cookie") != "" {
		t.Errorf("as a request's id it made a header: %v", got.header)
	}
	if !plain { // a line that ends makes another of the client's own header, or no header at all
		return ""
	}
	id := got.header.Get("X-Request-Id")
	if got.status != 200 || (id != text) != strings.Contains(text, " ") {
		t.Errorf("as a request's id: %d, %q", got.status, id)
	}
	return id
}

// nothingLost wants each request's row, and the tables.
func (s *served) nothingLost(t *testing.T, asked map[string]bool) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for id := range asked {
		servers.Await(t, "the row of "+id, func(ctx context.Context) error {
			var rows int
			err := conn.QueryRow(ctx, "SELECT count(*) FROM ledger WHERE request_id = $1 AND tenant = 'acme'", id).Scan(&rows)
			if err == nil && rows != 1 {
				err = fmt.Errorf("%d rows", rows)
			}
			return err
		})
	}
	var tenants, keys int
	if err := conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM organizations), (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL)").Scan(&tenants, &keys); err != nil {
		t.Fatal(err)
	}
	if tenants != 1 || keys != 1 {
		t.Errorf("%d tenants, %d keys", tenants, keys)
	}
	client := redis.NewClient(&redis.Options{Addr: s.redis.Master.Addr})
	defer client.Close()
	for _, name := range client.Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(name, "sentinel:") && !strings.HasPrefix(name, "probe:") {
			t.Errorf("Redis has the key %q", name)
		}
	}
}

// nothingForged wants a log in which each line is one of the gateway's own, and metrics of which none is anybody else's.
func (s *served) nothingForged(t *testing.T) {
	t.Helper()
	told := 0
	for line := range strings.Lines(s.log.String()) {
		var entry struct{ Level, Msg, Model string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Msg == "forged" || entry.Level == "" {
			t.Errorf("a line of the log is forged: %q, %v", line, err)
		}
		if entry.Model != "" {
			told++
		}
	}
	if told < len(injections()) {
		t.Errorf("the log tells of %d models: the texts did not come to it", told)
	}
	resp, err := s.operators.http.Get(s.operators.base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Errorf("metrics: %v", err)
	}
	for name := range families {
		if strings.HasPrefix(name, "forged") {
			t.Errorf("there is a metric %s", name)
		}
	}
}
