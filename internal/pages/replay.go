package pages

import (
	"context"
	"errors"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// retried makes a change. Where it is refused, the refusal may come of what its
// own first try did: the page exists, the text is replaced. Then it answers as
// that first try did.
func retried(ctx context.Context, w *content.Wiki, a wiki.Access, wr Write, change func() (Saved, error)) (Saved, error) {
	done, err := change()
	if err == nil || wr.IdempotencyKey == "" {
		return done, err
	}
	// A commit is asked for its key before anything else. This one can do
	// nothing, so what it answers with is the first try's result or no result.
	first, replayErr := commit(ctx, w, a, wr, content.Request{
		Message: "-", Edits: []content.Edit{{Op: content.Delete, Path: "", Base: content.BaseAny}},
	})
	if errors.Is(replayErr, wiki.ErrNotFound) {
		return done, err
	}
	return first, replayErr
}
