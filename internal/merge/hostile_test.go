package merge

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/slow"
)

const mib = 1 << 20

// hostilePairs returns pairs of texts of about size bytes that are slow to diff.
func hostilePairs(size int) map[string][2]string {
	r := rand.New(rand.NewPCG(13, 17))
	randomLines := func(alphabet string, lines int) string {
		var b strings.Builder
		for range lines {
			b.WriteByte(alphabet[r.IntN(len(alphabet))])
			b.WriteByte('\n')
		}
		return b.String()
	}
	letters := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	words := func() string {
		var b strings.Builder
		for b.Len() < size {
			b.WriteString(letters[r.IntN(62):][:1] + letters[r.IntN(62):][:1] + " ")
		}
		return b.String()
	}
	sentences := func() string {
		var b strings.Builder
		for b.Len() < size {
			for range 8 {
				b.WriteString(letters[r.IntN(26):][:1] + letters[r.IntN(26):][:1] + " ")
			}
			b.WriteByte('\n')
		}
		return b.String()
	}
	return map[string][2]string{
		"one line repeated":              {strings.Repeat("a\n", size/2), strings.Repeat("b\n", size/2)},
		"one line, other counts":         {strings.Repeat("\n", size), strings.Repeat("a\n\n\n", size/4)},
		"two letters":                    {randomLines("ab", size/2), randomLines("ab", size/2)},
		"many letters":                   {randomLines(letters, size/2), randomLines(letters, size/2)},
		"two periodic texts":             {strings.Repeat("a\nb\nc\n", size/6), strings.Repeat("a\nc\nb\nd\n", size/8)},
		"swapped halves":                 {randomLines(letters, size/4) + strings.Repeat("\n", size/2), strings.Repeat("\n", size/2) + randomLines(letters, size/4)},
		"one line of a million words":    {words(), words()},
		"sentences of the same words":    {sentences(), sentences()},
		"a line of 1 MiB and 1 MiB more": {strings.Repeat("a", size), strings.Repeat("ab", size/2)},
		"one and two symbols":            {strings.Repeat("-", size), strings.Repeat("-*", size/2)},
	}
}

// Two pages of the maximum size can't keep a processor busy for long. The bound
// leaves room for slow machines and the race detector. It is meant to catch
// quadratic behavior, which takes minutes at 1 MiB. It is on processor time
// because machines are shared.
func TestHostileTextsTakeBoundedTime(t *testing.T) {
	const bound = 8 * time.Second
	timed := func(what string, f func()) {
		start := cpuTime(t)
		f()
		took := cpuTime(t) - start
		t.Logf("measured: %-40s %4d ms", what, took.Milliseconds())
		if took > bound {
			t.Errorf("%s took %v, more than %v", what, took, bound)
		}
	}
	size := rounds(mib/16, mib)
	if !slow.Enabled() {
		size = mib / 64
	}
	for name, pair := range hostilePairs(size) {
		old, new := []byte(pair[0]), []byte(pair[1])
		timed("diff, "+name, func() { Diff(old, new, 3) })
		half := append(old[:len(old)/2:len(old)/2], new[len(new)/2:]...)
		timed("merge, "+name, func() { Three(half, old, new) })
	}
}

func cpuTime(t *testing.T) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
