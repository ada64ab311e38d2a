package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/env"
)

// lab is a driver of these tests, and its name.
type lab string

func (l lab) Name() string { return string(l) }

func (lab) Addr(string) (string, error) { return "", env.ErrNotYet }

func (lab) Prepare(context.Context, []env.Program) error { return nil }

func (lab) Launch(context.Context, env.Spec) (env.Proc, error) { return nil, env.ErrNotYet }

func (lab) Close(context.Context) error { return nil }

// TestSoaksRunWhenNamed: a soak runs when somebody names it, and not else.
func TestSoaksRunWhenNamed(t *testing.T) {
	a := App{Catalogue: []harness.Scenario{{Name: "first"}, {Name: "long", Soak: true}, {Name: "last"}}}
	for _, c := range []struct {
		asked []string
		want  string
	}{{nil, "first last"}, {[]string{"long", "first"}, "first long"}} {
		picked, err := a.pick(c.asked)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range picked {
			got = append(got, s.Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v: %v, want %s", c.asked, got, c.want)
		}
	}
}

// TestDriverIsChosen: CHAOS_DRIVER names a driver; auto is the first that answers, or the first of all.
func TestDriverIsChosen(t *testing.T) {
	driver := func(name, complaint string) Driver {
		return Driver{Kind: lab(name), Answers: func(context.Context) error {
			if complaint == "" {
				return nil
			}
			return errors.New(complaint)
		}}
	}
	deaf, shut, fit := driver("deaf", "install ears"), driver("shut", "open it"), driver("fit", "")
	for _, c := range []struct {
		asked     string
		drivers   []Driver
		want, why string
	}{
		{"shut", []Driver{deaf, shut, fit}, "shut", "CHAOS_DRIVER names it"},
		{auto, []Driver{deaf}, "deaf", "the only one"},
		{auto, []Driver{fit, deaf}, "fit", "it answers"},
		{auto, []Driver{deaf, shut, fit}, "fit", "deaf: install ears; shut: open it; it answers"},
		{auto, []Driver{deaf, shut}, "deaf", "deaf: install ears; shut: open it; none answers"},
	} {
		got, why, err := App{Drivers: c.drivers}.driver(t.Context(), c.asked)
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind.Name() != c.want || why != c.why {
			t.Errorf("%s: %s (%s), want %s (%s)", c.asked, got.Kind.Name(), why, c.want, c.why)
		}
	}
	_, _, err := App{Drivers: []Driver{deaf, fit}}.driver(t.Context(), "blind")
	if !errors.Is(err, errUsage) || !strings.HasSuffix(err.Error(), `CHAOS_DRIVER="blind": want auto or deaf or fit`) {
		t.Errorf("a driver that nobody has: %v", err)
	}
}
