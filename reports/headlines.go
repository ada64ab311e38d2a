package reports

import (
	"slices"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// headline is a figure that a verdict wants repeated, as text.
type headline struct {
	Title, Text string
	Check       string // that found it
	Bad         bool   // the check failed
}

// headlines are those of a run, the first of each title.
func headlines(j check.Judgement) (all []headline) {
	for _, v := range slices.Concat(j.Checks, j.Assumptions, j.Sometimes) {
		for _, h := range v.Headlines {
			if _, known := titled(all, h.Title); !known {
				all = append(all, headline{h.Title, figureText(v.Figures, h.Figure), v.Check, v.Status == check.Fail})
			}
		}
	}
	return all
}

func titled(all []headline, title string) (headline, bool) {
	for _, h := range all {
		if h.Title == title {
			return h, true
		}
	}
	return headline{Title: title, Text: none}, false
}

func figureText(figures map[string]float64, name string) string {
	v, ok := figures[name]
	if !ok {
		return none
	}
	return readable(name, v).Text
}

// titles are those of all headlines of a run of scenarios, in the order of their first appearance.
func titles(measured []*scenario) (all []string) {
	for _, m := range measured {
		for _, h := range m.headlines {
			if !slices.Contains(all, h.Title) {
				all = append(all, h.Title)
			}
		}
	}
	return all
}

// columns puts headlines under the titles.
func columns(titles []string, all []headline) []headline {
	row := make([]headline, len(titles))
	for i, title := range titles {
		row[i], _ = titled(all, title)
	}
	return row
}

// headlineCard repeats the headlines of one scenario; ok is false where it has none.
func headlineCard(all []headline) (c card, ok bool) {
	var by []string
	for _, h := range all {
		c.Values = append(c.Values, value{h.Title, h.Text})
		if !slices.Contains(by, h.Check) {
			by = append(by, h.Check)
		}
	}
	c.Title, c.Note = "Key figures", "as found by "+strings.Join(by, ", ")
	return c, len(all) > 0
}
