package scenarios

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// TestBoundsAreDerived: the table "Bounds" of ARCHITECTURE has each bound that scenarios claim, with the figure of now.
func TestBoundsAreDerived(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z.]+)` \\| ([0-9.]+ (?:m?s|calls)) \\|").FindAllStringSubmatch(string(text), -1) {
		table[row[1]] = row[2]
	}
	bounds := map[string]string{"probesInARound": strconv.Itoa(probesInARound) + " calls"}
	for name, bound := range map[string]time.Duration{
		"addedByRedis": addedByRedis, "addedBySlowRedis": addedBySlowRedis, "addedByFullDisk": addedByFullDisk,
		"addedByPostgres": addedByPostgres, "addedByDeath": addedByDeath, "addedByLLM": addedByLLM,
		"recovery": recovery, "breakerRecovery": breakerRecovery, "clientsFollow": clientsFollow,
		"gateway.RevokedWithin": gateway.RevokedWithin, "check.ZeroWithin": check.ZeroWithin,
	} {
		bounds[name] = inWords(bound)
	}
	for name, want := range bounds {
		if table[name] != want {
			t.Errorf("%s is %s, and the table has %q", name, want, table[name])
		}
		delete(table, name)
	}
	for name := range table {
		t.Errorf("the table has %s, which is no bound", name)
	}
}

// inWords is a bound as the table writes it.
func inWords(d time.Duration) string {
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}
