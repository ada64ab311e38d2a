package service_test

import (
	"sync"
	"testing"

	"github.com/sentinel-chaos/sentinel/service"
)

func TestGaugeRemembersItsHighest(t *testing.T) {
	var g service.Gauge
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			g.Inc()
			defer g.Dec()
		})
	}
	all.Wait()
	g.Inc()
	g.Inc()
	g.Dec()
	if g.Now() != 1 || g.HighWater() < 2 || g.HighWater() > 100 {
		t.Errorf("now %d, high water %d", g.Now(), g.HighWater())
	}
}
