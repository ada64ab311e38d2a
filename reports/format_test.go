package reports

import (
	"math"
	"testing"
	"time"
)

func TestReadable(t *testing.T) {
	for _, c := range []struct {
		name  string
		v     float64
		label string
		text  string
	}{
		{"jobs_avoided", 1090, "jobs avoided", "1,090"},
		{"keys", 0, "keys", "0"},
		{"requests", 123456789, "requests", "123,456,789"},
		{"requests", 1e18, "requests", "1e+18"},
		{"delta", -1234.5, "delta", "-1,234.5"},
		{"tiny", 0.00001234, "tiny", "1.2e-05"},
		{"broken", math.NaN(), "broken", none},
		{"broken_ms", math.Inf(1), "broken", none},
		{"broken_usd", math.Inf(-1), "broken", none},
		{"settled_ms", 0, "settled", "0 ms"},
		{"settled_ms", 0.0042, "settled", "4.2 µs"},
		{"settled_ms", 0.56, "settled", "0.56 ms"},
		{"settled_ms", 25, "settled", "25.0 ms"},
		{"settled_ms", 212.4, "settled", "212 ms"},
		{"settled_ms", 999.7, "settled", "1.00 s"},
		{"settled_ms", 10000, "settled", "10.00 s"},
		{"settled_ms", 180000, "settled", "3 min"},
		{"late_ms", -3.5, "late", "-3.50 ms"},
		{"load_per_s", 200, "load", "200/s"},
		{"saved_usd", 12.2006, "saved", "$12.20"},
		{"saved_usd", 1234567.891, "saved", "$1,234,567.89"},
		{"saved_usd", 0.0144, "saved", "$0.0144"},
		{"saved_usd", 0.000184, "saved", "$0.00018"},
		{"saved_usd", 0, "saved", "$0.00"},
		{"saved_usd", 1e-9, "saved", "$0.000000001"},
		{"settled_ms", 90000, "settled", "90.00 s"},
		{"saved_usd", 2e16, "saved", "$2e+16"},
		{"unbooked_usd", -0.5, "unbooked", "-$0.5000"},
		{"_ms", 3, " ms", "3"},
	} {
		t.Run(c.name+c.text, func(t *testing.T) {
			if got := readable(c.name, c.v); got != (value{c.label, c.text}) {
				t.Errorf("%q %q, want %q %q", got.Label, got.Text, c.label, c.text)
			}
		})
	}
}

func TestBytes(t *testing.T) {
	if got := bytesText(5 << 20); got != "5 MiB" {
		t.Errorf("%q", got)
	}
}

func TestMoment(t *testing.T) {
	if got := moment(time.Time{}); got != none {
		t.Errorf("no time is shown as %q", got)
	}
	east := time.FixedZone("east", 2*60*60)
	if got := moment(time.Date(2026, 3, 14, 1, 2, 3, 0, east)); got != "2026-03-13 23:02:03 UTC" {
		t.Errorf("%q depends on the zone of the machine", got)
	}
}
