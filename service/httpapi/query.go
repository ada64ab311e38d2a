package httpapi

import (
	"net/http"

	"github.com/sentinel-chaos/sentinel/service"
)

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
	key := bearer(r)
	if key == "" {
		return errUnauthorized
	}
	who, err := a.APIKeys.Authenticate(r.Context(), key)
	if err != nil {
		return err
	}
	body := queryBody{MaxTokens: defaultMaxTokens}
	release, err := a.read(w, r, &body)
	defer release()
	if err != nil {
		return err
	}
	request := service.Request{ID: idOf(w), Tenant: who.Tenant, KeyID: who.KeyID, Query: service.Query(body)}
	return a.admitted(r, func() error { return a.answer(w, r, request) })
}

func (a *API) answer(w http.ResponseWriter, r *http.Request, request service.Request) error {
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
