package odd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Field is a field of an object. Its value is JSON.
type Field struct{ Name, Value string }

// Object writes an object, as JSON, in any order. Now and then a field is missing, stands twice, is spelt in another way, or has a value of
// another type.
func Object(r *rand.Rand, fields ...Field) string {
	r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	if In(r, 25) {
		fields = fields[:len(fields)-1]
	}
	if len(fields) > 0 && In(r, 25) {
		again := Pick(r, fields...)
		again.Value = Pick(r, again.Value, Pick(r, values()...))
		again.Name = Pick(r, again.Name, strings.ToUpper(again.Name), again.Name+" ")
		fields = slices.Insert(fields, r.IntN(len(fields)+1), again)
	}
	texts := make([]string, len(fields))
	for i, f := range fields {
		if In(r, 40) {
			f.Value = Pick(r, values()...)
		}
		texts[i] = fmt.Sprintf("%q:%s", f.Name, f.Value)
	}
	return "{" + strings.Join(texts, Pick(r, ",", ", ", " ,\n")) + "}"
}

// values are of every type.
func values() []string {
	return []string{"null", "true", "0", "-1", "1.5", "1e3", "9223372036854775808", `""`, `"x"`, "[]", "[null]", "{}", `{"a":[{}]}`, `"\u0000"`, `"\ud800"`}
}

// counts are numbers of tokens; the first ones can be.
func counts() []string {
	return []string{"0", "1", "17", "10000000", "10000001", "-1", "-0", "1.0", "1e1", "130000000000000000", "4611686018427387904", "15372286728091294",
		"9223372036854775807", "9223372036854775808", "1e400", `"5"`, "null", "00"}
}

// names are such as the LLM may give to calls and models.
func names() []string {
	return []string{`""`, `"c d"`, `"c\u0000"`, `"\u00e9"`, `7`, `null`, `"~!"`, `"` + strings.Repeat("n", 128) + `"`, `"` + strings.Repeat("n", 129) + `"`}
}

// characters are such as texts may have in them.
func characters() []string {
	return []string{"", "plain", "<b>&", `\u0000`, `\ud800`, `\udc00\ud83d\ude00`, "\U0001F600", "\xff\xfe", "\u2028", `\n\t\"\\\/`, `\u00e9`, "\x7f", "%s%n",
		strings.Repeat("<", 3000), strings.Repeat(`\u0001`, 500)}
}

// Text is a text of a few odd characters, as JSON without its quotes.
func Text(r *rand.Rand) (text string) {
	for range r.IntN(4) {
		text += Pick(r, characters()...)
	}
	return text
}

// completion is the body of an answer whose text, if it has one, begins with a mark.
func completion(r *rand.Rand, mark string) []byte {
	rarely := func(usual string, odd []string) string {
		if In(r, 8) {
			return Pick(r, odd...)
		}
		return usual
	}
	message := Object(r, Field{"role", `"assistant"`}, Field{"content", rarely(`"`+mark+Text(r)+`"`, []string{`""`, "null", `["x"]`, "5"})})
	choice := Object(r, Field{"index", "0"}, Field{"message", message}, Field{"finish_reason", rarely(`"stop"`, names())})
	choices := rarely("["+choice+"]", []string{"[" + choice + "," + choice + "]", "[" + choice + ",5]", "[]", "[null]", "[{}]", "null"})
	usage := Object(r, Field{"prompt_tokens", rarely("7", counts())}, Field{"completion_tokens", rarely("19", counts())}, Field{"total_tokens", "26"})
	body := []byte(Object(r, Field{"id", rarely(`"c-`+mark+`"`, names())}, Field{"object", `"chat.completion"`}, Field{"model", rarely(`"m-1"`, names())},
		Field{"choices", choices}, Field{"usage", usage}))
	if In(r, 12) {
		body = Mutate(r, body)
	}
	return body
}
