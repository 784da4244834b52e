package timing

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, times := With(t.Context())
		spend := func(ctx context.Context, p Part, d time.Duration) {
			end := Measure(ctx, p)
			time.Sleep(d)
			end()
		}
		spend(ctx, Store, time.Second)
		spend(ctx, Store, time.Second)
		spend(context.WithoutCancel(ctx), Git, time.Minute)
		spend(t.Context(), Content, time.Hour) // of another request
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { spend(ctx, Index, time.Second) })
		}
		both.Wait()
		for p, want := range map[Part]time.Duration{Store: 2 * time.Second, Git: time.Minute, Content: 0, Index: 2 * time.Second} {
			if got := times.Spent(p); got != want {
				t.Errorf("part %d: %s, want %s", p, got, want)
			}
		}
	})
}
