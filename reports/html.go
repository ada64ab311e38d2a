package reports

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
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

func newLook() (look, error) {
	css, err := templates.ReadFile("templates/style.css")
	if err != nil {
		return look{}, err
	}
	charts, err := templates.ReadFile("templates/charts.js")
	if err != nil {
		return look{}, err
	}
	lib, err := plotAsset("uPlot.min.js")
	if err != nil {
		return look{}, err
	}
	libCSS, err := plotAsset("uPlot.min.css")
	if err != nil {
		return look{}, err
	}
	return look{CSS: template.CSS(css), ChartCSS: template.CSS(libCSS), ChartLib: template.JS(lib), Charts: template.JS(charts)}, nil
}

// plotAsset reads the chart library (uPlot, MIT licence, named in its first line) that vegeta's plots embed.
func plotAsset(name string) ([]byte, error) {
	f, err := plot.Assets.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open chart library %s: %w", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read chart library %s: %w", name, err)
	}
	return b, nil
}
