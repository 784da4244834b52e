package pages

import (
	"context"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// withReplay makes a change. If it fails, an earlier try of the same request may
// be the reason: the page exists, the text is replaced. Then withReplay returns
// the result of that try.
func withReplay(ctx context.Context, w *content.Wiki, a wiki.Access, wr Write, change func() (Saved, error)) (Saved, error) {
	done, err := change()
	if err == nil || wr.IdempotencyKey == "" {
		return done, err
	}
	r := content.Request{Author: a.Caller()}
	wr.setKey(&r)
	first, replayErr := w.Replay(ctx, r)
	switch {
	case replayErr != nil:
		return Saved{}, replayErr
	case !first.Replayed:
		return done, err
	}
	return savedFrom(first), nil
}

// setKey sets a request's idempotency key.
func (wr Write) setKey(r *content.Request) {
	r.IdempotencyKey, r.IdempotencyHash, r.IdempotencyWindow = wr.IdempotencyKey, wr.IdempotencyHash, wr.IdempotencyWindow
}
