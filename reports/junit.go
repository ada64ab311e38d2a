package reports

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"` // seconds
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitDetail `xml:"failure"`
	Error   *junitDetail `xml:"error"`
	Skipped *junitDetail `xml:"skipped"`
}

type junitDetail struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func junit(r Results) ([]byte, error) {
	suite := junitSuite{Name: r.Run, Tests: len(r.Scenarios), Failures: r.Count(Fail), Errors: r.Count(Unknown),
		Skipped: r.Count(Skipped), Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{{"seed", strconv.FormatUint(r.Seed, 10)}, {"driver", r.Driver}}}
	total := 0.0
	for _, s := range r.Scenarios {
		total += s.Seconds
		suite.Cases = append(suite.Cases, junitCaseOf(s, r.Seed))
	}
	suite.Time = junitSeconds(total)
	b, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}

func junitCaseOf(s Scenario, seed uint64) junitCase {
	c := junitCase{Class: "scenarios", Name: s.Name, Time: junitSeconds(s.Seconds)}
	detail := &junitDetail{Message: s.Reason}
	switch s.Status {
	case Pass:
	case Fail:
		detail.Type, detail.Text, c.Failure = "claim failed", junitText(s, seed), detail
	case Skipped:
		c.Skipped = detail
	default:
		detail.Type, detail.Text, c.Error = "inconclusive", junitText(s, seed), detail
	}
	return c
}

// junitText is what a reader of a CI page needs without opening the report.
func junitText(s Scenario, seed uint64) string {
	var b strings.Builder
	b.WriteString("\n")
	if s.Claim != "" {
		fmt.Fprintf(&b, "claim: %s\n", s.Claim)
	}
	for _, c := range s.Checks {
		if c.Status != check.Pass {
			fmt.Fprintf(&b, "%s %s %s: %s\n", c.Kind, c.Name, c.Status, c.Reason)
		}
	}
	for _, f := range s.Faults {
		if !f.Confirmed {
			fmt.Fprintf(&b, "fault %s on %s: not confirmed\n", f.Name, f.Target)
		}
	}
	fmt.Fprintf(&b, "again: %s\n", reproduce(s.Name, seed))
	return b.String()
}

func junitSeconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }

// reproduce is the command that repeats the plan (a seed repeats the plan, not the timing).
func reproduce(name string, seed uint64) string {
	return fmt.Sprintf("make chaos S=%s SEED=%d", name, seed)
}
