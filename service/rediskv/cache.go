package rediskv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service"
)

// Read takes a token out of each bucket, returns the answer for hit's key and puts hit into the outbox, in one round trip. An
// attempt whose reply is lost may have taken tokens: limits err on the side of fewer requests.
func (s *Store) Read(ctx context.Context, hit service.Row, buckets []service.Bucket) (service.Answer, service.Mark, error) {
	row, err := encodeRow(&hit)
	if err != nil {
		return service.Answer{}, "", err
	}
	reply, err := s.take(ctx, s.scripts.read, []string{answerPrefix + hit.Key, outboxName}, []any{row}, buckets)
	switch {
	case err != nil:
		return service.Answer{}, "", fmt.Errorf("read cache: %w", err)
	case reply == nil:
		return service.Answer{}, "", service.ErrNoAnswer
	case len(reply) == 3:
		return service.Answer{}, "", limited(reply, buckets)
	case len(reply) != 2:
		return service.Answer{}, "", fmt.Errorf("read cache: %w: %v", errReply, reply)
	}
	value, _ := reply[0].(string)
	mark, _ := reply[1].(string)
	answer, err := decodeAnswer(value)
	return answer, service.Mark(mark), err
}

// Take takes a token out of each bucket. An attempt whose reply is lost may have taken tokens.
func (s *Store) Take(ctx context.Context, buckets []service.Bucket) error {
	reply, err := s.take(ctx, s.scripts.take, nil, nil, buckets)
	switch {
	case err != nil:
		return fmt.Errorf("take tokens: %w", err)
	case reply == nil:
		return nil
	case len(reply) != 3:
		return fmt.Errorf("take tokens: %w: %v", errReply, reply)
	}
	return limited(reply, buckets)
}

// take runs a script that takes tokens, with its own keys and arguments before those of the buckets. The reply is nil if the script has none.
func (s *Store) take(ctx context.Context, script *redis.Script, keys []string, args []any, buckets []service.Bucket) ([]any, error) {
	for _, b := range buckets {
		keys, args = append(keys, bucketPrefix+b.Name()), append(args, b.Rate, b.Burst)
	}
	return do(ctx, s, func(ctx context.Context) ([]any, error) {
		reply, err := script.Run(ctx, s.client, keys, args...).Slice()
		if errors.Is(err, redis.Nil) {
			return nil, nil
		}
		return reply, err
	})
}

// limited returns which bucket is empty, and for how long.
func limited(reply []any, buckets []service.Bucket) error {
	i, isIndex := reply[1].(int64)
	milliseconds, isNumber := reply[2].(int64)
	if !isIndex || !isNumber || i < 0 || int(i) >= len(buckets) {
		return fmt.Errorf("take tokens: %w: %v", errReply, reply)
	}
	return &service.Limited{Kind: buckets[i].Kind, RetryAfter: time.Duration(milliseconds) * time.Millisecond}
}

// encodeAnswer names the call on a line of its own before the rest, for the script that puts hits into the outbox.
func encodeAnswer(a service.Answer) (string, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("encode answer: %w", err)
	}
	return nameCall(a.CallID, a.Token) + "\n" + string(text), nil
}

// nameCall puts together what identifies a call: its id, in which there is no space, and the token of its flight.
func nameCall(id, token string) string { return id + " " + token }

// callNamed takes that apart. What a replica of an older version wrote has no token.
func callNamed(name string) (id, token string) {
	id, token, _ = strings.Cut(name, " ")
	return id, token
}

func decodeAnswer(value string) (service.Answer, error) {
	_, text, _ := strings.Cut(value, "\n")
	var a service.Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return service.Answer{}, fmt.Errorf("decode answer: %w", err)
	}
	return a, nil
}
