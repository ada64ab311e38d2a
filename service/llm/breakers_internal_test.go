package llm

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/sentinel-chaos/sentinel/service"
)

// usual are the figures that are set by default.
var usual = BreakerOptions{Failures: 5, Patience: 1500 * time.Millisecond, Open: 5 * time.Second, Probes: 2}

const callTimeout = 2 * time.Second

func quiet(o BreakerOptions) *breakers { return newBreakers(o, slog.New(slog.DiscardHandler)) }

// ask makes a tenant's call of a model that takes its time and then ends with err. It reports whether the call was made.
func ask(bs *breakers, tenant, model string, took time.Duration, err error) (made bool) {
	r := service.Request{ID: "r", Tenant: tenant, Query: service.Query{Model: model}}
	_, _ = bs.Execute(r, func() (service.Answer, error) {
		made = true
		time.Sleep(took)
		return service.Answer{}, err
	})
	return made
}

var (
	errSlow = &failure{outcome: timeout, err: errModel}
	errBusy = &failure{outcome: status, certain: true, retryAfter: time.Hour, err: errModel}
)

// One tenant's questions that take too long, however many at once, have nobody else's refused: neither while others are answered all
// the time, nor if they ask now and then.
func TestOneTenantsSlowQuestionsAreItsOwnAffair(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, 3 * time.Second} {
		for name, failed := range map[string]error{"timeouts": errSlow, "errors": &failure{outcome: status, certain: true, err: errModel}, "nonsense": &failure{outcome: malformed, err: errModel}} {
			synctest.Test(t, func(t *testing.T) {
				bs := quiet(usual)
				var all sync.WaitGroup
				for round := range 6 {
					for range 5 {
						all.Go(func() {
							time.Sleep(time.Duration(round) * 5 * time.Second)
							ask(bs, "slow", "m", callTimeout, failed)
						})
					}
				}
				for range 30 * time.Second / every {
					time.Sleep(every)
					if !ask(bs, "other", "m", time.Millisecond, nil) {
						t.Errorf("%s, each %s: refused", name, every)
						break
					}
				}
				all.Wait()
			})
		}
	}
}

// A model that fails for everybody is given up as ever, and so is one for the only tenant who asks.
func TestFailuresOfSeveralTenantsOpenTheBreakerForAll(t *testing.T) {
	for _, test := range []struct {
		tenants []string
		others  bool // are refused, too
	}{{[]string{"a", "b", "a", "a", "a"}, true}, {[]string{"a", "a", "a", "a", "a"}, false}} {
		synctest.Test(t, func(t *testing.T) {
			bs := quiet(usual)
			var all sync.WaitGroup
			for _, tenant := range test.tenants {
				all.Go(func() { ask(bs, tenant, "m", callTimeout, errSlow) })
			}
			all.Wait()
			if ask(bs, "a", "m", 0, nil) {
				t.Error("whose calls failed is not held back")
			}
			held := bs.HeldBack()
			if len(held) != 1 || held[0].Model != "m" || time.Until(held[0].Until) != usual.Open-callTimeout || held[0].Why != service.HeldBackFails || (held[0].Tenants == 0) != test.others {
				t.Errorf("%v: held back: %+v", test.tenants, held)
			}
			if made := ask(bs, "c", "m", 0, nil); made == test.others {
				t.Errorf("%v: another tenant's call was made: %t", test.tenants, made)
			}
			if !ask(bs, "a", "n", 0, nil) {
				t.Error("another model is held back")
			}
		})
	}
}

// An outage shows in the state where one tenant alone asks, from the failures that open the breaker until somebody is answered.
func TestStateShowsAnOutageThatOneTenantMeets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bs := quiet(usual)
		state := func(when string, want gobreaker.State) {
			if got := bs.State(); got != want {
				t.Errorf("%s: %s, want %s", when, got, want)
			}
		}
		for range usual.Failures {
			state("before", gobreaker.StateClosed)
			ask(bs, "a", "m", callTimeout/2, errSlow)
		}
		state("after as many failures as open it", gobreaker.StateOpen)
		time.Sleep(usual.Open)
		state("when its time is over", gobreaker.StateHalfOpen)
		ask(bs, "a", "m", callTimeout, errSlow)
		state("after a probe that failed", gobreaker.StateOpen)
		ask(bs, "b", "m", 0, nil)
		state("when another tenant was answered", gobreaker.StateClosed)
		if held := bs.HeldBack(); len(held) != 1 || held[0].Tenants != 1 {
			t.Errorf("held back: %+v, want the tenant whose calls failed", held)
		}
	})
}

