package budget

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Attack: work of minutes, so that the other work of its wiki waits as long. It goes
// on only when the others have had their turn.
func TestTurnsAlternate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(2, 1)
		long, err := s.TakeTurn(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		defer long.End()
		done := false
		go func() {
			release := acquire(t, s, "ada", 1)
			done = true
			time.Sleep(time.Second)
			release()
		}()
		synctest.Wait()
		if err := long.Check(t.Context()); err != nil || done {
			t.Fatalf("it pauses at once: %v", err)
		}
		time.Sleep(turnLength)
		began := time.Now()
		if err := long.Check(t.Context()); err != nil || !done || time.Since(began) != time.Second {
			t.Errorf("%v, another's work is done: %v, after %s", err, done, time.Since(began))
		}
		if _, ok := s.TryAcquire("ada"); ok {
			t.Error("the unit isn't taken again")
		}
	})
}

// Work that was canceled while it paused holds nothing.
func TestTurnEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(2, 1)
		ctx, cancel := context.WithCancel(t.Context())
		turn, err := s.TakeTurn(ctx, "ada")
		if err != nil {
			t.Fatal(err)
		}
		granted := make(chan func())
		go func() { granted <- acquire(t, s, "ada", 1) }()
		synctest.Wait()
		time.Sleep(turnLength)
		time.AfterFunc(time.Second, cancel)
		if err := turn.Check(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		turn.End()
		(<-granted)()
		if s.used != 0 || len(s.held) != 0 {
			t.Errorf("%d units are held by %v", s.used, s.held)
		}
	})
}
