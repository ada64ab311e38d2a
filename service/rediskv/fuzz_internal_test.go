package rediskv

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sentinel-chaos/sentinel/service"
)

// FuzzAnswer: an answer that is stored is read as it was, and its call is on the first line, where the scripts look for it.
func FuzzAnswer(f *testing.F) {
	f.Add("c-1", "token", "hello\n\x00\u2028<&>", "stop", "m", int64(1), int64(2), int64(3))
	f.Add("", "", "", "", "", int64(-1), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, callID, token, text, finish, model string, prompt, completion, cost int64) {
		a := service.Answer{CallID: callID, Token: token, Text: text, Finish: finish, Model: model, PromptTokens: prompt, CompletionTokens: completion, Cost: cost}
		if slices.ContainsFunc([]string{callID, token, text, finish, model}, func(s string) bool { return !utf8.ValidString(s) }) ||
			strings.ContainsAny(callID+token, " \n") {
			return // no upstream's answer is read so
		}
		value, err := encodeAnswer(a)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeAnswer(value)
		if err != nil || got != a {
			t.Errorf("%q is read as %+v, %v", value, got, err)
		}
		name, _, _ := strings.Cut(value, "\n")
		if id, of := callNamed(name); id != callID || of != token {
			t.Errorf("the call is named %q", name)
		}
	})
}

// FuzzStored: whatever is found where an answer or a row should be is that, or an error.
func FuzzStored(f *testing.F) {
	f.Add("c-1 token\n{}", `{"serial":"s"}`)
	f.Add("", "null")
	f.Add("{", `{"at":"0000-00-00"}`)
	f.Fuzz(func(t *testing.T, value, row string) {
		if answer, err := decodeAnswer(value); err == nil {
			if _, err := encodeAnswer(answer); err != nil {
				t.Error(err)
			}
		}
		entry, err := decodeEntry([]any{"1-1", []any{callField, value, rowField, row, "odd"}})
		if err != nil {
			return
		}
		if _, err := encodeRow(&entry.Row); err != nil {
			t.Errorf("%+v: %v", entry.Row, err)
		}
	})
}