// An answer to a call that began later tells more of the model than one that did not come.
func TestFailuresThatAnAnswerOvertookDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bs := quiet(usual)
		var all sync.WaitGroup
		for _, tenant := range []string{"a", "b", "c", "d", "e"} {
			all.Go(func() { ask(bs, tenant, "m", callTimeout, errSlow) })
		}
		time.Sleep(time.Millisecond)
		ask(bs, "f", "m", time.Second, nil)
		all.Wait()
		if bs.State() != gobreaker.StateClosed {
			t.Error("open, though a later call was answered")
		}
	})
}

// A tenant whose probes fail alone is held back, and does not keep the others from theirs.
func TestOneTenantsFailedProbesKeepNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := usual
		o.Patience = 0
		bs := quiet(o)
		for _, tenant := range []string{"a", "b", "c", "a", "b"} {
			ask(bs, tenant, "m", 0, errModel)
		}
		time.Sleep(o.Open)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { ask(bs, "a", "m", callTimeout, errSlow) })
		}
		all.Wait()
		if ask(bs, "a", "m", 0, nil) || bs.State() != gobreaker.StateHalfOpen {
			t.Errorf("state %s after the probes of one tenant, or that goes on", bs.State())
		}
		for range 2 {
			if !ask(bs, "b", "m", 0, nil) {
				t.Error("another tenant may not probe")
			}
		}
		if bs.State() != gobreaker.StateClosed {
			t.Errorf("state %s after the others' probes", bs.State())
		}
		if ask(bs, "a", "m", 0, nil) {
			t.Error("whose probes failed is not held back for as long as it was told")
		}
		time.Sleep(o.Open - callTimeout)
		for range 5 {
			all.Go(func() {
				if !ask(bs, "a", "m", time.Second, nil) {
					t.Error("refused, though the model is well and the time is over")
				}
			})
		}
		all.Wait()
	})
}

// What opened the breaker for all is nobody's questions: when probes have closed it, no tenant is held back alone.
func TestAnOutageIsHeldAgainstNoTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bs := quiet(BreakerOptions{Failures: 5, Open: time.Second, Probes: 2})
		for _, tenant := range []string{"a", "a", "a", "a", "a", "b"} {
			ask(bs, tenant, "m", 900*time.Millisecond, errModel)
		}
		time.Sleep(time.Second)
		for range 2 {
			ask(bs, "c", "m", 0, nil)
		}
		for range 2 {
			ask(bs, "a", "m", 0, errModel)
		}
		if !ask(bs, "a", "m", 0, nil) {
			t.Error("its first failures count against it, after an outage")
		}
	})
}

// While a model is down, a round of probes is a few calls, whoever makes them.
func TestProbesOfAModelThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bs := quiet(usual)
		var all sync.WaitGroup
		var mu sync.Mutex
		var made []time.Duration
		began := time.Now()
		for i := range 600 {
			all.Go(func() {
				at := time.Duration(i) * 50 * time.Millisecond
				time.Sleep(at)
				if ask(bs, []string{"a", "b", "c"}[i%3], "m", callTimeout, errSlow) {
					mu.Lock()
					defer mu.Unlock()
					made = append(made, time.Since(began)-callTimeout)
				}
			})
		}
		all.Wait()
		probes := len(made) - len(slices.DeleteFunc(slices.Clone(made), func(at time.Duration) bool { return at > callTimeout }))
		if rounds := 5; probes < rounds || probes > rounds*2*int(usual.Probes) {
			t.Errorf("%d probes in 28 s, in rounds of 5 s", probes)
		}
	})
}

// A pause that a model asks for is that model's.
func TestRestsAreOfOneModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bs := quiet(usual)
		ask(bs, "a", "m", 0, errBusy)
		if ask(bs, "b", "m", 0, nil) {
			t.Error("called, though the model asked for a pause")
		}
		if !ask(bs, "a", "n", 0, nil) {
			t.Error("another model is held back")
		}
		if held := bs.HeldBack(); len(held) != 1 || held[0].Why != service.HeldBackAsked || held[0].Tenants != 0 || time.Until(held[0].Until) != time.Hour {
			t.Errorf("held back: %+v", held)
		}
	})
}

