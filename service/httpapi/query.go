package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// defaultMaxTokens bounds the completion of a query that does not say.
const defaultMaxTokens = 256

type queryBody struct {
	Model       string  `json:"model" validate:"required,max=128,printascii"`
	Prompt      string  `json:"prompt" validate:"required"`
	Temperature float64 `json:"temperature" validate:"gte=0,lte=2"`
	MaxTokens   int     `json:"max_tokens" validate:"gte=1,lte=131072"`
}

type tokens struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
}

type answerBody struct {
	RequestID string         `json:"request_id"`
	CallID    string         `json:"call_id"`
	Answer    string         `json:"answer"`
	Finish    string         `json:"finish_reason"` // the model's word for why it stopped; "" if it gave none
	Model     string         `json:"model"`
	Source    service.Source `json:"source"`
	Usage     tokens         `json:"usage"`
	Cost      int64          `json:"cost_nanousd"`
}

func (a *API) query(w http.ResponseWriter, r *http.Request) error {
	body := queryBody{MaxTokens: defaultMaxTokens}
	if err := a.read(w, r, &body); err != nil {
		return err
	}
	key := bearer(r)
	if key == "" {
		return errUnauthorized
	}
	who, err := a.APIKeys.Authenticate(r.Context(), key)
	if err != nil {
		return err
	}
	request := service.Request{
		ID: idOf(w), Tenant: who.Tenant, KeyID: who.KeyID, Client: a.client(r), Query: service.Query(body),
	}
	result, err := a.Answerer.Answer(r.Context(), request)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, answerBody{
		RequestID: request.ID, Answer: result.Text, Model: result.Model, Source: result.Source,
		CallID: result.CallID, Finish: result.Finish,
		Usage: tokens{result.PromptTokens, result.CompletionTokens}, Cost: result.Cost,
	})
	return nil
}

// bodyTimeout is for a request's body to arrive. It leaves a process that stood still the time to read what came meanwhile.
const bodyTimeout = 5 * time.Second

// read decodes one JSON object into body and validates it.
func (a *API) read(w http.ResponseWriter, r *http.Request, body any) error {
	control := http.NewResponseController(w)
	deadline := dependency.StartDeadline(time.Now().Add(min(bodyTimeout, a.Timeout)), func() {
		_ = control.SetReadDeadline(time.Now()) // what has none, as in a test, is not read from a network
	})
	defer deadline.Stop()
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errBodyTimeout
	case err != nil:
		return errMalformed
	}
	if err := decode(text, body); err != nil {
		return err
	}
	var invalid validator.ValidationErrors
	if err := a.validate.Struct(body); errors.As(err, &invalid) {
		return invalidBody(invalid)
	} else if err != nil {
		return err
	}
	return nil
}

// decode reads one JSON object into the struct that body points to. Each field stands once at most, and is spelt as documented:
// whoever misspells one believes that they asked for something else.
func decode(text []byte, body any) error {
	if json.Unmarshal(text, body) != nil {
		return errMalformed
	}
	fields := json.NewDecoder(bytes.NewReader(text))
	if open, err := fields.Token(); err != nil || open != json.Delim('{') {
		return errMalformed
	}
	for seen := map[string]bool{}; fields.More(); {
		token, err := fields.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			return errMalformed
		}
		switch {
		case !hasField(body, name):
			return invalidField(name, "unknown")
		case seen[name]:
			return invalidField(name, "once")
		}
		seen[name] = true
		if err := fields.Decode(new(json.RawMessage)); err != nil {
			return errMalformed
		}
	}
	return nil
}

// hasField reports whether the struct that body points to has a field of that name in JSON.
func hasField(body any, name string) bool {
	return slices.ContainsFunc(reflect.VisibleFields(reflect.TypeOf(body).Elem()), func(f reflect.StructField) bool { return jsonName(f) == name })
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// longestName bounds, in bytes, what is repeated of a field's name that only the client knows.
const longestName = 64

func invalidField(name, rule string) *problem {
	return invalidDetails(detail{Field: strings.ToValidUTF8(name[:min(len(name), longestName)], ""), Rule: rule})
}

func invalidBody(invalid validator.ValidationErrors) *problem {
	details := make([]detail, len(invalid))
	for i, field := range invalid {
		details[i] = detail{Field: field.Field(), Rule: strings.TrimSuffix(field.Tag()+"="+field.Param(), "=")}
	}
	return invalidDetails(details...)
}

func invalidDetails(details ...detail) *problem {
	return &problem{status: http.StatusUnprocessableEntity, Type: invalidRequest, Code: "invalid_body",
		Message: "fields of the body break the rules named in details", Details: details}
}

// newValidator makes a validator that calls fields by their JSON names.
func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	return v
}
