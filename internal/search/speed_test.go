package search

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// randomProse returns text whose word frequencies follow Zipf's law: the nth
// word is 1/n as common as the first.
func randomProse(r *rand.Rand, bytes int) string {
	syllables := strings.Fields("ka lo mi ter ran so pel tin gar den sta tion cal ber num ver li to wa zu ing ed er ment al")
	var b strings.Builder
	for n := 0; b.Len() < bytes; n++ {
		if n%90 == 89 {
			b.WriteString("\n\n## ")
		}
		switch rank := int(1/(r.Float64()+1e-4)) + 1; {
		case r.IntN(100) == 0:
			b.WriteString([]string{"frost", "garden", "mast", "offset"}[r.IntN(4)])
		default:
			for x := rank * 79; ; x /= len(syllables) {
				b.WriteString(syllables[x%len(syllables)])
				if x < len(syllables) {
					break
				}
			}
		}
		b.WriteByte(" \n"[min(1, max(0, n%12-10))])
		if n%90 == 2 {
			b.WriteString("\n\n")
		}
	}
	return b.String()
}

// newWorldOf500Pages returns a world with a wiki of 500 pages of 5 KB.
func newWorldOf500Pages(t testing.TB) *world {
	u := newWorld(t)
	random := rand.New(rand.NewPCG(3, 4))
	for n := 0; n < 500; n += 50 {
		var all []string
		for i := n; i < n+50; i++ {
			text := "Every page has common words.\n\n" + randomProse(random, 5000)
			if i == 123 {
				text += "\nunobtainium\n"
			}
			all = append(all, fmt.Sprintf("Folder_%d/Page_%d", i%20, i), text)
		}
		u.put(all...)
	}
	return u
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// Keyword search on 500 pages of 5 KB takes less than 5 ms for rare and common
// words. It compares the median CPU time of 9 rounds, because other processes
// use the machine too.
func TestSearchSpeed(t *testing.T) {
	if os.Getenv("ROBOT_LONG") == "" {
		t.Skip("a measurement; set ROBOT_LONG=1 to run it")
	}
	u := newWorldOf500Pages(t)
	start := cpuTime()
	u.search("x")
	t.Logf("measured: 500 pages indexed in %v of CPU time", cpuTime()-start)
	for _, q := range []string{"unobtainium", "common", "common words", `"common words"`, "frost garden mast", "co*", "common OR frost", "common -mast", "nothing fits", "path:Folder_3 common", "-frost"} {
		var times, real []time.Duration
		total := 0
		for range 9 {
			start, clock := cpuTime(), time.Now()
			for range 10 {
				r, err := u.s.Search(t.Context(), u.w, Query{Text: q})
				if err != nil {
					t.Fatal(err)
				}
				total = r.Total
			}
			times, real = append(times, (cpuTime()-start)/10), append(real, time.Since(clock)/10)
		}
		slices.Sort(times)
		slices.Sort(real)
		t.Logf("measured: %-22s %4d pages, %7.2f ms of CPU time, %7.2f ms of wall time", q, total, milliseconds(times[4]), milliseconds(real[4]))
		if times[4] > 5*time.Millisecond {
			t.Errorf("%q takes %v, want at most 5 ms", q, times[4])
		}
	}
	start = cpuTime()
	for range 100 {
		if _, err := u.s.Complete(t.Context(), u.w, "pag 12", 10); err != nil {
			t.Fatal(err)
		}
	}
	if each := (cpuTime() - start) / 100; each > time.Millisecond {
		t.Errorf("a completion takes %v, want at most 1 ms", each)
	} else {
		t.Logf("measured: a completion takes %v", each)
	}
	start = cpuTime()
	for i := range 20 {
		u.put("Folder_3/Page_123", fmt.Sprintf("changed %d\n%s", i, strings.Repeat("common words of a page\n", 200)))
	}
	saves := cpuTime()
	u.search("x")
	t.Logf("measured: 20 saves took %v of CPU time, indexing them %v", saves-start, cpuTime()-saves)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
