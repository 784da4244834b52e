package pages

import (
	"context"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// replay answers a retry as its first try was answered, before anything is
// checked that the first try itself has changed.
func replay(ctx context.Context, w *content.Wiki, a wiki.Access, wr Write) (Saved, bool, error) {
	return Saved{}, false, nil
}
