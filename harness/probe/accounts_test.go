package probe_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// keeper is a driver whose kernel knows of a node from a second on, with one descriptor more each second.
type keeper struct {
	scriptDriver
	began time.Time
}

func (k keeper) Account(_ context.Context, n *env.Node) (env.Account, error) {
	since := time.Since(k.began)
	if since < time.Second {
		return env.Account{}, errors.New(n.Name + " does not run")
	}
	return env.Account{Resident: 1 << 20, Descriptors: int(since / time.Second), Sockets: 1}, nil
}

func TestAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := env.New(keeper{scriptDriver{procs: map[string]env.Proc{"app-1": nil, "other-1": nil}}, time.Now()}, 1, t.Logf)
		for name, role := range map[string]string{"app-1": "app", "other-1": "other"} {
			if _, err := e.Launch(t.Context(), env.Spec{Name: name, Role: role}); err != nil {
				t.Fatal(err)
			}
		}
		run, err := watch(t, probe.Accounts("app"), e, func() { time.Sleep(2*time.Second + 1) })
		var want []evidence.Account
		for at := time.Second; at <= 2*time.Second; at += 250 * time.Millisecond {
			want = append(want, evidence.Account{At: at, Node: "app-1", Resident: 1 << 20, Descriptors: int(at / time.Second), Sockets: 1})
		}
		if got := evidence.Accounts.Of(run); err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	})
}

// TestAccountsUnknown: where no kernel can be asked, nothing is said.
func TestAccountsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := scriptedEnv(t, map[string]env.Proc{"app-1": nil})
		run, err := watch(t, probe.Accounts("app"), e, func() { time.Sleep(2 * time.Second) })
		if got := evidence.Accounts.Of(run); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	})
}
