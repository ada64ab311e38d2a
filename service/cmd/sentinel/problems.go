package main

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// problems are all that is wrong with the settings: whoever learns of one at a time starts the program in vain as often.
type problems struct {
	texts []string
	bad   []string // settings that a text is about alone
}

// settingPrefix is how the names of all settings begin.
const settingPrefix = "SENTINEL_"

// add keeps a text that says what is wrong and names the settings that it is about. It says nothing new if one of them is known to be
// bad: then the setting has no value that a rule could be about.
func (p *problems) add(text string) {
	about := settingsIn(text)
	if slices.ContainsFunc(about, func(name string) bool { return slices.Contains(p.bad, name) }) {
		return
	}
	p.texts = append(p.texts, text)
	if len(about) == 1 {
		p.bad = append(p.bad, about[0])
	}
}

// settingsIn are the names of settings in a text.
func settingsIn(text string) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') })
	return slices.DeleteFunc(words, func(word string) bool { return !strings.HasPrefix(word, settingPrefix) })
}

// unparsed keeps what values could not be read as what they should be.
func (p *problems) unparsed(err error) {
	var all env.AggregateError
	_ = errors.As(err, &all)
	for _, err := range all.Errors {
		var value env.ParseError
		var empty env.EmptyVarError
		switch {
		case errors.As(err, &value):
			field, _ := reflect.TypeFor[Config]().FieldByName(value.Name)
			name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
			p.add(name + ": " + value.Err.Error())
		case errors.As(err, &empty):
			p.add(empty.Key + " must be set")
		default:
			p.add(err.Error())
		}
	}
}
