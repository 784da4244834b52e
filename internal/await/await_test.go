package await

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		after := func(d time.Duration) func() bool { return func() bool { return time.Since(start) >= d } }
		if !Within(time.Minute, after(time.Second)) {
			t.Error("a condition that holds in time isn't noticed")
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("noticed after %v", took)
		}
		if Within(time.Minute, after(time.Hour)) {
			t.Error("a condition that never held was reported")
		}
		if took := time.Since(start); took > 2*time.Minute {
			t.Errorf("gave up after %v", took)
		}
	})
}
