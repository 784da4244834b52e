package oauth

import (
	"fmt"
	"testing"
	"time"
)

// Attack: more than a thousand failing documents on one host, so that the failures of other
// hosts are forgotten and their servers are asked again and again.
func TestFailuresAreShared(t *testing.T) {
	t.Parallel()
	var d documents
	now := time.Unix(1e9, 0)
	d.rememberFailure("https://slow.example/client.json", now)
	for i := range maxFailures + 20 {
		now = now.Add(time.Millisecond)
		d.rememberFailure(fmt.Sprintf("https://flood.example/%d.json", i), now)
	}
	if !d.failedRecently("https://slow.example/client.json", now) {
		t.Error("another host's failure is forgotten")
	}
	if len(d.failed) > maxFailures {
		t.Errorf("%d failures are remembered", len(d.failed))
	}
	d.rememberFailure("https://late.example/client.json", now.Add(failureMemory+4*time.Second))
	if len(d.failed) != 1 {
		t.Errorf("%d failures are remembered after their time", len(d.failed))
	}
}
