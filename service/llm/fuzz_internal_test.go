package llm

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// FuzzRetryAfter: whatever the header says, the pause is none or one that can be, and that of a number is the number.
func FuzzRetryAfter(f *testing.F) {
	for _, text := range []string{"", "0", "30", "-1", "+1", "1.5", "soon", "9223372036854775807", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT",
		"Thu, 01 Jan 1970 00:00:00 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"} {
		f.Add(text, "", 503)
		f.Add(text, "Sun, 06 Nov 1994 08:49:37 GMT", 429)
	}
	f.Fuzz(func(t *testing.T, text, date string, code int) {
		resp := &http.Response{StatusCode: code, Header: http.Header{"Retry-After": {text}, "Date": {date}}}
		pause := retryAfter(resp.Header)
		if pause < 0 {
			t.Errorf("%q: %s", text, pause)
		}
		digits := strings.Trim(text, "0123456789") == "" && text != ""
		if seconds, err := strconv.Atoi(text); digits && err == nil && seconds < 1e9 && pause != time.Duration(seconds)*time.Second {
			t.Errorf("%q: %s", text, pause)
		}
		const most = time.Minute
		failed := statusFailure(resp, most)
		if failed.retryAfter < 0 || failed.retryAfter > most || failed.retryAfter > 0 && !failed.certain {
			t.Errorf("%d, %q: %s", code, text, failed.retryAfter)
		}
	})
}
