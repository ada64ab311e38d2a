package corrupt

import (
	"encoding/json"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Exemption names corruptions that no check need notice.
type Exemption struct {
	Kind string   // of the records
	What []string // what is done to them: Deleted, Doubled, or fields that are altered
	Why  string   // the reason, for people
	// If limits it to some of the records, given as they are written; nil exempts all. When makes one from records that are decoded.
	If func(run *evidence.Run, record []byte) bool
}

// When limits an exemption to the records of which is says so. T is the type of the kind's records.
func When[T any](is func(*evidence.Run, T) bool) func(*evidence.Run, []byte) bool {
	return func(run *evidence.Run, record []byte) bool {
		var v T
		return json.Unmarshal(record, &v) == nil && is(run, v)
	}
}

// Exemptions are those of the kinds that every run has. Systems have further ones for their own.
func Exemptions() []Exemption {
	const (
		people  = "for people; no check reads it"
		look    = "one scrape among hundreds; what checks need of the last ones has tests of its own"
		opinion = "an observer says the same again and again; tests of the confirmations have what matters"
		clocks  = "one comparison among many; a clock that is off is noticed"
		bounds  = "where a phase ends decides nothing as long as no record changes sides"
	)
	var (
		samples, observations, windows = evidence.Samples.Name(), evidence.Observations.Name(), evidence.Windows.Name()
		nodes, injections              = evidence.Nodes.Name(), evidence.Injections.Name()
	)
	return []Exemption{
		{evidence.Requests.Name(), []string{"stage"}, people, nil},
		{evidence.Requests.Name(), []string{"class"}, "only the load knows what it calls a request", nil},
		{evidence.Requests.Name(), []string{"credential"}, "no user has more than one", When(oneCredentialEach)},
		{samples, []string{"at_ns", "took_ns", "node", "boot", "values", "error", Deleted, Doubled}, look, nil},
		{injections, []string{"ordered_ns"}, "an order given earlier is as good, if the exit came after it", nil},
		{injections, []string{"ends", "silences"}, "an excuse for what did not happen", When(excusesNothing)},
		{injections, []string{Doubled}, "the same order again", nil},
		{observations, []string{"at_ns", "source", "node", "what", Deleted, Doubled}, opinion, nil},
		{observations, []string{"detail"}, people, nil},
		{evidence.Clocks.Name(), []string{"at_ns", "node", "error_ns", Deleted, Doubled}, clocks, nil},
		{evidence.Accounts.Name(), []string{"at_ns", "node", "resident_bytes", "descriptors", "sockets", Deleted, Doubled}, "one account among hundreds; what is off in many is noticed", nil},
		{evidence.CPUUses.Name(), []string{"at_ns", "took_ns", "cores", "busy_ns", "run_ns", Deleted, Doubled}, "one second among many; all of them together only turn fail into unknown", nil},
		{windows, []string{"from_ns", "to_ns"}, bounds, nil},
		{windows, []string{"name", Deleted}, "a phase that no check reads", When(decidesNothing)},
		{windows, []string{Doubled}, "the same bounds again", nil},
		{nodes, []string{"role", "addr"}, people, nil},
		{nodes, []string{"name", Deleted}, "a node that no record names", When(unnamed)},
		{nodes, []string{"store"}, "read where a node was cut off from all stores", When(notCutOff)},
		{nodes, []string{Doubled}, "the same node again, and no subject", When(supporting)},
	}
}

func oneCredentialEach(run *evidence.Run, _ evidence.Request) bool {
	return !slices.ContainsFunc(evidence.Requests.Of(run), func(q evidence.Request) bool { return q.Credential != "" })
}

// decidesNothing: the load and the collection must have been gone through.
func decidesNothing(_ *evidence.Run, w evidence.Window) bool {
	return w.Name != evidence.PhaseBaseline && w.Name != evidence.PhaseLoad && w.Name != evidence.PhaseCollect
}

// unnamed reports whether no record that checks read by its node is of this one.
func unnamed(run *evidence.Run, n evidence.Node) bool {
	return !slices.ContainsFunc(evidence.Samples.Of(run), func(s evidence.Sample) bool { return s.Node == n.Name }) &&
		!slices.ContainsFunc(evidence.Exits.Of(run), func(e evidence.Exit) bool { return e.Node == n.Name }) &&
		!slices.ContainsFunc(evidence.Injections.Of(run), func(in evidence.Injection) bool { return in.Target == n.Name })
}

func notCutOff(run *evidence.Run, _ evidence.Node) bool {
	return !slices.ContainsFunc(evidence.Injections.Of(run), func(in evidence.Injection) bool { return in.Kind == evidence.FaultPartition })
}

func excusesNothing(_ *evidence.Run, in evidence.Injection) bool { return !in.Ends && !in.Silences }

func supporting(_ *evidence.Run, n evidence.Node) bool { return !n.Subject }
