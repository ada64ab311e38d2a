package odd

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/oracle"
)

// Reply is what an upstream sends to one question.
type Reply struct {
	Raw    []byte // as it goes over the connection
	Hangs  bool   // nothing comes after it, and the connection stays open
	Ends   bool   // the connection ends after it
	Wild   bool   // nobody can tell what it is worth
	Reason string // for which a request is refused that gets no answer of it; "" if it is one, or is wild
	oracle.Completion
	Sent func() // is called when it has been sent, unless it is nil
}

// NewReply makes a reply. If it has a text, this begins with the mark, which must not need escapes.
func NewReply(r *rand.Rand, mark string) Reply {
	switch kind := r.IntN(1000); {
	case kind < 640:
		return sound(r, http.StatusOK, completion(r, mark))
	case kind < 800:
		return sound(r, Pick(r, statuses()...), []byte(Pick(r, `{"error":{"message":"no"}}`, "", "Sorry", strings.Repeat("x", 9000))))
	case kind < 840:
		return cut(r, completion(r, mark))
	case kind < 860: // the connection itself is the body
		return Reply{Raw: []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), Hangs: true, Reason: service.ReasonUpstream}
	case kind < 880: // two answers to one question
		body := completion(r, mark)
		reply := worth(http.StatusOK, body)
		reply.Raw = append(framed(r, http.StatusOK, body), framed(r, http.StatusOK, completion(r, "stray"))...)
		return reply
	case kind == 999 && In(r, 10):
		whole := framed(r, http.StatusOK, completion(r, mark))
		return Reply{Raw: whole[:r.IntN(len(whole))], Hangs: true, Reason: service.ReasonTimeout}
	}
	return Reply{Raw: Mutate(r, framed(r, http.StatusOK, completion(r, mark))), Ends: true, Wild: true}
}

// statuses are such as are no answers.
func statuses() []int {
	return []int{201, 202, 204, 206, 226, 299, 300, 301, 302, 303, 304, 307, 308, 399, 400, 401, 403, 404, 408, 413, 422, 429, 451, 499, 500, 501, 502, 503, 504, 529,
		599, 600, 999}
}

// worth is what a response that comes whole is worth.
func worth(status int, body []byte) Reply {
	reply := Reply{Reason: service.ReasonUpstream}
	switch {
	case status == http.StatusOK:
		reply.Completion = oracle.ReadCompletion(body)
		if reply.Usable {
			reply.Reason = ""
		}
	case status >= 400 && status < 500 && status != http.StatusTooManyRequests:
		reply.Reason = service.ReasonRejected
	}
	return reply
}

// sound makes a reply whose frame is as HTTP wants it.
func sound(r *rand.Rand, status int, body []byte) Reply {
	reply := worth(status, body)
	if reply.Ends = In(r, 20); reply.Ends { // and its end is that of the body
		reply.Raw = append(head(r, status, "Connection: close\r\n"), body...)
		if !hasBody(status) {
			reply.Raw = head(r, status, "Connection: close\r\n")
		}
		return reply
	}
	reply.Raw = framed(r, status, body)
	return reply
}

func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// framed is a response after which the connection can go on.
func framed(r *rand.Rand, status int, body []byte) []byte {
	switch {
	case !hasBody(status):
		return head(r, status, "")
	case In(r, 3):
		return append(head(r, status, "Transfer-Encoding: chunked\r\n"), Chunked(r, body)...)
	}
	return append(head(r, status, fmt.Sprintf("Content-Length: %d\r\n", len(body))), body...)
}

// cut is a response that ends before its end.
func cut(r *rand.Rand, body []byte) Reply {
	whole := append(head(r, http.StatusOK, fmt.Sprintf("Content-Length: %d\r\n", len(body))), body...)
	return Reply{Raw: whole[:r.IntN(max(1, len(whole)))], Ends: true, Reason: service.ReasonUpstream}
}

// head is that of a response, with a line for its frame, and with others.
func head(r *rand.Rand, status int, frame string) []byte {
	var text strings.Builder
	if In(r, 20) {
		text.WriteString("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
	}
	fmt.Fprintf(&text, "HTTP/1.1 %d %s\r\n%s", status, Pick(r, "", "OK", "\xff", "a b c"), frame)
	if In(r, 4) {
		fmt.Fprintf(&text, "Retry-After: %s\r\n", Pick(r, "0", "1", "3600", "-1", "1.5", "soon", "", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
			strconv.Itoa(r.IntN(1e9))))
	}
	if In(r, 4) {
		fmt.Fprintf(&text, "Date: %s\r\n", Pick(r, "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "yesterday", ""))
	}
	if In(r, 4) {
		text.WriteString(Pick(r, "Location: http://127.0.0.1:1/\r\n", "Location: http://[\r\n", "Location: ://\r\n", "Content-Type: text/html\r\n", "Content-Encoding: gzip\r\n", "Set-Cookie: a=b\r\n",
			"X-Request-Id: other\r\n", "Trailer: X\r\n", "Keep-Alive: timeout=0\r\n", "X-Long: "+strings.Repeat("x", 20_000)+"\r\n"))
	}
	text.WriteString("\r\n")
	return []byte(text.String())
}

// Chunked is a body in chunks of any size, some with extensions, and perhaps with a trailer.
func Chunked(r *rand.Rand, body []byte) []byte {
	var text []byte
	for len(body) > 0 {
		size := 1 + r.IntN(len(body))
		text = fmt.Appendf(text, "%x%s\r\n%s\r\n", size, Pick(r, "", "", ";a=b", ";x"), body[:size])
		body = body[size:]
	}
	return append(text, Pick(r, "0\r\n\r\n", "0\r\n\r\n", "0\r\nX-Trailer: a\r\n\r\n")...)
}
