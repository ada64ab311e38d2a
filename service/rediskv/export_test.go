package rediskv

import "log/slog"

// OpenPatient makes a Store whose sockets wait for as long as its operations have. Where a socket gives up before, the operation is repeated,
// and a row or a token that the first attempt has taken counts twice. That may be, and tests count.
func OpenPatient(o Options, log *slog.Logger) *Store { return open(o, o.Budget, log) }
