package reports

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	neverJudged = "never judged: there is no verdicts.json"
	judgedWhole = "the evidence is incomplete, and was judged when there was more of it"
)

// Names of figures that checks report and that the overview repeats.
const (
	figureDropped = "dropped"
	figureAvoided = "calls_avoided"
	figureSaved   = "saved_usd"
	figureBilled  = "billed_usd"
)

// scenario is one scenario's folder, read back and measured.
type scenario struct {
	folder    string
	run       *evidence.Run
	judgement check.Judgement
	result    Scenario
	latency   quantiles
	lag       quantiles
	upstream  int // calls in the LLM's own ledger, from the start of the load
	versions  map[string]string
	measured  bool // false when the evidence does not read
}

// readScenario never fails for what it finds: evidence that does not read is a result too, an inconclusive one.
func readScenario(dir string) *scenario {
	s := &scenario{folder: filepath.Base(dir)}
	run, err := evidence.Open(dir)
	if err != nil {
		s.result = Scenario{Name: s.folder, Status: Unknown, Reason: "the evidence does not read: " + within(dir, err),
			Checks: []Check{}, Faults: []Fault{}, Recoveries: []Recovery{}}
		return s
	}
	s.run = run
	s.judgement = readJudgement(dir, run)
	s.measure()
	return s
}

func (s *scenario) measure() {
	p, j := s.run.Plan, s.judgement
	s.latency, s.lag = latencies(s.run.Calls()), lags(s.run.Calls())
	s.upstream = loadCalls(s.run)
	s.versions, s.measured = p.Versions, true
	s.result = Scenario{Name: p.Scenario, Claim: p.Claim, Status: Status(j.Status.String()), Reason: j.Reason,
		Seconds: secondsOf(s.run), Requests: count(s.run.Calls()), Lag: lagOf(s.lag),
		Checks: verdicts(j), Faults: faults(p.Epoch, j.Faults), Recoveries: recoveries(s.run, j)}
}

func readJudgement(dir string, run *evidence.Run) check.Judgement {
	var j check.Judgement
	err := readJSON(filepath.Join(dir, verdictsFile), &j)
	switch {
	case err == nil && j.Status == check.Pass && !run.Complete:
		j.Status, j.Reason = check.Unknown, judgedWhole
		return j
	case err == nil:
		return j
	case errors.Is(err, fs.ErrNotExist):
		return unjudged(run, neverJudged)
	default:
		return unjudged(run, "the verdicts do not read: "+within(dir, err))
	}
}

// within leaves the folder out of what an error says: a report is the same wherever its run lies.
func within(dir string, err error) string {
	return strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
}

// unjudged shows the faults as their injectors ordered them, since nobody certified them.
func unjudged(run *evidence.Run, reason string) check.Judgement {
	j := check.Judgement{Status: check.Unknown, Reason: reason}
	for in := range run.Injections() {
		j.Faults = append(j.Faults, check.Certified{Fault: in.Fault, Target: in.Target, Ordered: in.Ordered,
			Healing: in.Healing, Missing: "never judged"})
	}
	return j
}
