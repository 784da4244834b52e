// Package await waits in tests for what another goroutine or process does. Only test
// files may import it.
package await

import (
	"testing"
	"time"
)

// Long is a limit for conditions that a working program meets in well under a second.
// It is never reached on a busy machine.
const Long = time.Minute

const interval = 5 * time.Millisecond

// Until polls a condition until it holds. It ends the test when the limit is over; the
// message names what the condition stands for, such as "the repository is packed".
func Until(t testing.TB, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	if !Within(limit, holds) {
		t.Fatalf("not within %v: %s", limit, what)
	}
}

// Within polls a condition until it holds, and reports whether it did within the limit.
func Within(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); !holds(); time.Sleep(interval) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
