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
	errNoObject     = errors.New("not an object")
	errNoCompletion = errors.New("not a completion")
	errUsage        = errors.New("no usage, or none that can be")
	errNoChoice     = errors.New("no choice that is a text")
)

// fields are those of a JSON object, by their exact names and as they came. They are read one by one: one that cannot be believed does not
// hide what the others tell. One that stands twice is null, since nobody knows which of the two is meant, or billed.
type fields map[string]json.RawMessage

// UnmarshalJSON reads an object.
func (f *fields) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return errNoObject
	}
	*f = fields{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		name, _ := token.(string)
		if _, twice := (*f)[name]; twice {
			value = json.RawMessage("null")
		}
		(*f)[name] = value
	}
	return nil
}

// parse reads a response. What is no completion is malformed. A completion without a usage that can be is unusable, since nobody
// knows what it costs. So is one without a text: then the Answer beside the error tells what the call cost. An empty text is an answer.
func (c *Client) parse(response []byte, asked service.Query) (service.Answer, error) {
	var got fields
	if err := json.Unmarshal(response, &got); err != nil {
		return service.Answer{}, &failure{outcome: malformed, err: err}
	}
	if got["choices"] == nil && got["usage"] == nil {
		return service.Answer{}, &failure{outcome: malformed, err: errNoCompletion}
	}
	answer := service.Answer{CallID: nameOr(got["id"], unnamed+rand.Text()), Model: nameOr(got["model"], asked.Model)}
	if !c.price(&answer, got["usage"]) {
		return service.Answer{}, &failure{outcome: unusable, err: errUsage}
	}
	if !choose(&answer, got["choices"]) {
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
	var usage fields
	if json.Unmarshal(text, &usage) != nil || !count(&answer.PromptTokens, usage["prompt_tokens"]) || !count(&answer.CompletionTokens, usage["completion_tokens"]) {
		return false
	}
	answer.Cost, ok = c.Price.Of(answer.PromptTokens, answer.CompletionTokens)
	return ok
}

func count(tokens *int64, text json.RawMessage) (ok bool) {
	var number *int64
	if json.Unmarshal(text, &number) != nil || number == nil || *number < 0 || *number > mostTokens {
		return false
	}
	*tokens = *number
	return true
}

// choose reads the first choice. A model that wrote nothing gives no text, null, or an empty one.
func choose(answer *service.Answer, text json.RawMessage) (ok bool) {
	var choices []json.RawMessage
	var choice, message fields
	if json.Unmarshal(text, &choices) != nil || len(choices) == 0 || json.Unmarshal(choices[0], &choice) != nil ||
		json.Unmarshal(choice["message"], &message) != nil {
		return false
	}
	answer.Finish = nameOr(choice["finish_reason"], "")
	content := message["content"]
	return content == nil || json.Unmarshal(content, &answer.Text) == nil // null leaves it empty
}
