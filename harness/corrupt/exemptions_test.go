package corrupt_test

import (
	"encoding/json"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/corrupt"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TestExemptionsExist: an exemption that names no field any more exempts nothing, and hides that it was one.
func TestExemptionsExist(t *testing.T) {
	fields := map[string]map[string]json.RawMessage{}
	for _, k := range []interface {
		Name() string
		Fields() map[string]json.RawMessage
	}{evidence.Requests, evidence.Samples, evidence.Exits, evidence.Injections, evidence.Observations, evidence.Windows, evidence.Nodes, evidence.Clocks, evidence.Accounts, evidence.CPUUses} {
		fields[k.Name()] = k.Fields()
	}
	for _, e := range corrupt.Exemptions() {
		for _, what := range e.What {
			_, known := fields[e.Kind][what]
			if !known && what != corrupt.Deleted && what != corrupt.Doubled {
				t.Errorf("%s have no field %s", e.Kind, what)
			}
		}
		if len(e.What) == 0 || e.Why == "" {
			t.Errorf("%+v", e)
		}
	}
}
