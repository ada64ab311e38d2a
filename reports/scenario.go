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

// scenario is what the overviews of a run say of one scenario's folder.
type scenario struct {
	folder    string
	result    Scenario
	latency   quantiles
	headlines []headline
	versions  map[string]string
	measured  bool // false when the evidence does not read
}

// renderScenario writes the page of one scenario. It never fails for what it finds: evidence that does not read is a result
// too, an inconclusive one.
func renderScenario(dir string, opt Options) (*scenario, error) {
	folder := filepath.Base(dir)
	s, p, err := measure(dir, opt)
	if err != nil {
		s = &scenario{result: emptyScenario(folder, "", Unknown, "the evidence does not read: "+within(dir, err))}
		p = newPage(s.result)
	}
	s.folder = folder
	return s, p.write(dir)
}

func emptyScenario(name, claim string, status Status, reason string) Scenario {
	return Scenario{Name: name, Claim: claim, Status: status, Reason: reason, Checks: []Check{}, Faults: []Fault{}, Recoveries: []Recovery{}}
}

// measure reads the evidence of one scenario and makes its page.
func measure(dir string, opt Options) (*scenario, page, error) {
	run, err := evidence.Open(dir)
	if err != nil {
		return nil, page{}, err
	}
	plan, j, lag := run.Plan, readJudgement(dir, run), lags(run)
	s := &scenario{latency: latencies(run), headlines: headlines(j), versions: plan.Versions, measured: true,
		result: Scenario{Name: plan.Scenario, Claim: plan.Claim, Status: Status(j.Status.String()), Reason: j.Reason,
			Seconds: secondsOf(run), Requests: count(run), Lag: lagOf(lag), Checks: verdicts(j), Faults: faults(plan.Epoch, j.Faults),
			Recoveries: recoveries(run, j)}}
	p := newPage(s.result)
	p.Cards = cards(s.latency, s.headlines, lag)
	p.fill(run, j, s.result, opt)
	return s, p, run.Err() // what is damaged is found where it is read
}

func readJudgement(dir string, run *evidence.Run) check.Judgement {
	var j check.Judgement
	err := evidence.ReadJSON(filepath.Join(dir, evidence.VerdictsFile), &j)
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
	return strings.NewReplacer(dir+string(filepath.Separator), "", dir+": ", "").Replace(err.Error())
}

// unjudged shows the faults as their injectors ordered them, since nobody confirmed them.
func unjudged(run *evidence.Run, reason string) check.Judgement {
	j := check.Judgement{Status: check.Unknown, Reason: reason}
	for _, in := range evidence.Injections.Each(run) {
		j.Faults = append(j.Faults, check.Fault{Name: in.Fault, Kind: in.Kind, Target: in.Target, Ordered: in.Ordered,
			Healing: in.Healing, Missing: "never judged"})
	}
	return j
}
