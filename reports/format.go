package reports

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	none = "–" // shown where nothing is known
	// beyond this a number is written with an exponent: nobody counts so many digits
	hugeNumber = 1e15
)

// value is a figure as people read it.
type value struct{ Label, Text string }

// unit is a suffix of a figure's name and how its value is written.
type unit struct {
	suffix string
	text   func(float64) string
}

func units() []unit {
	return []unit{
		{"_usd", money},
		{"_ms", milliseconds},
		{"_per_s", func(v float64) string { return number(v) + "/s" }},
	}
}

// readable takes the unit from the figure's name.
func readable(name string, v float64) value {
	for _, u := range units() {
		if label, ok := strings.CutSuffix(name, u.suffix); ok && label != "" {
			return value{words(label), u.text(v)}
		}
	}
	return value{words(name), number(v)}
}

func readableAll(figures map[string]float64) []value {
	var all []value
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		all = append(all, readable(name, figures[name]))
	}
	return all
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// number writes v with a thousands separator and at most three decimals.
func number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return none
	case math.Abs(v) >= hugeNumber:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case v != 0 && math.Abs(v) < 0.001:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	text := strconv.FormatFloat(v, 'f', 3, 64)
	return grouped(strings.TrimRight(strings.TrimRight(text, "0"), "."))
}

func integer(n uint64) string { return grouped(strconv.FormatUint(n, 10)) }

// grouped puts commas between the thousands of a plain decimal number.
func grouped(text string) string {
	whole, fraction, found := strings.Cut(text, ".")
	sign := ""
	if rest, ok := strings.CutPrefix(whole, "-"); ok {
		sign, whole = "-", rest
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if found {
		whole += "." + fraction
	}
	return sign + whole
}

// money writes dollars: cents from one dollar up, below that as many digits as it takes to see two.
func money(usd float64) string {
	abs := math.Abs(usd)
	sign := ""
	if usd < 0 {
		sign = "-"
	}
	switch {
	case math.IsNaN(usd) || math.IsInf(usd, 0):
		return none
	case abs >= hugeNumber:
		return sign + "$" + strconv.FormatFloat(abs, 'g', 4, 64)
	case abs >= 1 || abs == 0:
		return sign + "$" + grouped(strconv.FormatFloat(abs, 'f', 2, 64))
	case abs >= 0.01:
		return sign + "$" + strconv.FormatFloat(abs, 'f', 4, 64)
	}
	digits := min(9, 1-int(math.Floor(math.Log10(abs)))) // nine: a nano-dollar, the unit that prices are kept in
	return sign + "$" + strconv.FormatFloat(abs, 'f', digits, 64)
}

// milliseconds writes a duration in the unit in which it is short.
func milliseconds(v float64) string {
	abs := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return none
	case v == 0:
		return "0 ms"
	case abs < 0.01:
		return number(math.Round(v*1e6)/1e3) + " µs"
	case abs < 10:
		return strconv.FormatFloat(v, 'f', 2, 64) + " ms"
	case abs < 100:
		return strconv.FormatFloat(v, 'f', 1, 64) + " ms"
	case abs < 999.5:
		return strconv.FormatFloat(v, 'f', 0, 64) + " ms"
	}
	return secondsText(v / 1000)
}

func secondsText(s float64) string {
	const minute = 60
	if math.Abs(s) < 2*minute {
		return strconv.FormatFloat(s, 'f', 2, 64) + " s"
	}
	return number(math.Round(s/minute*10)/10) + " min"
}

func duration(d time.Duration) string { return milliseconds(float64(d) / float64(time.Millisecond)) }

func percent(share float64) string { return number(math.Round(share*1e5)/1e3) + " %" }

func bytesText(v float64) string {
	const step = 1024
	names := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; math.Abs(v) >= step && i < len(names)-1; i++ {
		v /= step
	}
	return number(math.Round(v*10)/10) + " " + names[i]
}

// moment writes a time as a reader of reports needs it, the same on every machine.
func moment(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
