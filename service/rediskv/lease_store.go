package rediskv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service"
)

var (
	errReply         = errors.New("unexpected reply")
	errNotReplicated = errors.New("the lock did not reach every online replica")
)

// onlineLag is the largest age, in seconds, of the last sign of life of a replica that is waited for. Replicas give one
// every second. One that hangs drops out after that, and Redis Sentinel does not promote it before one that kept up.
const onlineLag = 2

// waitShare is the part of the budget that WAIT may take, so that its reply still arrives within it.
const waitShare = 0.7

// Acquire takes the key's lock. It is granted only once every online replica has it, since Redis Sentinel may promote
// any of them. It writes no row: the outbox is for that.
func (s *Store) Acquire(ctx context.Context, key, token string, lease time.Duration, _ *service.Row) (service.Reply, error) {
	return do(ctx, s, func(ctx context.Context) (service.Reply, error) { return s.acquire(ctx, key, token, lease) })
}

func (s *Store) acquire(ctx context.Context, key, token string, lease time.Duration) (service.Reply, error) {
	conn := s.client.Conn() // WAIT counts the writes of its own connection only
	defer conn.Close()
	keys := []string{lockPrefix + key, answerPrefix + key}
	asked := time.Now()
	reply, err := s.scripts.acquire.Run(ctx, conn, keys, token, lease.Milliseconds(), onlineLag).Slice()
	if err != nil {
		return service.Reply{}, fmt.Errorf("take the lock: %w", err)
	}
	switch {
	case len(reply) == 1 && reply[0] == "refused":
		return service.Reply{Verdict: service.Refused}, nil
	case len(reply) == 3 && reply[0] == "granted":
		if err := waitForReplicas(ctx, conn, reply[1], s.waits); err != nil {
			if reply[2] == int64(1) && ctx.Err() == nil { // not granted: nobody else should be kept out by it
				_ = s.scripts.release.Run(ctx, conn, keys[:1], token).Err()
			}
			return service.Reply{}, err
		}
		return service.Reply{Verdict: service.Granted}, nil
	case len(reply) == 3 && reply[0] == "answered":
		return answered(reply[1], asked, reply[2])
	}
	return service.Reply{}, fmt.Errorf("take the lock: %w: %v", errReply, reply)
}

// waitForReplicas returns nil once the connection's writes have reached all online replicas.
func waitForReplicas(ctx context.Context, conn *redis.Conn, count any, timeout time.Duration) error {
	online, ok := count.(int64)
	if !ok {
		return fmt.Errorf("count replicas: %w: %v", errReply, count)
	}
	if online == 0 {
		return nil // Redis without replicas; where there should be some, min-replicas-to-write has refused the write
	}
	wait := redis.NewIntCmd(ctx, "wait", online, max(timeout.Milliseconds(), 1))
	if err := conn.Process(ctx, wait); err != nil {
		return fmt.Errorf("wait for replicas: %w", err)
	}
	if wait.Val() < online {
		return fmt.Errorf("%w: %d of %d", errNotReplicated, wait.Val(), online)
	}
	return nil
}

func answered(value any, asked time.Time, ttl any) (service.Reply, error) {
	text, isText := value.(string)
	milliseconds, isNumber := ttl.(int64)
	if !isText || !isNumber {
		return service.Reply{}, fmt.Errorf("read answer: %w: %T, %T", errReply, value, ttl)
	}
	answer, err := decodeAnswer(text)
	return service.Reply{
		Verdict: service.Answered, Answer: answer, ExpiresAt: asked.Add(time.Duration(milliseconds) * time.Millisecond),
	}, err
}

// Settle stores the answer, puts the row into the outbox and releases the lock, in one step.
func (s *Store) Settle(ctx context.Context, end service.Settlement) (service.Receipt, error) {
	return do(ctx, s, func(ctx context.Context) (service.Receipt, error) {
		row, err := encodeRow(end.Row)
		if err != nil {
			return service.Receipt{}, err
		}
		answer, err := encodeAnswer(end.Answer)
		if err != nil {
			return service.Receipt{}, err
		}
		keys := []string{lockPrefix + end.Key, answerPrefix + end.Key, outboxName}
		ttl := max(time.Until(end.ExpiresAt).Milliseconds(), 1)
		reply, err := s.scripts.settle.Run(ctx, s.client, keys, end.Token, answer, ttl, nameCall(end.Answer.CallID, end.Answer.Token), row).Slice()
		if err != nil {
			return service.Receipt{}, err
		}
		return settled(reply)
	})
}

func settled(reply []any) (service.Receipt, error) {
	if len(reply) == 2 {
		mark, isText := reply[0].(string)
		stored, isNumber := reply[1].(int64)
		if isText && isNumber {
			return service.Receipt{Stored: stored == 1, Mark: service.Mark(mark)}, nil
		}
	}
	return service.Receipt{}, fmt.Errorf("settle: %w: %v", errReply, reply)
}

// Release releases the lock if it is the token's.
func (s *Store) Release(ctx context.Context, key, token string) error {
	_, err := do(ctx, s, func(ctx context.Context) (done, error) {
		return done{}, s.scripts.release.Run(ctx, s.client, []string{lockPrefix + key}, token).Err()
	})
	return err
}
