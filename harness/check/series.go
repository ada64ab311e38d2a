package check

import (
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// SeriesBounded: no page of metrics of a node of the service ever had more than that many series, as a metric counts them. What makes a
// series of whatever clients send, such as a path, fills the memory of the service and the disk of whoever keeps its metrics. Unknown if
// nobody counted the series of a node.
func SeriesBounded(metric string, most int) Check {
	return New("SeriesBounded", func(r *Run) (Verdict, error) {
		subjects, err := r.NeedSubjects()
		if err != nil {
			return Verdict{}, err
		}
		largest := map[string]float64{}
		for _, s := range evidence.Samples.Each(r.Run) {
			largest[s.Node] = max(largest[s.Node], s.Values[metric])
		}
		var uncounted error
		worst := subjects[0].Name
		for _, n := range subjects {
			if largest[n.Name] > largest[worst] {
				worst = n.Name
			}
			if largest[n.Name] == 0 {
				uncounted = fmt.Errorf("nobody counted the series of %s", n.Name)
			}
		}
		figures := map[string]float64{"series": largest[worst], "most": float64(most)}
		switch {
		case largest[worst] > float64(most):
			return Failf(figures, nil, "%s had %.0f series of metrics, and %d are allowed", worst, largest[worst], most), nil
		case uncounted != nil:
			return Verdict{Figures: figures}, uncounted
		}
		return Passf(figures, "no node had more than %.0f series of metrics", largest[worst]), nil
	}).Timeless()
}
