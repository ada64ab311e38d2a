package check

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Counters names the metrics in which a replica counts, from its boot on, what others recorded too. Accounting takes the
// last scrape of each boot and wants of it that
//
//   - the answers of each status, summed over the replica's boots, are as many as the load balancer logged for it;
//   - the calls that brought an answer, and their cost, are those of the boot's rows of kind call;
//   - the hits are no more than the boot's rows of hits.
//
// What nobody saw or two may have counted makes an equation an inequality. A boot that ended may have counted no more than
// was recorded: what it counted after its last scrape died with it. A request that the load balancer sent on, or whose
// end was not clean, may have been counted by any replica or by none. A billed call that lacks its row because its caller
// was killed or frozen may have been counted. Unknown if a replica was not scraped after the last response, or in
// more boots than it can have had.
type Counters struct {
	Answers string // answered requests; the label code is the status
	Hits    string // requests answered from the cache, with labels, as all below
	Calls   string // upstream calls that brought an answer
	Cost    string // their price in nano-dollars
}

// names of the counters, without labels.
func (c Counters) names() []string {
	all := []string{c.Answers, c.Hits, c.Calls, c.Cost}
	for i, name := range all {
		all[i], _, _ = strings.Cut(name, "{")
	}
	return all
}

// boot is one start of one replica.
type boot struct{ replica, id string }

// tallied is what the ledger of the service has of one boot.
type tallied struct{ hits, calls, cost int64 }

func (b *books) tally(w *evidence.Row) {
	k := boot{w.Replica, w.Boot}
	t := b.tallies[k]
	if t == nil {
		t = &tallied{}
		b.tallies[k] = t
	}
	if w.Kind == evidence.RowCall {
		t.calls++
		t.cost += w.Cost
	} else {
		t.hits++
	}
}

// anyBoot stands for calls that have no row, so that nobody knows the boot that made them.
const anyBoot = ""

// lost books a call that has no row, and needs none.
func (b *books) lost(u *evidence.Upstream) {
	b.tally(&evidence.Row{Replica: u.Caller, Boot: anyBoot, Kind: evidence.RowCall, Cost: u.Cost})
}

// count compares what the replicas counted with the records.
func (b *books) count(c Counters) {
	passed := b.passages()
	exported := map[string]bool{}
	scraped := map[boot]bool{}
	rest := lastActivity(b.run)
	for _, r := range replicas(b.run) {
		boots := lastOfBoots(r)
		ends := b.ends(r.name)
		rested := len(r.atRest(rest)) > 0
		switch {
		case !rested:
			b.doubt(r.name + " was not scraped after the last response")
		case len(boots) > ends+1:
			b.doubt(fmt.Sprintf("%s was scraped in %d boots, and ended %d times", r.name, len(boots), ends))
		}
		for i, s := range boots {
			scraped[boot{r.name, s.Boot}] = true
			note(exported, s)
			b.compare(c, s, rested && i == len(boots)-1)
		}
		if !b.gaps {
			b.answers(c, r.name, boots, &passed, rested && ends == 0 && len(boots) == 1)
		}
	}
	for _, name := range c.names() {
		if !exported[name] {
			b.doubt("no replica exports " + name)
		}
	}
	b.unscraped(scraped)
}

// unscraped finds rows of boots that nobody knows.
func (b *books) unscraped(known map[boot]bool) {
	var strangers []string
	for k := range b.tallies {
		if k.id != anyBoot && !known[k] {
			strangers = append(strangers, fmt.Sprintf("rows name boot %q of %q, which nobody scraped", k.id, k.replica))
		}
	}
	if len(strangers) > 0 {
		b.doubt(slices.Min(strangers))
	}
}

// lastOfBoots are the last scrapes of each boot, in the order of the boots.
func lastOfBoots(r *replica) (last []evidence.Sample) {
	for _, s := range r.samples {
		i := slices.IndexFunc(last, func(l evidence.Sample) bool { return l.Boot == s.Boot })
		switch {
		case s.Error != "":
		case i < 0:
			last = append(last, s)
		default:
			last[i] = s
		}
	}
	return last
}

