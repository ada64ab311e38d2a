package llm

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"

	"github.com/sentinel-chaos/sentinel/service"
)

// Bounds of what a model may say of its own answer.
const (
	mostTokens  = 10_000_000 // of the question, and of the answer; no model takes or gives as many
	longestName = 128        // bytes of a call's id, and of a model's name
)

// unnamed begins the ids of calls to which the model gave none, or none that can be one.
const unnamed = "unnamed-"

var (
	errNoCompletion = errors.New("not a completion")
	errUsage        = errors.New("no usage, or none that can be")
	errNoChoice     = errors.New("no choice that is a text")
)

// completion is a response with its parts as they came. They are read one by one: one that cannot be believed does not hide what
// the others tell.
type completion struct {
	ID      json.RawMessage `json:"id"`
	Model   json.RawMessage `json:"model"`
	Choices json.RawMessage `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
}

// parse reads a response. What is no completion is malformed. A completion without a usage that can be is unusable, since nobody
// knows what it costs. So is one without a text: then the Answer beside the error tells what the call cost. An empty text is an answer.
func (c *Client) parse(response []byte, asked service.Query) (service.Answer, error) {
	var got completion
	if err := json.Unmarshal(response, &got); err != nil {
		return service.Answer{}, &failure{outcome: malformed, err: err}
	}
	if got.Choices == nil && got.Usage == nil {
		return service.Answer{}, &failure{outcome: malformed, err: errNoCompletion}
	}
	answer := service.Answer{CallID: nameOr(got.ID, unnamed+rand.Text()), Model: nameOr(got.Model, asked.Model)}
	if !c.price(&answer, got.Usage) {
		return service.Answer{}, &failure{outcome: unusable, err: errUsage}
	}
	if !choose(&answer, got.Choices) {
		return answer, &failure{outcome: unusable, err: errNoChoice}
	}
	return answer, nil
}

// nameOr reads a name, or returns the other one if this is none: names go into logs, ledgers and their indexes.
func nameOr(text json.RawMessage, other string) string {
	var name string
	if json.Unmarshal(text, &name) != nil || name == "" || len(name) > longestName {
		return other
	}
	for _, b := range []byte(name) {
		if b <= ' ' || b > '~' {
			return other
		}
	}
	return name
}

// price reads the usage. It needs both numbers, whole and within bounds: anything else would be booked at too low a price.
func (c *Client) price(answer *service.Answer, text json.RawMessage) (ok bool) {
	var usage struct {
		Prompt     *int64 `json:"prompt_tokens"`
		Completion *int64 `json:"completion_tokens"`
	}
	if json.Unmarshal(text, &usage) != nil || !countable(usage.Prompt) || !countable(usage.Completion) {
		return false
	}
	answer.PromptTokens, answer.CompletionTokens = *usage.Prompt, *usage.Completion
	answer.Cost, ok = c.Price.Of(answer.PromptTokens, answer.CompletionTokens)
	return ok
}

func countable(tokens *int64) bool { return tokens != nil && *tokens >= 0 && *tokens <= mostTokens }

// choose reads the first choice. A model that wrote nothing gives no text, null, or an empty one.
func choose(answer *service.Answer, text json.RawMessage) (ok bool) {
	var choices []struct {
		Message *struct {
			Content json.RawMessage `json:"content"`
		} `json:"message"`
		Finish json.RawMessage `json:"finish_reason"`
	}
	if json.Unmarshal(text, &choices) != nil || len(choices) == 0 || choices[0].Message == nil {
		return false
	}
	answer.Finish = nameOr(choices[0].Finish, "")
	content := choices[0].Message.Content
	return content == nil || bytes.Equal(content, []byte("null")) || json.Unmarshal(content, &answer.Text) == nil
}
