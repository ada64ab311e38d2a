package reports

import (
	"slices"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// TestHeadlines: the first verdict that gives a title has it, and what it names but does not report is shown as not known.
func TestHeadlines(t *testing.T) {
	got := headlines(check.Judgement{
		Checks: []check.Verdict{
			{Check: "A", Status: check.Fail, Figures: map[string]float64{"x_ms": 20, "n": 3}, Headlines: []check.Headline{{Title: "late", Figure: "x_ms"}, {Title: "n", Figure: "n"}}},
			{Check: "B", Status: check.Pass, Figures: map[string]float64{"n": 4}, Headlines: []check.Headline{{Title: "n", Figure: "n"}, {Title: "gone", Figure: "gone"}}},
			{Check: "C", Status: check.Fail, Figures: map[string]float64{"dropped": 1}}},
		Sometimes: []check.Verdict{{Check: "D", Figures: map[string]float64{"d_usd": 2}, Headlines: []check.Headline{{Title: "d", Figure: "d_usd"}}}}})
	want := []headline{{"late", "20.0 ms", "A", true}, {"n", "3", "A", true}, {"gone", none, "B", false}, {"d", "$2.00", "D", false}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestColumns: an overview has the titles of all its scenarios, in the order of their first appearance.
func TestColumns(t *testing.T) {
	a, b := []headline{{Title: "dropped", Text: "0"}, {Title: "jobs", Text: "5"}}, []headline{{Title: "dropped", Text: "1"}, {Title: "late", Text: "2"}}
	all := titles([]*scenario{{headlines: a}, {}, {headlines: b}})
	if !slices.Equal(all, []string{"dropped", "jobs", "late"}) {
		t.Fatalf("%q", all)
	}
	var texts []string
	for _, h := range columns(all, b) {
		texts = append(texts, h.Text)
	}
	if !slices.Equal(texts, []string{"1", none, "2"}) {
		t.Errorf("%q", texts)
	}
}
