package probe

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// accountsEvery is how often the kernel is asked: what a process holds changes within a second, and the engine is asked as well, for
// which process it is.
const accountsEvery = 250 * time.Millisecond

// Accounts records what the main processes of the nodes of those names or roles hold, by the kernel's account. Where the driver cannot
// tell, and while a node does not run, nothing is recorded.
func Accounts(nodes ...string) Probe {
	return Probe{Name: "accounts " + strings.Join(nodes, ", "), Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
		driver, err := env.Accounts.Use(e)
		if err != nil {
			<-ctx.Done() // there is nothing to be told here
			return nil
		}
		var all Group
		for _, n := range e.Nodes() {
			if !slices.ContainsFunc(nodes, n.Is) {
				continue
			}
			all.Go(func() error {
				tick(ctx, accountsEvery, func() {
					one, cancel := context.WithTimeout(ctx, askTimeout)
					defer cancel()
					if a, err := driver.Account(one, n); err == nil {
						evidence.Accounts.Put(rec, evidence.Account{At: rec.Now(), Node: n.Name, Resident: a.Resident, Descriptors: a.Descriptors, Sockets: a.Sockets})
					}
				})
				return nil
			})
		}
		return all.Wait()
	}}
}
