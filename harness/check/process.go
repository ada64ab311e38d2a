package check

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// deathSlack is how long after its heal was ordered, and its grace period, a target may still end by the fault.
const deathSlack = 5 * time.Second

// CleanExit: at every SIGTERM the node ended with code 0 within its grace period, by the engine's record. It fails if it
// ended otherwise or later, or still ran when it was killed in the end. Unknown if that cannot be told of one.
func CleanExit(node string) Check {
	return NewTimed("CleanExit", func(r *Run) (Verdict, error) {
		grace, err := r.NeedParam(evidence.ParamGrace)
		if err != nil {
			return Verdict{}, err
		}
		var slowest time.Duration
		signals := 0
		var doubt error
		for _, in := range evidence.Injections.Each(r.Run) {
			if in.Target != node || in.Kind != evidence.FaultTerm {
				continue
			}
			took, v, err := cleanExit(r, in, grace)
			if v.Status == Fail {
				return v, nil
			}
			signals++
			slowest, doubt = max(slowest, took), cmp.Or(doubt, err)
		}
		switch {
		case doubt != nil:
			return Verdict{}, doubt
		case signals == 0:
			return Verdict{}, fmt.Errorf("%s was never sent SIGTERM", node)
		}
		return Passf(exitFigures(slowest, 0, grace), "%s ended with code 0, %.0f ms after SIGTERM; its grace is %s", node, Milliseconds(slowest), grace), nil
	})
}

// cleanExit judges one SIGTERM.
func cleanExit(r *Run, in *evidence.Injection, grace time.Duration) (took time.Duration, v Verdict, err error) {
	if in.Error != "" {
		return 0, v, fmt.Errorf("SIGTERM may not have reached %s: %s", in.Target, in.Error)
	}
	exit, ended := r.ExitOf(in.Target, in.Ordered)
	switch {
	case !ended && in.Healing == 0:
		return 0, Failf(nil, nil, "%s never ended after SIGTERM", in.Target), nil
	case !ended:
		return 0, v, fmt.Errorf("%s was started again, yet nobody recorded its exit", in.Target)
	}
	took = exit.At - in.Ordered
	figures := exitFigures(took, exit.Code, grace)
	switch {
	case exit.Code == evidence.KilledCode:
		v = Failf(figures, nil, "%s did not end at SIGTERM: it was killed %.0f ms later; its grace is %s", in.Target, Milliseconds(took), grace)
	case exit.Code != 0:
		v = Failf(figures, nil, "%s ended with code %d at SIGTERM", in.Target, exit.Code)
	case took > grace:
		v = Failf(figures, nil, "%s took %.0f ms to end at SIGTERM; its grace is %s", in.Target, Milliseconds(took), grace)
	}
	return took, v, nil
}

func exitFigures(took time.Duration, code int, grace time.Duration) map[string]float64 {
	return map[string]float64{"exit_ms": Milliseconds(took), "grace_ms": Milliseconds(grace), "code": float64(code)}
}

// NoUnplannedDeath: no process ended but those that a fault was meant to end, once each, and a kill ends none but by signal 9.
// The death of a node of the service is its failure; that of any other node leaves the run without a verdict. Unknown, too, if
// nobody watched for ends of processes until the run was over.
func NoUnplannedDeath() Check { return NewTimed("NoUnplannedDeath", noUnplannedDeath).Timeless() }

func noUnplannedDeath(r *Run) (Verdict, error) {
	grace, _ := r.Param(evidence.ParamGrace)
	used := map[evidence.Injection]bool{}
	var ofService, ofOthers []*evidence.Exit
	for _, e := range evidence.Exits.Each(r.Run) {
		n, _ := r.Node(e.Node)
		switch {
		case planned(r.Run, e, grace, used):
		case n.Subject:
			ofService = append(ofService, e)
		default:
			ofOthers = append(ofOthers, e)
		}
	}
	figures := map[string]float64{"planned": float64(len(used)), "unplanned": float64(len(ofService) + len(ofOthers))}
	const reason = "%s ended with code %d, and no fault was meant to end it"
	switch {
	case len(ofService) > 0:
		return Failf(figures, nil, reason, ofService[0].Node, ofService[0].Code), nil
	case len(ofOthers) > 0:
		return Verdict{Figures: figures}, fmt.Errorf(reason, ofOthers[0].Node, ofOthers[0].Code)
	case !r.Collected(evidence.ProbeExits):
		return Verdict{Figures: figures}, errors.New("nobody watched for ends of processes until the run was over")
	}
	return Passf(figures, "no process ended but by a planned fault"), nil
}

// planned looks for a fault that was meant to end the node and has not been used to explain an end yet.
func planned(run *evidence.Run, e *evidence.Exit, grace time.Duration, used map[evidence.Injection]bool) bool {
	for _, in := range evidence.Injections.Each(run) {
		if in.Target == e.Node && in.MayEnd(e.Code) && !used[*in] && in.Felt(grace+deathSlack).Holds(e.At) {
			used[*in] = true
			return true
		}
	}
	return false
}

// NoPanics: no program whose log was read reported a panic, a fatal error of its runtime or a data race, recovered from or not.
// Unknown if the logs were not read.
func NoPanics() Check { return New("NoPanics", noPanics).Timeless() }

func noPanics(r *Run) (Verdict, error) {
	var found Findings
	for _, d := range evidence.LogDefects.Each(r.Run) {
		found.Add(d.What)
	}
	figures := map[string]float64{"panics": float64(found.Count(evidence.LogPanic)), "fatal_errors": float64(found.Count(evidence.LogFatal)),
		"data_races": float64(found.Count(evidence.LogRace))}
	switch {
	case found.N() > 0:
		first := evidence.LogDefects.Of(r.Run)[0]
		return Failf(figures, nil, "%s in the logs; the first, logs/%s.log line %d: %s", &found, first.Node, first.Line, shortened(first.Text)), nil
	case !r.Collected(evidence.ProbeLogs):
		return Verdict{Figures: figures}, errors.New("nobody read the logs for panics")
	}
	return Passf(figures, "no log reports a panic, a fatal error or a data race"), nil
}

// NoSecretsLeaked: no secret that the system under test named was found in its logs, in a response, in any record such as a metric,
// among the arguments of its processes, or in its stores, where a probe looks through these. Nor was anything found that must not be in
// some of these places: the address of a node in a response, or what clients ask or are told in a log. Unknown if no secret was named, or the logs
// were not read.
func NoSecretsLeaked() Check { return New("NoSecretsLeaked", noSecretsLeaked).Timeless() }

func noSecretsLeaked(r *Run) (Verdict, error) {
	var found Findings
	for _, l := range evidence.Leaks.Each(r.Run) {
		found.Add(fmt.Sprintf("%s in the %s (%s)", l.Secret, l.Place, l.Detail))
	}
	figures := map[string]float64{"leaks": float64(found.N())}
	switch {
	case found.N() > 0:
		return Failf(figures, nil, "secrets were found: %s", &found), nil
	case !r.Collected(evidence.ProbeSecrets):
		return Verdict{Figures: figures}, errors.New("nobody looked for secrets")
	}
	return Passf(figures, "no secret was found wherever it was looked for"), nil
}

// shortened keeps a reason on a line: the first lines of a report say what and where.
func shortened(report string) string {
	const most = 300
	line := strings.Join(strings.Fields(report), " ")
	if len(line) > most {
		return strings.ToValidUTF8(line[:most], "") + " ..."
	}
	return line
}
