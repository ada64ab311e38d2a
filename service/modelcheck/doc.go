// Package modelcheck is a model of the gateway's miss protocol, and a checker that walks through every state of it. The
// model is not the service: it is what the service must be, small enough to be looked at from all sides. Its tests show
// that the whole protocol keeps its promises, and that each step of it is there for a reason.
//
// One key; two or three gateways; Redis with one replica; PostgreSQL with one synchronous standby; the upstream. A step
// is one message with its reply, or one fault, or the end of a lease. Time is left out, except for its order where the
// protocol relies on it. A lease does not end under a holder who lives, runs and reaches a lease store that covers it. And
// such a holder aborts its call before the last lease that covers it ends.
package modelcheck
