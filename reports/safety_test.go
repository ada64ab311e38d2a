package reports

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// hostile breaks out of HTML text, attributes, script blocks, comments and Markdown tables where it is not escaped.
const hostile = "</script><script>alert(1)</script>\"'--><img src=x onerror=alert(1)>|`\n\x00# [a](javascript:alert(1)) {{.}}"

// hostileRun says something hostile in every place where text can come from outside.
func hostileRun(t *testing.T) string {
	dir := t.TempDir()
	writeSession(t, dir, evidence.Session{Run: hostile, Started: epoch(), Driver: hostile, NotRun: []evidence.NotRun{{Name: hostile, Claim: hostile, Reason: hostile}}})
	v := check.Verdict{Check: hostile, Status: check.Fail, Reason: hostile, Requests: []uint64{0, 1}, Figures: map[string]float64{hostile: 1, hostile + "_ms": 2},
		Headlines: []check.Headline{{Title: hostile, Figure: hostile}},
		Recovery:  &check.RecoveryTimes{Fault: hostile, Failover: new(1.0), Classes: map[string]float64{hostile: 1}}}
	j := check.Judgement{Checks: []check.Verdict{v}, Assumptions: []check.Verdict{v}, Sometimes: []check.Verdict{v},
		Faults: []check.Fault{{Name: hostile, Kind: hostile, Target: hostile + "!", Ordered: 1, Missing: hostile}}}.Conclude()
	d := handMade(hostile, &j)
	d.plan.Claim, d.plan.Driver = hostile, hostile
	d.plan.Versions = map[string]string{hostile: hostile}
	d.plan.Load = []evidence.Stage{{Name: hostile, Shape: hostile}}
	for i := range d.records.Requests {
		q := &d.records.Requests[i]
		q.Stage, q.Class, q.User, q.Reason, q.ID = hostile, hostile, hostile, hostile, hostile
	}
	d.records.Jobs[0].Worker = hostile
	d.records.Windows[1].Name = hostile
	d.records.Nodes[0] = evidence.Node{Name: hostile + "!", Role: hostile, Addr: hostile}
	d.logs = map[string]string{"javascript:alert(1)<img src=x onerror=alert(1)>": ""}
	d.write(t, filepath.Join(dir, "hostile<img src=x onerror=alert(1)>"))
	return dir
}

func TestHostileTextStaysText(t *testing.T) {
	dir := hostileRun(t)
	opt := sampleOptions()
	opt.Lanes[0].Title = hostile
	_, err := Render(dir, opt)
	must(t, err)
	for name, b := range rendered(t, dir) {
		for _, bad := range []string{"<script>alert", "<img", "href=\"javascript"} {
			if name != resultsFile && bytes.Contains(b, []byte(bad)) {
				t.Errorf("%s holds %s", name, bad)
			}
		}
	}
}

func TestHostileJUnitParses(t *testing.T) {
	dir := hostileRun(t)
	_, err := Render(dir, sampleOptions())
	must(t, err)
	b, err := os.ReadFile(filepath.Join(dir, junitFile))
	must(t, err)
	var suites junitSuites
	must(t, xml.Unmarshal(b, &suites))
	s := suites.Suites[0]
	if s.Tests != 2 || s.Failures != 1 || s.Skipped != 1 || !strings.Contains(s.Cases[0].Failure.Message, "<script>alert(1)</script>") {
		t.Errorf("junit lost something: %+v", s)
	}
}

func TestHostileSummaryKeepsItsTable(t *testing.T) {
	dir := hostileRun(t)
	_, err := Render(dir, sampleOptions())
	must(t, err)
	b, err := os.ReadFile(filepath.Join(dir, summaryFile))
	must(t, err)
	unescaped := regexp.MustCompile(`(^|[^\\])\|`)
	table := 0 // bars of the table's head
	for line := range strings.Lines(string(b)) {
		bars := len(unescaped.FindAllString(line, -1))
		switch {
		case !strings.HasPrefix(line, "|"):
			table = 0
		case table == 0:
			table = bars
		case table != bars && !strings.HasPrefix(line, "|-"): // a rule has nothing between its bars to be matched twice
			t.Errorf("a row of %d bars in a table of %d: %s", bars, table, line)
		}
	}
}

// TestPolicyCoversTheScripts: a page may run its own scripts, nothing else, and ask nobody for anything.
func TestPolicyCoversTheScripts(t *testing.T) {
	dir := goldenRun(t)
	_, err := Render(dir, sampleOptions())
	must(t, err)
	b, err := os.ReadFile(filepath.Join(dir, "fail", pageFile))
	must(t, err)
	l, err := newLook()
	must(t, err)
	scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllSubmatch(b, -1)
	if len(scripts) != 2 || string(scripts[0][1]) != string(l.ChartLib) || string(scripts[1][1]) != string(l.Charts) {
		t.Fatalf("%d scripts, or other ones than the policy was made from", len(scripts))
	}
	if outside := regexp.MustCompile(`(src|href)="(https?:)?//`).Find(b); outside != nil {
		t.Errorf("asks the network: %s", outside)
	}
	for _, must := range []string{"default-src &#39;none&#39;", "sha256-"} {
		if !bytes.Contains(b, []byte(must)) && !bytes.Contains(b, []byte(strings.ReplaceAll(must, "&#39;", "'"))) {
			t.Errorf("the policy lacks %s", must)
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	dir := goldenRun(t)
	_, err := Render(dir, sampleOptions())
	must(t, err)
	pages, err := filepath.Glob(filepath.Join(dir, "*", pageFile))
	must(t, err)
	for _, page := range append(pages, filepath.Join(dir, indexFile)) {
		b, err := os.ReadFile(page)
		must(t, err)
		for _, m := range regexp.MustCompile(`<a href="([^"]+)"`).FindAllSubmatch(b, -1) {
			if !exists(filepath.Join(filepath.Dir(page), string(m[1]))) {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}
