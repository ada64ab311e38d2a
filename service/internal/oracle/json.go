// Package oracle says what is right of inputs that tests make up. It shares no code with the service, so that a mistake is not made twice.
package oracle

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Object is a JSON object with its fields in their order, so that one that stands twice is seen.
type Object []Field

// Field is a field of an Object.
type Field struct {
	Name  string
	Value any
}

// Number is a JSON number as it is written.
type Number string

// errJSON is the error of a text that is no JSON.
var errJSON = errors.New("not JSON")

// deepest is how deep arrays and objects may be nested.
const deepest = 10_000

// Strict reads one JSON text (RFC 8259) into nil, bool, Number, string, []any or Object. It is made of characters alone: of UTF-8, and of
// no escape that is half of a surrogate pair.
func Strict(text []byte) (any, error) { return parse(text, true) }

// Lenient reads what Strict does. What stands for no character is U+FFFD.
func Lenient(text []byte) (any, error) { return parse(text, false) }

func parse(text []byte, strict bool) (any, error) {
	p := &parser{rest: text, strict: strict}
	value, ok := p.value()
	p.space()
	if !ok || len(p.rest) > 0 {
		return nil, errJSON
	}
	return value, nil
}

type parser struct {
	rest   []byte
	strict bool
	depth  int
}

func (p *parser) space() { p.rest = bytes.TrimLeft(p.rest, " \t\r\n") }

func (p *parser) take(token string) bool {
	if len(p.rest) < len(token) || string(p.rest[:len(token)]) != token {
		return false
	}
	p.rest = p.rest[len(token):]
	return true
}

func (p *parser) value() (value any, ok bool) {
	p.space()
	switch {
	case p.take("null"):
		return nil, true
	case p.take("true"):
		return true, true
	case p.take("false"):
		return false, true
	case p.take(`"`):
		return p.text()
	case p.take("["):
		list := []any{}
		return p.items("]", func() bool {
			item, ok := p.value()
			list = append(list, item)
			return ok
		}, func() any { return list })
	case p.take("{"):
		object := Object{}
		return p.items("}", func() bool {
			field, ok := p.field()
			object = append(object, field)
			return ok
		}, func() any { return object })
	}
	return p.number()
}

// items reads what stands by commas before the end, and returns what is made of it.
func (p *parser) items(end string, item func() bool, made func() any) (any, bool) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > deepest {
		return nil, false
	}
	if p.space(); p.take(end) {
		return made(), true
	}
	for item() {
		if p.space(); p.take(end) {
			return made(), true
		}
		if !p.take(",") {
			return nil, false
		}
	}
	return nil, false
}

func (p *parser) field() (f Field, ok bool) {
	if p.space(); !p.take(`"`) {
		return f, false
	}
	if f.Name, ok = p.text(); !ok {
		return f, false
	}
	if p.space(); !p.take(":") {
		return f, false
	}
	f.Value, ok = p.value()
	return f, ok
}

func (p *parser) number() (any, bool) {
	begin := p.rest
	p.take("-")
	if !p.take("0") && !p.digits() {
		return nil, false
	}
	if p.take(".") && !p.digits() {
		return nil, false
	}
	if p.take("e") || p.take("E") {
		if !p.take("+") {
			p.take("-")
		}
		if !p.digits() {
			return nil, false
		}
	}
	return Number(begin[:len(begin)-len(p.rest)]), true
}

func (p *parser) digits() bool {
	before := len(p.rest)
	p.rest = bytes.TrimLeft(p.rest, "0123456789")
	return len(p.rest) < before
}

// text reads a string after its first quote.
func (p *parser) text() (string, bool) {
	var text []byte
	for len(p.rest) > 0 {
		var character rune
		ok, size := true, 0
		switch first := p.rest[0]; {
		case first == '"':
			p.rest = p.rest[1:]
			return string(text), true
		case first < ' ':
			return "", false
		case first == '\\':
			character, ok = p.escape()
		default:
			character, size = utf8.DecodeRune(p.rest)
			ok = !p.strict || character != utf8.RuneError || size > 1
			p.rest = p.rest[size:]
		}
		if !ok {
			return "", false
		}
		text = utf8.AppendRune(text, character)
	}
	return "", false
}

func (p *parser) escape() (rune, bool) {
	if unit, ok := p.unit(); ok {
		return p.pair(unit)
	}
	if len(p.rest) < 2 {
		return 0, false
	}
	i := strings.IndexByte(`"\/bfnrt`, p.rest[1])
	if i < 0 {
		return 0, false
	}
	p.rest = p.rest[2:]
	return rune("\"\\/\b\f\n\r\t"[i]), true
}

// pair is the character of an escape that may be the first half of a pair.
func (p *parser) pair(first rune) (rune, bool) {
	if !utf16.IsSurrogate(first) {
		return first, true
	}
	after := p.rest
	second, _ := p.unit()
	if character := utf16.DecodeRune(first, second); character != utf8.RuneError {
		return character, true
	}
	p.rest = after
	return utf8.RuneError, !p.strict
}

// unit reads an escape such as \u00e9.
func (p *parser) unit() (rune, bool) {
	const length = len(`\u00e9`)
	if len(p.rest) < length || p.rest[0] != '\\' || p.rest[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(p.rest[2:length]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.rest = p.rest[length:]
	return rune(unit), true
}
