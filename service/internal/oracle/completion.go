package oracle

import (
	"slices"
	"strconv"
	"strings"
)

// Completion is what a response of the LLM with status 200 is worth. The zero Completion is none.
type Completion struct {
	Priced bool  // it tells what it costs
	Usable bool  // it has a text, too
	Prompt int64 // tokens
	Answer int64 // tokens
	Text   string
	ID     string // "" for none, or for one that can be none; so are the next two
	Model  string
	Finish string
}

// Bounds of what the LLM may say of itself, as they are documented.
const (
	mostCounted = 10_000_000
	longestName = 128
)

// ReadCompletion reads a response of the LLM. A field that stands twice in its object is as good as null: nobody knows which one is meant.
func ReadCompletion(body []byte) (c Completion) {
	value, err := Lenient(body)
	if err != nil {
		return c
	}
	usage := get(value, "usage")
	prompt, ok := count(get(usage, "prompt_tokens"))
	answer, okToo := count(get(usage, "completion_tokens"))
	if !ok || !okToo {
		return c
	}
	c = Completion{Priced: true, Prompt: prompt, Answer: answer, ID: name(get(value, "id")), Model: name(get(value, "model"))}
	choices, _ := get(value, "choices").([]any)
	if len(choices) == 0 {
		return c
	}
	message, isObject := get(choices[0], "message").(Object)
	content := get(message, "content")
	c.Text, c.Usable = content.(string)
	c.Usable = isObject && (c.Usable || content == nil)
	if c.Usable {
		c.Finish = name(get(choices[0], "finish_reason"))
	}
	return c
}

// get returns the value of a field that stands once in an object.
func get(value any, name string) any {
	object, _ := value.(Object)
	isIt := func(f Field) bool { return f.Name == name }
	i := slices.IndexFunc(object, isIt)
	if i < 0 || slices.ContainsFunc(object[i+1:], isIt) {
		return nil
	}
	return object[i].Value
}

func count(value any) (int64, bool) {
	number, _ := value.(Number)
	n, err := strconv.ParseInt(string(number), 10, 64)
	return n, err == nil && n >= 0 && n <= mostCounted
}

func name(value any) string {
	text, _ := value.(string)
	if len(text) > longestName || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return text
}
