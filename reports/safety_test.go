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
	must(t, WriteRun(dir, Run{Run: hostile, Started: epoch(), Driver: hostile, NotRun: []NotRun{{hostile, hostile, hostile}}}))
	v := check.Verdict{Check: hostile, Status: check.Fail, Reason: hostile, Calls: []uint64{0, 1}, Figures: map[string]float64{hostile: 1, hostile + "_ms": 2}}
	j := check.Judgement{Checks: []check.Verdict{v}, Assumptions: []check.Verdict{v}, Sometimes: []check.Verdict{v},
		Faults: []check.Certified{{Fault: hostile, Target: hostile, Ordered: 1, Missing: hostile}}}.Conclude()
	d := handMade(hostile, &j)
	d.plan.Claim, d.plan.Driver = hostile, hostile
	d.plan.Versions = map[string]string{hostile: hostile}
	d.plan.Load = []evidence.Stage{{Name: hostile, Shape: hostile}}
	for i := range d.records.Calls {
		c := &d.records.Calls[i]
		c.Stage, c.Tenant, c.Reason, c.Answer.Source = hostile, hostile, hostile, hostile
	}
	d.records.Hops[1].Server, d.records.Hops[1].Termination = hostile, hostile
	d.records.Upstream[0].Caller, d.records.Rows[0].Replica = hostile, hostile
	d.records.Windows[1].Name = hostile
	d.records.Nodes[0] = evidence.Node{Name: hostile, Role: hostile, Addr: hostile, Version: hostile}
	d.logs = map[string]string{"javascript:alert(1)<img src=x onerror=alert(1)>": ""}
	d.write(t, filepath.Join(dir, "hostile<img src=x onerror=alert(1)>"))
	return dir
}

func TestHostileTextStaysText(t *testing.T) {
	dir := hostileRun(t)
	_, err := Render(dir)
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
	_, err := Render(dir)
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
	_, err := Render(dir)
	must(t, err)
	b, err := os.ReadFile(filepath.Join(dir, summaryFile))
	must(t, err)
	unescaped := regexp.MustCompile(`(^|[^\\])\|`)
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "| ") && len(unescaped.FindAllString(line, -1)) != 10 {
			t.Errorf("a row with other than nine cells: %s", line)
		}
	}
}

// TestPolicyCoversTheScripts: a page may run its own scripts, nothing else, and ask nobody for anything.
func TestPolicyCoversTheScripts(t *testing.T) {
	dir := goldenRun(t)
	_, err := Render(dir)
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
	_, err := Render(dir)
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
