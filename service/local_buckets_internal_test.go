package service

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Clients that have gone take no room for good: their buckets are forgotten once they are full, and no sooner.
func TestFullBucketsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l localBuckets
		limit := Limit{Rate: 1, Burst: 10}
		busy := []Bucket{{Limit: limit, Kind: BucketOfKey, ID: "busy"}}
		for range limit.Burst {
			l.spend(busy)
		}
		for i := range 20 * fewLevels {
			l.spend([]Bucket{{Limit: limit, Kind: BucketOfAddress, ID: fmt.Sprint(i)}})
			time.Sleep(10 * time.Millisecond)
			l.spend(busy)
			if l.take(busy) == nil {
				t.Fatalf("the busy client's bucket had a token after %d others", i)
			}
		}
		if n := len(l.levels); n > 2*fewLevels {
			t.Errorf("%d buckets are remembered", n)
		}
	})
}
