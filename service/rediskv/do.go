package rediskv

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// do runs op within the budget. The client notices the deadline of a context and not its cancellation. So op is left behind when
// its context ends, and what it returns afterwards is lost.
func do[T any](ctx context.Context, s *Store, op func(context.Context) (T, error)) (value T, err error) {
	err = s.gate.Do(ctx, func(ctx context.Context) (err error) {
		value, err = untilDone(ctx, op)
		return marked(err)
	})
	return value, err
}

// marked marks the error of a Redis that has reached its maxmemory. It says so of a script before the first of its writes, so that
// nothing of the script has happened.
func marked(err error) error {
	if redis.IsOOMError(err) {
		return fmt.Errorf("%w: %w", dependency.ErrExhausted, err)
	}
	return err
}

func untilDone[T any](ctx context.Context, op func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		value, err := op(ctx)
		ended <- outcome{value, err}
	}()
	select {
	case o := <-ended:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// done is the value of an operation that brings none.
type done struct{}
