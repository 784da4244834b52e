// Package slow divides the tests into two tiers. The quick tier is what "go test
// ./..." runs: every rule and every promise, in a form that costs little. The slow
// tier repeats what a crash, a damaged file or a hostile input could still break, at
// sizes that take seconds; ./check runs it. Only test files may import this package.
package slow

import (
	"os"
	"testing"
)

// Enabled reports whether the slow tier runs: with ROBOT_SLOW or ROBOT_LONG set, but
// not with -short. Tests use it to choose between a small count and a large one.
func Enabled() bool {
	return (os.Getenv("ROBOT_SLOW") != "" || os.Getenv("ROBOT_LONG") != "") && !testing.Short()
}

// Test marks a test as part of the slow tier and skips it in a quick run.
func Test(t testing.TB) {
	t.Helper()
	if !Enabled() {
		t.Skip("a slow test: ./check runs it, and so does ROBOT_SLOW=1 go test")
	}
}
