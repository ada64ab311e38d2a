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

// maxResponse bounds a response, in bytes.
const maxResponse = 4 << 20

var errTooLong = errors.New("longer than 4 MiB")

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

// encode makes JSON without the escapes that only HTML needs: they would make a question of such characters six times as long.
func encode(q question) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(q)
	return text.Bytes(), err
}

// post sends one request and reads the whole response.
func (c *Client) post(ctx context.Context, r service.Request) (service.Answer, error) {
	body, err := encode(question{
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
	if c.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+c.APIKey)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return service.Answer{}, fmt.Errorf("send question: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK { // its body may never end, and after 101 nothing but Close ends it
		return service.Answer{}, statusFailure(resp, c.MaxRest)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return service.Answer{}, fmt.Errorf("read answer: %w", err)
	}
	if len(text) > maxResponse {
		return service.Answer{}, &failure{outcome: unusable, err: errTooLong}
	}
	return c.parse(text, r.Query)
}
