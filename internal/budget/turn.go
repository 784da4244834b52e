package budget

import (
	"context"
	"time"
)

// turnLength is how long work goes on before others get their turn.
const turnLength = 20 * time.Millisecond

// A Turn is one unit for long work that can pause. It is for one goroutine.
type Turn struct {
	slots   *Slots
	key     string
	began   time.Time
	release func() // nil while it isn't held
}

// TakeTurn waits for one unit, like Acquire. The caller must call End.
func (s *Slots) TakeTurn(ctx context.Context, key string) (*Turn, error) {
	t := &Turn{slots: s, key: key}
	return t, t.acquire(ctx)
}

func (t *Turn) acquire(ctx context.Context) (err error) {
	t.release, err = t.slots.Acquire(ctx, t.key)
	t.began = time.Now()
	return err
}

// Check is called often during the work. From time to time it gives the unit to those
// who wait and takes another one. It fails only with ctx's error; then the unit isn't
// held, and the work must end.
func (t *Turn) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil || t.release != nil && time.Since(t.began) < turnLength {
		return err
	}
	t.End()
	return t.acquire(ctx)
}

// End returns the unit. It is idempotent.
func (t *Turn) End() {
	if t.release != nil {
		t.release()
		t.release = nil
	}
}
