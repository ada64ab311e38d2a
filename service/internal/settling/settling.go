// Package settling gives what ends by itself the time to, before tests look for goroutines that never do.
package settling

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// longest is for how long what ends by itself may be under way after the last test, on the slowest machine imaginable: a server waits for half
// a second before it closes a connection of which it has not read all, and go-redis for a second after a failed dial before it looks
// whether its pool was closed. goleak alone waits for less than half a second. What never ends is found all the same.
const longest = 10 * time.Second

// M is the tests of a package, for goleak.VerifyTestMain.
type M struct{ *testing.M }

// Run runs them, and waits until no goroutine is left of them.
func (m M) Run() int {
	code := m.M.Run()
	for end := time.Now().Add(longest); code == 0 && goleak.Find() != nil && time.Now().Before(end); {
	}
	return code
}