func (b *books) ends(node string) (n int) {
	for e := range b.run.Exits() {
		if e.Node == node {
			n++
		}
	}
	return n
}

func note(exported map[string]bool, s evidence.Sample) {
	for series := range s.Values {
		name, _, _ := strings.Cut(series, "{")
		exported[name] = true
	}
}

// compare judges calls, cost and hits of one boot; whole says that nothing it counted is unseen.
func (b *books) compare(c Counters, s evidence.Sample, whole bool) {
	var recorded, lost tallied
	if t := b.tallies[boot{s.Node, s.Boot}]; t != nil {
		recorded = *t
	}
	if t := b.tallies[boot{s.Node, anyBoot}]; t != nil {
		lost = *t
	}
	b.within(c.Calls, s, recorded.calls, lost.calls, whole)
	b.within(c.Cost, s, recorded.cost, lost.cost, whole)
	b.within(c.Hits, s, recorded.hits, int64(b.repeated), false)
}

// within judges one counter: at most what was recorded and what more may have been counted, and no less if it is whole.
func (b *books) within(series string, s evidence.Sample, recorded, more int64, whole bool) {
	counted := int64(s.Values[series])
	if counted > recorded+more || whole && counted < recorded {
		b.miscounted("%s of %s is %d, and the records say %d", series, s.Node, counted, recorded)
	}
}

// miscounted notes a counter that disagrees with the records. All of them are one kind, which tells the first: one fault
// makes many disagree, and nobody reads them all.
func (b *books) miscounted(format string, args ...any) {
	if b.miscount == "" {
		b.miscount = fmt.Sprintf("counters that disagree with the records (the first: %s)", fmt.Sprintf(format, args...))
	}
	b.object(nil, b.miscount)
}

// passages are the answers by status that the load balancer logged for each server.
type passages struct {
	clean map[string]map[int]int64
	other map[string]int64 // requests whose end was not clean, by server
}

func (b *books) passages() passages {
	p := passages{map[string]map[int]int64{}, map[string]int64{}}
	for _, h := range b.run.EachHop() {
		if wasSentOn(h) {
			b.repeated++
		}
		if !clean(h) {
			p.other[h.Server]++
			continue
		}
		if p.clean[h.Server] == nil {
			p.clean[h.Server] = map[int]int64{}
		}
		p.clean[h.Server][h.Status]++
	}
	return p
}

func clean(h *evidence.Hop) bool { return strings.HasPrefix(h.Termination, cleanEnd) }

// answers compares the answers by status that a replica counted over all its boots with those of the log.
func (b *books) answers(c Counters, replica string, boots []evidence.Sample, p *passages, whole bool) {
	counted := map[int]int64{}
	for _, s := range boots {
		for series, v := range s.Values {
			if code, ok := codeOf(c.Answers, series); ok {
				counted[code] += int64(v)
			}
		}
	}
	for code := range p.clean[replica] {
		counted[code] += 0 // the replica counted none of them
	}
	for _, code := range slices.Sorted(maps.Keys(counted)) {
		n, recorded := counted[code], p.clean[replica][code]
		if n > recorded+p.other[replica]+int64(b.repeated) || whole && n < recorded {
			b.miscounted("%s with code %d of %s is %d, and the load balancer logged %d", c.Answers, code, replica, n, recorded)
		}
	}
}

// codeOf reads the status off a series of the counter of answers.
func codeOf(name, series string) (code int, ok bool) {
	labels, ok := strings.CutPrefix(series, name+"{")
	if !ok {
		return 0, false
	}
	_, value, _ := strings.Cut(labels, `code="`)
	value, _, _ = strings.Cut(value, `"`)
	code, err := strconv.Atoi(value)
	return code, err == nil
}
