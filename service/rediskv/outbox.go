package rediskv

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service"
)

// Fields of an entry of the outbox. The call stands apart because only the script of a hit knows it.
const (
	callField = "call"
	rowField  = "row"
)

// Append puts a row into the outbox.
func (s *Store) Append(ctx context.Context, row service.Row) (service.Mark, error) {
	text, err := encodeRow(&row)
	if err != nil {
		return "", err
	}
	entry := &redis.XAddArgs{Stream: outboxName, Values: []any{callField, nameCall(row.CallID, row.Token), rowField, text}}
	mark, err := do(ctx, s, func(ctx context.Context) (string, error) { return s.client.XAdd(ctx, entry).Result() })
	return service.Mark(mark), err
}

// Forget removes rows from the outbox.
func (s *Store) Forget(ctx context.Context, marks []service.Mark) error {
	if len(marks) == 0 {
		return nil
	}
	ids := make([]string, len(marks))
	for i, mark := range marks {
		ids[i] = string(mark)
	}
	_, err := do(ctx, s, func(ctx context.Context) (int64, error) { return s.client.XDel(ctx, outboxName, ids...).Result() })
	return err
}

// Orphans returns rows older than age, and how long the outbox is.
func (s *Store) Orphans(ctx context.Context, age time.Duration, limit int) ([]service.Entry, int64, error) {
	reply, err := do(ctx, s, func(ctx context.Context) ([]any, error) {
		return s.scripts.orphans.Run(ctx, s.client, []string{outboxName}, age.Milliseconds(), limit).Slice()
	})
	if err != nil {
		return nil, 0, err
	}
	if len(reply) != 2 {
		return nil, 0, fmt.Errorf("read outbox: %w: %v", errReply, reply)
	}
	length, _ := reply[0].(int64)
	list, _ := reply[1].([]any)
	entries := make([]service.Entry, 0, len(list))
	for _, item := range list {
		if entry, err := decodeEntry(item); err == nil { // what cannot be read stays, and shows in the length
			entries = append(entries, entry)
		}
	}
	return entries, length, nil
}

// decodeEntry reads an item of XRANGE: its id, then a flat list of fields and values.
func decodeEntry(item any) (service.Entry, error) {
	pair, _ := item.([]any)
	if len(pair) != 2 {
		return service.Entry{}, fmt.Errorf("read outbox: %w: %v", errReply, item)
	}
	mark, _ := pair[0].(string)
	list, _ := pair[1].([]any)
	fields := make(map[string]string, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		name, _ := list[i].(string)
		fields[name], _ = list[i+1].(string)
	}
	var row service.Row
	if err := json.Unmarshal([]byte(fields[rowField]), &row); err != nil {
		return service.Entry{}, fmt.Errorf("decode row %s: %w", mark, err)
	}
	row.CallID, row.Token = callNamed(fields[callField])
	return service.Entry{Row: row, Mark: service.Mark(mark)}, nil
}

// encodeRow returns the row's text, "" for no row.
func encodeRow(row *service.Row) (string, error) {
	if row == nil {
		return "", nil
	}
	text, err := json.Marshal(row)
	if err != nil {
		return "", fmt.Errorf("encode row: %w", err)
	}
	return string(text), nil
}
