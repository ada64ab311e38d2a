package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
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
	Model       string  `json:"model" validate:"required,max=128"`
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
	Answer    string         `json:"answer"`
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
	if err := json.Unmarshal(text, body); err != nil {
		return errMalformed
	}
	var invalid validator.ValidationErrors
	if err := a.validate.Struct(body); errors.As(err, &invalid) {
		return invalidBody(invalid)
	} else if err != nil {
		return err
	}
	return nil
}

func invalidBody(invalid validator.ValidationErrors) *problem {
	details := make([]detail, len(invalid))
	for i, field := range invalid {
		details[i] = detail{Field: field.Field(), Rule: strings.TrimSuffix(field.Tag()+"="+field.Param(), "=")}
	}
	return &problem{status: http.StatusUnprocessableEntity, Type: invalidRequest, Code: "invalid_body",
		Message: "fields of the body break the rules named in details", Details: details}
}

// newValidator makes a validator that calls fields by their JSON names.
func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return name
	})
	return v
}
