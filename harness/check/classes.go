package check

import (
	"fmt"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Classes tell requests apart whose latency differs by nature, or that may be refused in different ways. A service without
// classes has one, whose name is empty.
type Classes struct {
	Names []string
	Of    []uint8 // places in Names, by the places of requests in evidence.Requests
}

// Classifier tells the classes of a run's requests after the fact, for a system that knows more than the load did. The error says
// why it cannot.
type Classifier func(*evidence.Run) (Classes, error)

// Classes are those of the run's requests.
func (r *Run) Classes() (Classes, error) { return r.classes() }

// Name is the class of the request at that place.
func (c Classes) Name(place int) string { return c.Names[c.Of[place]] }

// Is reports whether the request at that place is of one of the classes; if none is named, it is.
func (c Classes) Is(place int, classes []string) bool {
	return len(classes) == 0 || slices.Contains(classes, c.Name(place))
}

// count is how many of the first n requests are of each class.
func (c Classes) count(n int) []int {
	counts := make([]int, len(c.Names))
	for _, class := range c.Of[:n] {
		counts[class]++
	}
	return counts
}

// know is nil if all of these are classes of the run.
func (c Classes) know(names []string) error {
	for _, name := range names {
		if !slices.Contains(c.Names, name) {
			return fmt.Errorf("no request is of a class %q, but of %q", name, c.Names)
		}
	}
	return nil
}

// mostClasses bounds the classes of a run: whoever has more has taken something else for a class, such as a key.
const mostClasses = 16

// byLoad goes by what the load called its requests.
func byLoad(run *evidence.Run) (c Classes, err error) {
	all := evidence.Requests.Of(run)
	c.Of = make([]uint8, len(all))
	for i := range all {
		place := slices.Index(c.Names, all[i].Class)
		if place < 0 {
			place = len(c.Names)
			c.Names = append(c.Names, all[i].Class)
		}
		if place == mostClasses {
			return Classes{}, fmt.Errorf("the load has more than %d classes of requests", mostClasses)
		}
		c.Of[i] = uint8(place)
	}
	return c, nil
}

// withClass writes the name of a class behind what is of it: "request" where a service has no classes.
func withClass(what, class string) string {
	if class == "" {
		return what
	}
	return fmt.Sprintf("%s (%s)", what, class)
}

// figureOf is the name of a figure of one class: what, the class where there is one, and the unit.
func figureOf(what, class, unit string) string {
	if class == "" {
		return what + "_" + unit
	}
	return what + "_" + class + "_" + unit
}
