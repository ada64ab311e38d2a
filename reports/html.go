package reports

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"

	"github.com/tsenart/vegeta/v12/lib/plot"
)

//go:embed templates
var templates embed.FS

// look is what every page carries inline: a page is one file that needs no network.
type look struct {
	CSS      template.CSS
	ChartCSS template.CSS
	ChartLib template.JS
	Charts   template.JS
}

// Policy lets the browser run only the scripts that this package ships, and load nothing from anywhere: a report stays
// harmless even if a record that it shows holds markup.
func (l look) Policy() string {
	return "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; script-src " +
		scriptHash(l.ChartLib) + " " + scriptHash(l.Charts)
}

func scriptHash(js template.JS) string {
	sum := sha256.Sum256([]byte(js))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func scenarioHTML(p page) ([]byte, error) {
	l, err := newLook()
	if err != nil {
		return nil, err
	}
	return execute("scenario.html", struct {
		look
		page
	}{l, p})
}

func index(r Results, o overview) ([]byte, error) {
	l, err := newLook()
	if err != nil {
		return nil, err
	}
	return execute("index.html", struct {
		look
		Results
		Overall   badge
		Tally     string
		Facts     []value
		Overview  overview
		Recovered recoveryTable
		Outages   []outageRow
	}{l, r, badgeOf(r.Status()), tally(r), runFacts(r), o, allRecoveries(r), outageRows(r.Scenarios)})
}

func mutantsIndex(p mutantsPage) ([]byte, error) {
	l, err := newLook()
	if err != nil {
		return nil, err
	}
	return execute("mutants.html", struct {
		look
		mutantsPage
	}{l, p})
}

func execute(name string, data any) ([]byte, error) {
	t, err := template.ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the templates: %w", err)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// newLook reads what this package embeds, and the chart library (uPlot, MIT licence, named in its first line) that vegeta's plots
// embed.
func newLook() (look, error) {
	var errs []error
	read := func(f io.ReadCloser, err error) string {
		if err != nil {
			errs = append(errs, err)
			return ""
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		errs = append(errs, err)
		return string(b)
	}
	l := look{
		CSS:      template.CSS(read(templates.Open("templates/style.css"))),
		Charts:   template.JS(read(templates.Open("templates/charts.js"))),
		ChartCSS: template.CSS(read(plot.Assets.Open("uPlot.min.css"))),
		ChartLib: template.JS(read(plot.Assets.Open("uPlot.min.js"))),
	}
	return l, errors.Join(errs...)
}
