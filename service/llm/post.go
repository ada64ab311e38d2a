package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/sentinel-chaos/sentinel/service"
)

// maxResponse bounds what is read of a response, in bytes.
const maxResponse = 4 << 20

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type question struct {
	Model       string    `json:"model"`
	Messages    []message `json:"messages"`
	Temperature float64   `json:"temperature"`
	MaxTokens   int       `json:"max_tokens"`
	User        string    `json:"user"`
}

type completion struct {
	ID      string `json:"id"`
	Model   string `json:"model"`
	Choices []struct {
		Message message `json:"message"`
	} `json:"choices"`
	Usage *struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
	} `json:"usage"`
}

// post sends one request and reads the whole response.
func (c *Client) post(ctx context.Context, r service.Request) (service.Answer, error) {
	body, err := json.Marshal(question{
		Model: r.Query.Model, Messages: []message{{Role: "user", Content: r.Query.Prompt}},
		Temperature: r.Query.Temperature, MaxTokens: r.Query.MaxTokens, User: r.Tenant,
	})
	if err != nil {
		return service.Answer{}, fmt.Errorf("encode question: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return service.Answer{}, fmt.Errorf("make request: %w", err)
	}
	req.GetBody = nil // without it the transport cannot send a request twice on its own account
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", r.ID)
	resp, err := c.http.Do(req)
	if err != nil {
		return service.Answer{}, fmt.Errorf("send question: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, resp.Body, maxResponse) // so that the connection can serve again
		return service.Answer{}, statusFailure(resp)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return service.Answer{}, fmt.Errorf("read answer: %w", err)
	}
	return c.parse(text)
}

var errNoCompletion = errors.New("not a completion")

// parse accepts nothing but a whole completion with an id, a text and its usage.
func (c *Client) parse(text []byte) (service.Answer, error) {
	var got completion
	if err := json.Unmarshal(text, &got); err != nil {
		return service.Answer{}, &failure{outcome: malformed, err: err}
	}
	if got.ID == "" || len(got.Choices) == 0 || got.Choices[0].Message.Content == "" || got.Usage == nil ||
		got.Usage.Prompt < 0 || got.Usage.Completion < 0 {
		return service.Answer{}, &failure{outcome: malformed, err: errNoCompletion}
	}
	return service.Answer{
		CallID: got.ID, Text: got.Choices[0].Message.Content, Model: got.Model,
		PromptTokens: got.Usage.Prompt, CompletionTokens: got.Usage.Completion,
		Cost: c.Price.Of(got.Usage.Prompt, got.Usage.Completion),
	}, nil
}
