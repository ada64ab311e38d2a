package oracle

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Query is what a body of POST /v1/query asks for.
type Query struct {
	Model, Prompt string
	Temperature   float64
	MaxTokens     int
}

// Bounds of a query, as they are documented.
const (
	longestBody      = 1 << 20 // bytes
	longestModel     = 128     // bytes
	highestHeat      = 2
	mostTokens       = 131_072
	defaultMaxTokens = 256
)

// ReadQuery reads a body of POST /v1/query. The status is 200, or that of the refusal. Wrong are the fields of which a 422 names one at
// least. A field that is null is as good as none.
func ReadQuery(body []byte) (q Query, status int, wrong []string) {
	if len(body) > longestBody {
		return q, http.StatusRequestEntityTooLarge, nil
	}
	value, err := Strict(body)
	fields, isObject := value.(Object)
	if err != nil || !isObject {
		return q, http.StatusBadRequest, nil
	}
	if wrong = misnamed(fields); len(wrong) > 0 {
		return q, http.StatusUnprocessableEntity, wrong
	}
	q.MaxTokens = defaultMaxTokens
	for _, f := range fields {
		if f.Value != nil && !q.set(f) {
			return q, http.StatusBadRequest, nil
		}
	}
	if wrong = q.wrong(); len(wrong) > 0 {
		return q, http.StatusUnprocessableEntity, wrong
	}
	return q, http.StatusOK, nil
}

// misnamed are the names that are none, or stand twice.
func misnamed(fields Object) (names []string) {
	for i, f := range fields {
		twice := slices.ContainsFunc(fields[:i], func(before Field) bool { return before.Name == f.Name })
		if twice || !slices.Contains([]string{"model", "prompt", "temperature", "max_tokens"}, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// set sets a field, unless its value is of another type.
func (q *Query) set(f Field) (ok bool) {
	number, isNumber := f.Value.(Number)
	var err error
	switch f.Name {
	case "model":
		q.Model, ok = f.Value.(string)
	case "prompt":
		q.Prompt, ok = f.Value.(string)
	case "temperature":
		q.Temperature, err = strconv.ParseFloat(string(number), 64)
		ok = isNumber && err == nil
	case "max_tokens":
		q.MaxTokens, err = strconv.Atoi(string(number))
		ok = isNumber && err == nil
	}
	return ok
}

// wrong are the fields whose values break the rules.
func (q *Query) wrong() (names []string) {
	notPrintable := func(r rune) bool { return r < ' ' || r > '~' }
	if q.Model == "" || len(q.Model) > longestModel || strings.ContainsFunc(q.Model, notPrintable) {
		names = append(names, "model")
	}
	if q.Prompt == "" {
		names = append(names, "prompt")
	}
	if q.Temperature < 0 || q.Temperature > highestHeat {
		names = append(names, "temperature")
	}
	if q.MaxTokens < 1 || q.MaxTokens > mostTokens {
		names = append(names, "max_tokens")
	}
	return names
}
