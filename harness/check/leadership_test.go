package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// led is an observation of who leads in which term.
func led(at float64, node, term string) func(*history) {
	return func(h *history) {
		h.observations = append(h.observations, evidence.Observation{At: seconds(at), Source: "roles", Node: node, What: "leader", Detail: term})
	}
}

func saw(at float64, source, node, what string) func(*history) {
	return func(h *history) { h.saw(seconds(at), source, node, what) }
}

// leadershipCase is what was seen of leaders, and what a check must make of it.
type leadershipCase struct {
	name   string
	check  check.Check
	signs  []func(*history)
	want   check.Status
	reason string
}

// leadershipCases: a pause of keeper-1, without which nobody may lead, is ordered at 10 s and its heal at 20 s, and is active
// from 10.2 s to 20.2 s; the run ends at 40 s.
func leadershipCases() []leadershipCase {
	down, up := saw(10.2, "alive", "store-1", evidence.SawDown), saw(20.2, "alive", "store-1", evidence.SawUp)
	blinks := both(down, saw(10.6, "alive", "store-1", evidence.SawUp)) // one answer took too long
	lost := func(at float64, node string) func(*history) {
		return saw(at, evidence.SourceBlind("roles"), node, evidence.SawUnknown)
	}
	stepped := func(at float64) func(*history) { return saw(at, "roles", "store-1", "replica") }
	first, second := led(1, "store-1", "term 1"), led(15, "store-2", "term 2")
	brain := check.NoSplitBrain("roles", "leader", 5*time.Second)
	steps := check.StepsDown("pause keeper-1", "roles", "leader", 5*time.Second)
	again := check.LeadsAgain("pause keeper-1", "roles", "leader", 5*time.Second)
	return []leadershipCase{
		{"one leader", brain, []func(*history){first}, check.Pass, "for 0 ms"},
		{"handed over", brain, []func(*history){first, stepped(11), second}, check.Pass, "for 0 ms"},
		{"paused, replaced, back and demoted", brain, []func(*history){first, down, second, up, led(20.2, "store-1", "term 1"), stepped(22.2)}, check.Pass, "for 2000 ms"},
		{"back and not demoted in time", brain, []func(*history){first, down, second, up, led(20.2, "store-1", "term 1"), stepped(25.3)}, check.Fail, "for 5100 ms"},
		{"back and never demoted", brain, []func(*history){first, down, second, up, led(20.2, "store-1", "term 1")}, check.Fail, "for 19800 ms"},
		{"two in one term", brain, []func(*history){first, stepped(11), second, led(15.1, "store-3", "term 2"), saw(15.2, "roles", "store-3", "replica")}, check.Fail, "store-2 and store-3 were both leader in term 2"},
		{"a dead leader leads nobody", brain, []func(*history){first, down, led(15, "store-2", "term 1")}, check.Pass, ""},
		{"called down for a moment beside a second leader", brain, []func(*history){first, blinks, second}, check.Fail, "for 25000 ms"},
		{"called down for a moment, and replaced in one term meanwhile", brain, []func(*history){first, down, led(10.4, "store-2", "term 1"), saw(10.6, "alive", "store-1", evidence.SawUp)},
			check.Fail, "store-2 and store-1 were both leader in term 1"},
		{"called down by one, up by another", brain, []func(*history){first, down, saw(10.6, "ready", "store-1", evidence.SawUp), second}, check.Pass, "for 0 ms"},
		{"a former leader that nobody sees", brain, []func(*history){first, lost(11, "store-1"), second}, check.Unknown, "roles lost sight of a node"},
		{"another node that nobody sees", brain, []func(*history){first, saw(1, "roles", "store-2", "replica"), lost(11, "store-2")}, check.Unknown, "roles lost sight of a node"},
		{"not seen for a moment", brain, []func(*history){first, lost(11, "store-1"), second, stepped(19)}, check.Pass, "for 0 ms"},
		{"not seen, and called down", brain, []func(*history){first, down, lost(10.3, "store-1"), second}, check.Pass, "for 0 ms"},
		{"not seen, and the same as before", brain, []func(*history){saw(1, "roles", "store-2", "replica"), first, lost(11, "store-2"), saw(21, "roles", "store-2", "replica")}, check.Pass, "for 0 ms"},
		{"not seen, and two in the end", brain, []func(*history){first, lost(11, "store-1"), second, led(20.2, "store-1", "term 3")}, check.Fail, "for 19800 ms"},
		{"nobody seen", brain, []func(*history){stepped(11)}, check.Unknown, "never saw a node that is leader"},

		{"steps down", steps, []func(*history){first, stepped(14.2)}, check.Pass, "4000 ms after"},
		{"its server is down", steps, []func(*history){first, saw(13, "alive", "store-1", evidence.SawDown)}, check.Pass, ""},
		{"does not, and was called down for a moment", steps, []func(*history){first, blinks}, check.Fail, "still leader 9800 ms after"},
		{"stepped down long before", steps, []func(*history){first, stepped(3)}, check.Unknown, "saw no node that was leader at"},
		{"nobody sees whether it does", steps, []func(*history){first, lost(11, "store-1")}, check.Unknown, "roles lost sight of a node"},
		{"nobody sees it, and it is down", steps, []func(*history){first, lost(11, "store-1"), saw(11.3, "alive", "store-1", evidence.SawDown)}, check.Pass, "800 ms after"},
		{"nobody sees it for a moment", steps, []func(*history){first, lost(11, "store-1"), stepped(14.2)}, check.Pass, "800 ms after"},
		{"does not, and is not seen for a moment", steps, []func(*history){first, lost(11, "store-1"), led(14.2, "store-1", "term 1")}, check.Fail, "still leader 9800 ms after"},
		{"steps down late", steps, []func(*history){first, stepped(15.3)}, check.Fail, "still leader 5100 ms after"},
		{"does not", steps, []func(*history){first}, check.Fail, "still leader 9800 ms after"},
		{"another takes its place", steps, []func(*history){first, stepped(12), second}, check.Fail, "still leader"},
		{"nobody led", steps, []func(*history){stepped(12)}, check.Unknown, "saw no node that was leader at"},
		{"not confirmed", steps, []func(*history){first, stepped(12), unconfirmed}, check.Unknown, "not confirmed"},
		{"too short", check.StepsDown("pause keeper-1", "roles", "leader", time.Minute), []func(*history){first, stepped(14.2)}, check.Unknown, "before anybody had to"},

		{"leads again", again, []func(*history){first, stepped(14.2), led(23.2, "store-1", "term 2")}, check.Pass, "3000 ms after"},
		{"led on", again, []func(*history){first}, check.Pass, "0 ms after"},
		{"led on, and was called down for a moment", again, []func(*history){first, blinks}, check.Pass, "0 ms after"},
		{"leads on, and its server is down", again, []func(*history){first, down}, check.Fail, "when the run ended"},
		{"led on, and nobody sees it in the end", again, []func(*history){first, lost(38, "store-1")}, check.Unknown, "roles lost sight of a node"},
		{"led on, and is not seen for a moment", again, []func(*history){first, lost(38, "store-1"), led(38.4, "store-1", "term 1")}, check.Pass, "0 ms after"},
		{"not seen, and leads in another term", again, []func(*history){first, lost(22, "store-1"), led(30, "store-1", "term 2")}, check.Unknown, "roles lost sight of a node"},
		{"lost sight of too late", again, []func(*history){first, stepped(14.2), lost(30, "store-1")}, check.Fail, "when the run ended"},
		{"leads again late", again, []func(*history){first, stepped(14.2), led(26.2, "store-1", "term 2")}, check.Fail, "only 6000 ms after"},
		{"leads again and stops", again, []func(*history){first, stepped(14.2), led(23.2, "store-1", "term 2"), stepped(24)}, check.Fail, "when the run ended"},
		{"never", again, []func(*history){first, stepped(14.2)}, check.Fail, "when the run ended"},
		{"nobody ever led", again, []func(*history){}, check.Unknown, "never saw"},
		{"the run ended too soon", check.LeadsAgain("pause keeper-1", "roles", "leader", time.Minute), []func(*history){first, stepped(14.2)}, check.Unknown, "too soon"},
		{"not confirmed", again, []func(*history){first, unconfirmed}, check.Unknown, "not confirmed"},
	}
}

func (c leadershipCase) run() *check.Run {
	h := &history{windows: []evidence.Window{{Name: evidence.PhaseQuiesce, From: seconds(35), To: seconds(40)}}}
	h.inject(evidence.FaultPause, "keeper-1", seconds(10), seconds(10.2), seconds(20), seconds(20.2))
	both(c.signs...)(h)
	return h.run()
}

func TestLeadership(t *testing.T) {
	for _, c := range leadershipCases() {
		t.Run(c.name, func(t *testing.T) {
			v := c.check.Judge(c.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
		})
	}
}
