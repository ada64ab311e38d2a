package check_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// BenchmarkOpen opens saved runs of up to a million requests with their records. It reports the cost per request in time of the
// CPU, the bytes read per second of it, what the run holds then, and how many times as long that takes as its peer: the same lines
// looked through by encoding/json for whether they are valid, which makes nothing of them.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			save(b, large(n).run(), dir)
			size, peer := scanned(b, dir)
			debug.FreeOSMemory()
			before := held()
			var cpu time.Duration
			var holds uint64
			for b.Loop() {
				began := spent(b)
				run, err := evidence.Open(dir)
				cpu += spent(b) - began
				if err != nil || !run.Complete {
					b.Fatalf("opened an incomplete run: %v", err)
				}
				debug.FreeOSMemory()
				holds = held() - before
				runtime.KeepAlive(run)
			}
			each := cpu.Seconds() / float64(b.N)
			b.ReportMetric(0, "ns/op") // it counts the collection of garbage
			b.ReportMetric(each*1e9/float64(n), "cpu-ns/request")
			b.ReportMetric(float64(size)/1e6/each, "MB/s")
			b.ReportMetric(each/peer.Seconds(), "x-peer")
			b.ReportMetric(float64(holds)/(1<<20), "holds-MiB")
		})
	}
}

// scanned looks through all records of a saved run, and tells their size in bytes and the time of the CPU that it took.
func scanned(b *testing.B, dir string) (size int, took time.Duration) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "evidence", "*.ndjson"))
	if err != nil || len(files) == 0 {
		b.Fatalf("found no evidence: %v", err)
	}
	began := spent(b)
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if size += len(lines.Bytes()) + 1; !json.Valid(lines.Bytes()) {
				b.Fatalf("%s has a line that is not JSON", name)
			}
		}
		if err := lines.Err(); err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
	}
	return size, spent(b) - began
}
