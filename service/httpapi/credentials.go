package httpapi

import (
	"net/http"
	"strings"
)

// bearer returns the credentials of a request, "" if it has none, or more than one: a proxy may have looked at another one.
func bearer(r *http.Request) string {
	given := r.Header.Values("Authorization")
	if len(given) != 1 {
		return ""
	}
	scheme, credentials, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(credentials)
}
