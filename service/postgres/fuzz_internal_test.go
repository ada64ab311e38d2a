package postgres

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sentinel-chaos/sentinel/service"
)

// FuzzAnswer: an answer that is stored is read as it was, and has nothing in it that jsonb does not take.
func FuzzAnswer(f *testing.F) {
	f.Add("c-1", "token", "hello\x00", "stop", "m", int64(1), int64(2), int64(3))
	f.Add("", "", `\u0000`, "", "", int64(-1), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, callID, token, text, finish, model string, prompt, completion, cost int64) {
		a := service.Answer{CallID: callID, Token: token, Text: text, Finish: finish, Model: model, PromptTokens: prompt, CompletionTokens: completion, Cost: cost}
		if slices.ContainsFunc([]string{callID, token, text, finish, model}, func(s string) bool { return !utf8.ValidString(s) }) ||
			strings.ContainsRune(callID+token+finish+model, 0) {
			return // no upstream's answer is read so
		}
		stored, err := encodeAnswer(a)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeAnswer(stored); err != nil || got != a {
			t.Errorf("%s is read as %+v, %v", stored, got, err)
		}
		if bytes.Contains(bytes.ReplaceAll(stored, []byte(`\\`), nil), []byte(`\u0000`)) {
			t.Errorf("%s has U+0000 in it", stored)
		}
	})
}

// FuzzStored: whatever is found where an answer should be is one, or an error.
func FuzzStored(f *testing.F) {
	f.Add([]byte(`{"text":"x","text_bytes":"AA=="}`))
	f.Add([]byte(`{"text_bytes":"="}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		answer, err := decodeAnswer(text)
		if err != nil {
			return
		}
		stored, err := encodeAnswer(answer)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeAnswer(stored); err != nil || utf8.ValidString(answer.Text) && again != answer {
			t.Errorf("%s is read as %+v, then as %+v, %v", text, answer, again, err)
		}
	})
}

// FuzzDSN: whatever a DSN is, it leads to where it says, or it is refused in words of our own.
func FuzzDSN(f *testing.F) {
	for _, dsn := range []string{"postgres://user:hunter2@host:5432/db?sslmode=disable", "host=h user=u password='a b' sslmode=disable", "postgresql:///db", "mysql://h/db",
		"postgres://[::1]:1,h:2/db", "postgres://%zz", "host=h sslmod=require", "postgres://h/db?sslmode=disable&application_name=%00", "=", "host='"} {
		f.Add(dsn)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		if strings.Contains(dsn, "file") || strings.Contains(dsn, "cert") || strings.Contains(dsn, "key") {
			return // names files
		}
		cfg, err := parseDSN(dsn)
		if (err == nil) != (CheckDSN(dsn) == nil) {
			t.Fatalf("%v, then another", err)
		}
		var file *fs.PathError
		switch {
		case err == nil:
			if cfg.ConnConfig.Host == "" || cfg.ConnConfig.Port == 0 {
				t.Errorf("it leads to %q, port %d", cfg.ConnConfig.Host, cfg.ConnConfig.Port)
			}
			for name := range cfg.ConnConfig.RuntimeParams {
				if strings.HasPrefix(name, "ssl") {
					t.Errorf("the server is asked to set %s", name)
				}
			}
		case errors.Is(err, errScheme), errors.Is(err, errDSN), errors.As(err, &file), strings.HasPrefix(err.Error(), "it has no parameter ssl"):
		default:
			t.Errorf("refused in other words: %v", err)
		}
	})
}
