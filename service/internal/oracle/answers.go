package oracle

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// Answers are the statuses and codes that are documented, and whether each comes with Retry-After. A status without a body of ours has the
// code "".
type Answers map[int]map[string]bool

// ReadAnswers reads them from the table in a document of which each line begins with a status.
func ReadAnswers(path string) (Answers, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := Answers{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "|\n "), " | ")
		if len(cells) != 4 {
			continue
		}
		for status := range strings.SplitSeq(cells[0], ", ") {
			if status, err := strconv.Atoi(status); err == nil {
				all.add(status, cells[1], cells[2] == "yes")
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no table of statuses", path)
	}
	return all, nil
}

func (a Answers) add(status int, codes string, retryAfter bool) {
	if a[status] == nil {
		a[status] = map[string]bool{}
	}
	for code := range strings.SplitSeq(codes, ", ") {
		a[status][strings.Trim(code, "`-")] = retryAfter
	}
}

// problem is the body of an answer that is an error.
type problem struct {
	code, id string
	fields   []string // that the details name
}

// Check tells what is wrong with an answer of the API, probes and metrics apart. If it is an error, named are the fields that its details name.
func (a Answers) Check(resp *http.Response, body []byte) (code string, named []string, err error) {
	codes, isKnown := a[resp.StatusCode]
	switch {
	case !isKnown:
		return "", nil, fmt.Errorf("status %d is not documented", resp.StatusCode)
	case resp.Header.Get("X-Served-By") == "":
		return "", nil, a.checkForeign(resp)
	case resp.Header.Get("X-Request-Id") == "":
		return "", nil, fmt.Errorf("status %d without a request id", resp.StatusCode)
	case resp.StatusCode < http.StatusMultipleChoices || resp.Request != nil && resp.Request.Method == http.MethodHead:
		return "", nil, nil
	}
	p, err := readProblem(body)
	if err != nil {
		return "", nil, fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	advised, isDocumented := codes[p.code]
	seconds, noNumber := strconv.Atoi(resp.Header.Get("Retry-After"))
	switch {
	case p.code == "" || !isDocumented:
		err = fmt.Errorf("status %d with the code %q is not documented", resp.StatusCode, p.code)
	case p.id != resp.Header.Get("X-Request-Id"):
		err = fmt.Errorf("the body is of request %q, the header of %q", p.id, resp.Header.Get("X-Request-Id"))
	case advised != (noNumber == nil && seconds >= 1) || !advised && resp.Header.Get("Retry-After") != "":
		err = fmt.Errorf("code %s with Retry-After %q", p.code, resp.Header.Get("Retry-After"))
	case (resp.StatusCode == http.StatusUnprocessableEntity) != (len(p.fields) > 0):
		err = fmt.Errorf("status %d names the fields %q", resp.StatusCode, p.fields)
	}
	return p.code, p.fields, err
}

// checkForeign looks at an answer that the HTTP server gives by itself, to what it cannot read as a request.
func (a Answers) checkForeign(resp *http.Response) error {
	if _, isDocumented := a[resp.StatusCode][""]; !isDocumented || resp.StatusCode < http.StatusBadRequest {
		return fmt.Errorf("status %d comes from none of the handlers", resp.StatusCode)
	}
	if !resp.Close {
		return fmt.Errorf("status %d leaves the connection open", resp.StatusCode)
	}
	return nil
}

func readProblem(body []byte) (p problem, err error) {
	value, err := Strict(body)
	if err != nil {
		return p, fmt.Errorf("%w: %.200q", err, body)
	}
	e := get(value, "error")
	p.code, _ = get(e, "code").(string)
	p.id, _ = get(e, "request_id").(string)
	kind, _ := get(e, "type").(string)
	message, _ := get(e, "message").(string)
	if kind == "" || message == "" {
		return p, fmt.Errorf("an error without a type or a message: %.200q", body)
	}
	details, _ := get(e, "details").([]any)
	for _, detail := range details {
		field, isText := get(detail, "field").(string)
		rule, _ := get(detail, "rule").(string)
		if !isText || rule == "" {
			return p, fmt.Errorf("a detail without a field or a rule: %.200q", body)
		}
		p.fields = append(p.fields, field)
	}
	return p, nil
}
