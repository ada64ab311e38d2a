package check_test

import (
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// judgeAll judges every case, and holds a table to its purpose: each check in it passes, fails and is Unknown somewhere.
func judgeAll(t *testing.T, cases []verdictCase) {
	t.Helper()
	reached := map[string]map[check.Status]bool{}
	for _, c := range cases {
		if reached[c.check.Name] == nil {
			reached[c.check.Name] = map[check.Status]bool{}
		}
		reached[c.check.Name][c.want] = true
		t.Run(c.check.Name+"/"+c.name, func(t *testing.T) {
			h := scripted(c.fault)
			c.alter(h)
			v := c.check.Judge(h.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) || v.Reason == "" {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
		})
	}
	for name, statuses := range reached {
		if len(statuses) != 3 {
			t.Errorf("%s: the table reaches %v only", name, statuses)
		}
	}
}
