package check_test

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// refuse refuses a request, with that advice.
func refuse(c *evidence.Call, advice time.Duration) {
	c.Outcome, c.Status, c.RetryAfter, c.Answer = evidence.Refused, 503, advice, evidence.Answer{}
	c.End = c.Sent + 5*time.Millisecond
}

// backAfter refuses the first request with an advice of one second, and lets its client come again that long after it.
func (h *history) backAfter(d time.Duration) *evidence.Call {
	refuse(&h.Calls[0], time.Second)
	again := &h.Calls[3] // the same key
	takes := again.End - again.Due
	again.Due = h.Calls[0].End + d
	again.Sent, again.End = again.Due, again.Due+takes
	return again
}

// promiseCases are about the promises to tenants, to those who ask twice, and to those who are refused.
func promiseCases() []verdictCase {
	const second = time.Second
	unchanged := func(*history) {}
	tenants, same, honest := check.TenantIsolation(), check.SameKeySameAnswer(), check.RetryAfterHonest()
	return []verdictCase{
		{"kept apart", tenants, "", unchanged, check.Pass, "each of 2 tenants"},
		{"answer names another", tenants, "", func(h *history) { h.Calls[6].Answer.Tenant = "acme" }, check.Fail, "1 answers of another tenant"},
		{"another's call", tenants, "", func(h *history) { h.Calls[6].Answer.CallID = h.Calls[0].Answer.CallID }, check.Fail, "1 answers of another tenant"},
		{"another's key in the answer", tenants, "", func(h *history) { h.Calls[6].Answer.Key = h.Calls[0].Key }, check.Fail, "1 answers of another tenant"},
		{"asked for another's key", tenants, "", func(h *history) { h.Calls[6].Key = h.Calls[0].Key }, check.Fail, "requests for another tenant's key"},
		{"another pays the row", tenants, "", func(h *history) { h.Rows[8].Tenant = "acme" }, check.Fail, "1 rows paid by another tenant"},
		{"another's row in the warm-up", tenants, "", func(h *history) { h.Rows[0].Tenant, h.Rows[0].Key = "globex", h.Rows[1].Key }, check.Fail, "1 rows of another tenant's call"},
		{"another pays the call", tenants, "", func(h *history) { h.Upstream[2].Tenant = "globex" }, check.Fail, "1 upstream calls paid by another tenant"},
		{"one tenant alone", tenants, "", func(h *history) { h.Calls = h.Calls[:6] }, check.Unknown, "1 tenants were answered"},
		{"no ledger", tenants, "", func(h *history) { h.Upstream = nil }, check.Unknown, "no ledger"},

		{"one answer per key", same, "", unchanged, check.Pass, "3 keys"},
		{"two answers", same, "", func(h *history) { h.replaced(0); h.Calls[5].Answer.CallID = h.Upstream[1].ID }, check.Fail, "two answers to one key within a lifetime: call llm-newer"},
		{"two calls, one answer", same, "", func(h *history) { h.replaced(0) }, check.Pass, ""},
		{"two lifetimes", same, "", func(h *history) {
			h.plan.Params[evidence.ParamLifetime] = 2 * second
			h.replaced(0)
			h.Calls[5].Answer.CallID = h.Upstream[1].ID
		}, check.Pass, ""},
		{"back to the replaced answer", same, "", func(h *history) {
			h.plan.Params[evidence.ParamLifetime] = 2 * second
			h.replaced(0)
			h.Calls[6].Answer.CallID = h.Upstream[1].ID
		}, check.Fail, "1 requests were given an answer that had been replaced already"},
		{"asked before it was replaced", same, "", func(h *history) {
			h.plan.Params[evidence.ParamLifetime] = 2 * second
			h.replaced(3 * second)
			h.Calls[6].Answer.CallID = h.Upstream[1].ID
		}, check.Pass, ""},
		{"nobody asked twice", same, "", func(h *history) { h.Calls = h.Calls[:3] }, check.Unknown, "no key was answered twice"},
		{"no ledger", same, "", func(h *history) { h.Upstream = nil }, check.Unknown, "no ledger"},
		{"no lifetime", same, "", drop(evidence.ParamLifetime), check.Unknown, "lifetime"},

		{"advised one second", honest, "", func(h *history) { refuse(&h.Calls[2], second) }, check.Pass, "1 refusals"},
		{"advised the most", honest, "", func(h *history) { refuse(&h.Calls[2], 5*second) }, check.Pass, "within 5000 ms"},
		{"advised to come at once", honest, "", func(h *history) { refuse(&h.Calls[2], 0) }, check.Fail, "1 advised less than a second"},
		{"advised too much", honest, "", func(h *history) { refuse(&h.Calls[2], 6*second) }, check.Fail, "1 advised more than 5s"},
		{"came back and was answered", honest, "", func(h *history) { h.backAfter(second) }, check.Pass, "1 who followed the advice"},
		{"came back in vain", honest, "", func(h *history) { refuse(h.backAfter(second), second) }, check.Fail, "1 were repeated to a client that had followed the advice"},
		{"came back too early", honest, "", func(h *history) { refuse(h.backAfter(second-1), second) }, check.Pass, "0 who followed"},
		{"came back, refused for another reason", honest, "", func(h *history) { c := h.backAfter(second); refuse(c, second); c.Status = 429 }, check.Pass, ""},
		{"came back in vain during a fault", honest, evidence.FaultFreeze, func(h *history) {
			refuse(h.backAfter(second), second)
			h.Injections[0].Ordered, h.Injections[0].Healing = loadFrom-4*second, loadFrom-4*second
		}, check.Pass, ""},
		{"came back in vain long after a fault", honest, evidence.FaultFreeze, func(h *history) {
			refuse(h.backAfter(second), second)
			h.Injections[0].Ordered, h.Injections[0].Healing = loadFrom-6*second, loadFrom-6*second
		}, check.Fail, "were repeated"},
		{"nobody refused", honest, "", unchanged, check.Unknown, "no request was refused"},
		{"no bound", honest, "", func(h *history) { refuse(&h.Calls[2], second); drop(evidence.ParamRetryAfter)(h) }, check.Unknown, "longest advice"},
		{"no bound, yet at once", honest, "", func(h *history) { refuse(&h.Calls[2], 0); drop(evidence.ParamRetryAfter)(h) }, check.Fail, "less than a second"},
	}
}