// A tenant that is held back alone for a shorter time than its model is told the longer one.
func TestTheLongerRestIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bs := quiet(usual)
		for range usual.Failures {
			ask(bs, "a", "m", callTimeout, errSlow)
		}
		ask(bs, "b", "m", 0, nil)
		ask(bs, "b", "m", 0, errBusy)
		_, err := bs.Execute(service.Request{Tenant: "a", Query: service.Query{Model: "m"}}, func() (service.Answer, error) { panic("called") })
		var r *refusal
		if !errors.As(err, &r) || r.wait != errBusy.retryAfter {
			t.Errorf("got %v, %+v", err, r)
		}
	})
}

// Names that clients make up neither stay nor keep a real model from being told of, and never become many labels.
func TestMadeUpModels(t *testing.T) {
	for name, err := range map[string]error{"not taken": &failure{outcome: rejected, err: errModel}, "failing": errModel, "asking for a pause": errBusy} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bs := quiet(usual)
				ask(bs, "a", "real", 0, nil)
				for i := range 10_000 {
					ask(bs, "mallory", fmt.Sprint("made-up-", i), 0, err)
				}
				if n := len(bs.known); n > mostModels {
					t.Errorf("%d models are remembered", n)
				}
				if named := bs.Named(); !slices.Equal(named, []string{"real"}) {
					t.Errorf("named: %v", named)
				}
				for i := range 5 {
					ask(bs, fmt.Sprint(i), "real", callTimeout/5*4, errModel)
				}
				if ask(bs, "b", "real", 0, nil) {
					t.Error("the real model is not held back")
				}
				time.Sleep(2 * time.Hour)
				if bs.State(); len(bs.known) != 0 {
					t.Errorf("%d models are remembered that nobody asks for", len(bs.known))
				}
			})
		})
	}
}

// As many models as can be called by name, and tenants of one, are bounded too.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bs := quiet(usual)
		for i := range 2 * mostModels {
			ask(bs, "a", fmt.Sprint(i), 0, nil)
		}
		for i := range 2 * mostTenants {
			if !ask(bs, fmt.Sprint(i), "0", 0, &failure{outcome: malformed, err: errModel}) {
				break // for everybody
			}
			ask(bs, "quick", "0", 0, nil)
		}
		if len(bs.known) > mostModels || len(bs.Named()) > mostModels || len(bs.known["0"].tenants) > mostTenants {
			t.Errorf("%d models, %d names, %d tenants", len(bs.known), len(bs.Named()), len(bs.known["0"].tenants))
		}
	})
}

// Whoever is well leaves nothing behind, and a call that panics is not under way for ever.
func TestNothingIsLeftOfCallsThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bs := quiet(usual)
		ask(bs, "a", "m", time.Second, nil)
		ask(bs, "a", "n", time.Second, &failure{outcome: rejected, err: errModel})
		func() {
			defer func() { _ = recover() }()
			_, _ = bs.Execute(service.Request{Tenant: "a", Query: service.Query{Model: "p"}}, func() (service.Answer, error) { panic("call") })
		}()
		if m := bs.known["m"]; len(bs.known) > 2 || m == nil || len(m.tenants) != 0 || m.calls != 0 {
			t.Errorf("remembered: %v", bs.known)
		}
		if time.Sleep(forgetAfter); bs.State() != gobreaker.StateClosed || len(bs.known) != 0 {
			t.Errorf("%d models are remembered", len(bs.known))
		}
	})
}

// The log tells once which model is held back, from whom, until when and why.
func TestLogTellsWhyAModelIsHeldBack(t *testing.T) {
	for want, tenants := range map[string][]string{
		`msg="calls of a model fail: they are held back" model=m request_id=r error="model failed" until=`:                                  {"a", "b"},
		`msg="calls of a model fail for one tenant: that tenant's are held back" model=m request_id=r error="model failed" tenant=a until=`: {"a", "a"},
	} {
		var text bytes.Buffer
		bs := newBreakers(BreakerOptions{Failures: 2, Open: time.Minute, Probes: 1}, slog.New(slog.NewTextHandler(&text, nil)))
		for _, tenant := range append(tenants, tenants...) {
			ask(bs, tenant, "m", 0, errors.New("model failed"))
		}
		if strings.Count(text.String(), "held back") != 1 || !strings.Contains(text.String(), want) {
			t.Errorf("want %s, got %s", want, &text)
		}
	}
}

// A tenant whose calls fail now and then, while others are answered, is not held back: the model is not down.
func TestARowOfOnesOwnIsNoneIfOthersAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bs := quiet(usual)
		for range 20 {
			if !ask(bs, "a", "m", time.Second, errModel) {
				t.Fatal("refused")
			}
			ask(bs, "b", "m", time.Millisecond, nil)
		}
	})
}
