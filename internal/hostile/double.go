// Package hostile is for tests only: texts that make parsers, merges and templates
// slow or their output large, images that are slow to decode, and a check that twice
// the text costs at most twice as much. It knows no other package.
package hostile

import (
	"maps"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// CPU returns the processor time that this process has used. Tests measure it
// instead of time because machines are shared.
func CPU() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err) // impossible: the arguments are valid
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

const (
	maxRatio = 2.5
	tries    = 5
	// A cost below cheap is noise, whatever its ratio.
	cheap = 500 * time.Millisecond
	// An answer below small has a fixed part that matters more than the text.
	small = 256 << 10
)

// A Cost is one measurement: processor time and bytes of the answer.
type Cost struct {
	CPU    time.Duration
	Answer int
}

// Measure returns the cost of f, which returns the size of its answer.
func Measure(f func() int) Cost {
	begun := CPU()
	n := f()
	return Cost{CPU() - begun, n}
}

// Double fails the test unless work on twice the text takes less than 2.5 times
// the processor time and has less than 2.5 times the answer. run does the work on
// a text of about n bytes and returns the size of the answer. Double returns the
// cost of the larger text, the lowest of several measurements.
func Double(t testing.TB, what string, n int, run func(n int) int) Cost {
	t.Helper()
	return DoublePrepared(t, what, n, func(n int) func() int { return func() int { return run(n) } })
}

// DoublePrepared is Double for work that needs preparation, such as encoding a
// request, which isn't measured. prepare is called before each measurement.
func DoublePrepared(t testing.TB, what string, n int, prepare func(n int) (run func() int)) Cost {
	t.Helper()
	one, two := Measure(prepare(n)), Measure(prepare(2*n))
	slow := func() bool { return two.CPU > cheap && float64(two.CPU) > maxRatio*float64(one.CPU) }
	for i := 1; i < tries && slow(); i++ {
		runtime.GC() // so that neither pays for the other's garbage
		one.CPU = min(one.CPU, Measure(prepare(n)).CPU)
		two.CPU = min(two.CPU, Measure(prepare(2*n)).CPU)
	}
	if slow() {
		t.Errorf("%s: %v of CPU for %d bytes, %v for twice as many", what, one.CPU, n, two.CPU)
	}
	if two.Answer > small && float64(two.Answer) > maxRatio*float64(one.Answer) {
		t.Errorf("%s: an answer of %d bytes to %d bytes, %d to twice as many", what, one.Answer, n, two.Answer)
	}
	return two
}

// Turns returns a function that counts calls with each size from 0 to 4, and again.
// A run that must not be answered from a cache uses another page each time.
func Turns() func(n int) int {
	calls := map[int]int{}
	return func(n int) int {
		calls[n]++
		return (calls[n] - 1) % tries
	}
}

// Tries is the number of results that a function of Turns has.
const Tries = tries

// Routes returns the shapes and the size that tests of whole requests use: in a long
// run all that are text, because every route refuses NUL and invalid UTF-8, or else
// one that costs much, to be quick.
func Routes(long bool) (shapes map[string]func(int) string, n int) {
	if long {
		shapes = maps.Clone(Pages)
		maps.DeleteFunc(shapes, func(_ string, shape func(int) string) bool {
			text := shape(1000)
			return strings.Contains(text, "\x00") || !utf8.ValidString(text)
		})
		return shapes, 128 << 10
	}
	return map[string]func(int) string{"rules of tables": Pages["rules of tables"]}, 16 << 10
}
