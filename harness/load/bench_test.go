package load_test

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
	vegeta "github.com/tsenart/vegeta/v12/lib"
	"go.uber.org/goleak"
)

// roleVar makes the test binary play another part, in a process of its own, for the benchmarks.
const roleVar = "LOAD_BENCH_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "server":
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
		fmt.Println(srv.URL)
		io.Copy(io.Discard, os.Stdin) // until the benchmark ends
	case "busy":
		go func() { io.Copy(io.Discard, os.Stdin); os.Exit(0) }()
		for {
		}
	default:
		goleak.VerifyTestMain(m)
	}
}

// play starts the test binary in another part and returns its first line.
func play(b *testing.B, role string) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	if role != "server" {
		return ""
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// BenchmarkLag compares, in the same run, how late requests at 200/s are with this package and with plain vegeta: on a
// machine that has nothing else to do, and on one whose two first processors are kept busy by others.
func BenchmarkLag(b *testing.B) {
	const rate, length = 200, 5 * time.Second
	for _, busy := range []int{0, 2} {
		b.Run(fmt.Sprint("busy=", busy), func(b *testing.B) {
			url := play(b, "server")
			for range busy {
				play(b, "busy")
			}
			for b.Loop() {
				ours := lags(run(b, b.Context(), profile(load.Stage{Shape: load.Constant(rate, length)}), url))
				theirs := vegetaLags(vegeta.Rate{Freq: rate, Per: time.Second}, length, url)
				report(b, ours, theirs)
			}
		})
	}
}

// BenchmarkHerd compares how late the last of 1,000 requests are that are due at once; plain vegeta has its workers ready.
func BenchmarkHerd(b *testing.B) {
	const herd = 1000
	for _, busy := range []int{0, 2} {
		b.Run(fmt.Sprint("busy=", busy), func(b *testing.B) {
			url := play(b, "server")
			for range busy {
				play(b, "busy")
			}
			for b.Loop() {
				ours := lags(run(b, b.Context(), profile(load.Stage{Shape: load.Herd(herd, 500*time.Millisecond)}), url))
				report(b, ours, vegetaLags(atOnce(herd), 0, url))
			}
		})
	}
}

// BenchmarkCost is what one request costs the load generator in processor time, at 2,000/s.
func BenchmarkCost(b *testing.B) {
	const rate = 2000
	send := map[string]func(b *testing.B, length time.Duration, url string){
		"this": func(b *testing.B, length time.Duration, url string) {
			run(b, b.Context(), profile(load.Stage{Shape: load.Constant(rate, length)}), url)
		},
		"vegeta": func(b *testing.B, length time.Duration, url string) {
			vegetaLags(vegeta.Rate{Freq: rate, Per: time.Second}, length, url)
		},
	}
	for _, name := range []string{"this", "vegeta"} {
		b.Run(name, func(b *testing.B) {
			url := play(b, "server")
			before := cpu(b)
			b.ReportAllocs()
			send[name](b, time.Duration(b.N)*time.Second/rate, url)
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func lags(requests []evidence.Request) (out []time.Duration) {
	for _, r := range requests {
		out = append(out, r.Sent-r.Due)
	}
	return out
}

// atOnce is a vegeta.Pacer that sends so many requests without a pause.
type atOnce uint64

func (n atOnce) Pace(_ time.Duration, hits uint64) (time.Duration, bool) { return 0, hits >= uint64(n) }
func (n atOnce) Rate(time.Duration) float64                              { return 0 }

// vegetaLags sends the same load as vegeta's users do.
func vegetaLags(p vegeta.Pacer, length time.Duration, url string) (out []time.Duration) {
	a := vegeta.NewAttacker(vegeta.Workers(1000))
	t := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodPost, URL: url + "/v1/things", Body: []byte(`{"n":1}`)})
	began := time.Now()
	for r := range a.Attack(t, p, length, "") {
		due := began
		if rate, ok := p.(vegeta.Rate); ok {
			due = began.Add(time.Duration(r.Seq+1) * rate.Per / time.Duration(rate.Freq))
		}
		out = append(out, r.Timestamp.Sub(due))
	}
	return out
}

func report(b *testing.B, ours, theirs []time.Duration) {
	slices.SortFunc(ours, cmp.Compare)
	slices.SortFunc(theirs, cmp.Compare)
	for _, p := range []int{50, 99} {
		o, t := ours[len(ours)*p/100], theirs[len(theirs)*p/100]
		b.ReportMetric(float64(o.Nanoseconds())/1e3, fmt.Sprintf("p%d-us", p))
		b.ReportMetric(float64(t.Nanoseconds())/1e3, fmt.Sprintf("vegeta-p%d-us", p))
		b.ReportMetric(float64(t)/float64(o), fmt.Sprintf("p%d-ratio", p))
	}
	b.ReportMetric(0, "ns/op") // says nothing: the length is given
}
