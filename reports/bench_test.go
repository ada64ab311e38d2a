package reports

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// BenchmarkRender renders the page of one scenario of 100,000 requests, from disk to disk.
func BenchmarkRender(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "large")
	d := large(100_000)
	d.write(b, dir)
	for b.Loop() {
		must(b, RenderScenario(dir, sampleOptions()))
	}
}

func large(requests int) draft {
	tr := newTraffic()
	for k := range requests {
		tr.ask("steady", fmt.Sprintf("a-key-%d", k%500), sampleLoadAt+time.Duration(k)*time.Millisecond, k < 500)
	}
	tr.Windows, tr.Nodes = sampleWindows(time.Duration(requests)*time.Millisecond), sampleNodes()
	j := check.Judgement{Checks: []check.Verdict{samplePass("NothingDropped", "all were answered", nil)}}.Conclude()
	return draft{plan: samplePlan("large", "A large run stays readable."), records: tr.records, judgement: &j}
}
