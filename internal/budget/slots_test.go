package budget

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// acquire is Acquire without waiting.
func acquire(t *testing.T, s *Slots, key string, units int64) func() {
	t.Helper()
	release, err := s.AcquireUnits(t.Context(), key, units)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// waitInOrder starts a waiter that sends its name when it gets its units.
func waitInOrder(t *testing.T, s *Slots, order chan<- string, name, key string, units int64) {
	go func() {
		release, err := s.AcquireUnits(t.Context(), key, units)
		if err != nil {
			t.Error(err)
			return
		}
		order <- name
		time.Sleep(time.Second)
		release()
	}()
	synctest.Wait()
}

// received lists the names sent so far.
func received(order <-chan string) string {
	var names []string
	for len(order) > 0 {
		names = append(names, <-order)
	}
	return fmt.Sprint(names)
}

func TestOneKeyHoldsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(3, 2)
		acquire(t, s, "ada", 1)
		acquire(t, s, "ada", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Acquire(ctx, "ada"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third unit for one key: %v", err)
		}
		if _, ok := s.TryAcquire("ada"); ok {
			t.Error("TryAcquire exceeds the share")
		}
		acquire(t, s, "bob", 1)
		if _, ok := s.TryAcquire("eve"); ok {
			t.Error("TryAcquire exceeds the total")
		}
	})
}

// A key with many waiters delays another key's waiter by one turn, not by all.
func TestKeysTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(1, 1)
		first := acquire(t, s, "ada", 1)
		order := make(chan string, 10)
		for i := range 5 {
			waitInOrder(t, s, order, fmt.Sprint("ada", i), "ada", 1)
		}
		waitInOrder(t, s, order, "bob", "bob", 1)
		first()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := received(order), "[ada0 bob ada1 ada2 ada3 ada4]"; got != want {
			t.Errorf("order %v, want %v", got, want)
		}
	})
}

// Waiters of a key that has its share don't block other keys.
func TestFullShareBlocksNobodyElse(t *testing.T) {
	s := NewSlots(4, 2)
	acquire(t, s, "ada", 2)
	ctx, cancel := context.WithCancel(t.Context())
	var waits sync.WaitGroup
	for range 3 {
		waits.Go(func() {
			if _, err := s.Acquire(ctx, "ada"); err == nil {
				t.Error("a key exceeded its share")
			}
		})
	}
	acquire(t, s, "bob", 2)()
	cancel()
	waits.Wait()
}

// A large request is not overtaken forever by small ones.
func TestLargeRequestsGetTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(4, 4)
		first := acquire(t, s, "ada", 2)
		order := make(chan string, 10)
		waitInOrder(t, s, order, "large", "bob", 4)
		waitInOrder(t, s, order, "small", "eve", 1)
		first()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := received(order), "[large small]"; got != want {
			t.Errorf("order %v, want %v", got, want)
		}
	})
}

func TestAbandonedWaitsLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(2, 2)
		release := acquire(t, s, "ada", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go s.AcquireUnits(ctx, "bob", 2) // blocks eve until it gives up
		synctest.Wait()
		order := make(chan string, 10)
		waitInOrder(t, s, order, "eve", "eve", 1)
		if len(order) != 0 {
			t.Fatal("a waiter overtook the first in line")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(order) != 1 {
			t.Error("an abandoned wait still blocks others")
		}
		release()
		time.Sleep(time.Minute)
		if s.used != 0 || len(s.held)+len(s.queues)+len(s.turns) != 0 {
			t.Errorf("left over: %d units, %v %v %v", s.used, s.held, s.queues, s.turns)
		}
	})
}

func TestImpossibleRequestsFail(t *testing.T) {
	s := NewSlots(4, 2)
	for _, units := range []int64{-1, 3} {
		if _, err := s.AcquireUnits(t.Context(), "ada", units); err == nil {
			t.Errorf("%d units were granted", units)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Acquire(ctx, "ada"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a canceled context: %v", err)
	}
}

// Random use never exceeds the bounds and leaves nothing.
func TestRandomUse(t *testing.T) {
	s := NewSlots(5, 3)
	var mu sync.Mutex
	var used int64
	held := map[string]int64{}
	count := func(key string, units int64) {
		mu.Lock()
		defer mu.Unlock()
		used += units
		held[key] += units
		if used > 5 || held[key] > 3 {
			t.Errorf("%d units in use, %d by one key", used, held[key])
		}
	}
	var users sync.WaitGroup
	for i := range 12 {
		users.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			key := fmt.Sprint(i % 4)
			for range 300 {
				units := 1 + r.Int64N(3)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(300))*time.Microsecond)
				release, err := s.AcquireUnits(ctx, key, units)
				cancel()
				if err != nil {
					continue
				}
				count(key, units)
				count(key, -units)
				release()
			}
		})
	}
	users.Wait()
	if s.used != 0 || len(s.held)+len(s.queues)+len(s.turns) != 0 {
		t.Errorf("left over: %d units, %v %v %v", s.used, s.held, s.queues, s.turns)
	}
}
