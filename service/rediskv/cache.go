package rediskv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service"
)

// Read returns the answer for hit's key and journals hit, in one round trip.
func (s *Store) Read(ctx context.Context, hit service.Row) (service.Answer, service.Mark, error) {
	row, err := encodeRow(&hit)
	if err != nil {
		return service.Answer{}, "", err
	}
	reply, err := do(ctx, s, func(ctx context.Context) ([]any, error) {
		reply, err := s.scripts.read.Run(ctx, s.client, []string{answerPrefix + hit.Key, journalName}, row).Slice()
		if errors.Is(err, redis.Nil) {
			return nil, nil
		}
		return reply, err
	})
	switch {
	case err != nil:
		return service.Answer{}, "", fmt.Errorf("read cache: %w", err)
	case reply == nil:
		return service.Answer{}, "", service.ErrNoAnswer
	case len(reply) != 2:
		return service.Answer{}, "", fmt.Errorf("read cache: %w: %v", errReply, reply)
	}
	value, _ := reply[0].(string)
	mark, _ := reply[1].(string)
	answer, err := decodeAnswer(value)
	return answer, service.Mark(mark), err
}

// encodeAnswer puts the call id on a line of its own before the rest, for the script that journals hits.
func encodeAnswer(a service.Answer) (string, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("encode answer: %w", err)
	}
	return a.CallID + "\n" + string(text), nil
}

func decodeAnswer(value string) (service.Answer, error) {
	_, text, _ := strings.Cut(value, "\n")
	var a service.Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return service.Answer{}, fmt.Errorf("decode answer: %w", err)
	}
	return a, nil
}
