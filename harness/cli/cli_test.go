package cli

import (
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// TestWorse: a claim that failed outweighs a set-up that did, that whatever is not proven, and that a pass.
func TestWorse(t *testing.T) {
	order := []int{ExitFail, ExitSetup, ExitUnknown, ExitPass}
	for i, a := range order {
		for _, b := range order[i:] {
			if worse(a, b) != a || worse(b, a) != a {
				t.Errorf("of %d and %d: %d and %d, want %d", a, b, worse(a, b), worse(b, a), a)
			}
		}
	}
}

// TestSoaksRunWhenNamed: a soak runs when somebody names it, and not else.
func TestSoaksRunWhenNamed(t *testing.T) {
	a := &app{catalogue: []harness.Scenario{{Name: "first"}, {Name: "long", Soak: true}, {Name: "last"}}}
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

func TestStatusCodes(t *testing.T) {
	for s, want := range map[check.Status]int{check.Pass: 0, check.Fail: 1, check.Unknown: 3} {
		if got := statusCode(s); got != want {
			t.Errorf("%s: %d, want %d", s, got, want)
		}
	}
}
