package pages

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Attack: saving, showing, comparing and searching large pages of one wiki, and its
// images, from many connections, so that every processor is busy. A wiki works on one
// of them at a time; small texts and other wikis don't wait.
func TestLargeTextsTakeTurns(t *testing.T) {
	t.Parallel()
	const largeText = 16 << 10
	w := newWorld(t)
	stored := w.put("Large", strings.Repeat("words\n", largeText))
	w.upload("Large", "dot.png", string(pngOf(picture(1, 1))))
	cw, leave, err := w.content.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	release, err := w.content.AcquireLarge(t.Context(), "ada", largeText)
	if err != nil {
		t.Fatal(err)
	}
	indexed := make(chan error, 1) // indexing isn't canceled
	go func() { indexed <- w.search.CatchUp(t.Context(), cw) }()
	large := []byte(strings.Repeat("other words\n", largeText))
	for what, work := range map[string]func(context.Context) error{
		"save": func(ctx context.Context) error {
			_, err := w.Save(ctx, w.owner, SaveRequest{Name: "New", Text: large, Precondition: Precondition{Create: true}})
			return err
		},
		"read": func(ctx context.Context) error { _, err := w.Page(ctx, w.reader, "Large", ""); return err },
		"rename": func(ctx context.Context) error {
			_, err := w.Rename(ctx, w.owner, RenameRequest{Name: "Large", NewName: "Larger", Precondition: Precondition{Base: stored.Revision}})
			return err
		},
		"view":    func(ctx context.Context) error { _, err := w.View(ctx, w.reader, "Large", ""); return err },
		"preview": func(ctx context.Context) error { _, err := w.Preview(ctx, w.owner, "New", large); return err },
		"compare": func(ctx context.Context) error { _, err := w.Compare(ctx, w.owner, large, nil); return err },
		"grep": func(ctx context.Context) error {
			_, err := w.Grep(ctx, w.reader, GrepRequest{Pattern: "words", Limit: 1})
			return err
		},
		"thumbnail": func(ctx context.Context) error {
			_, _, err := w.Thumbnail(ctx, w.reader, "Large/dot.png", "", 16)
			return err
		},
		"index": func(ctx context.Context) error {
			select {
			case err := <-indexed:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		"work of front ends": func(ctx context.Context) error {
			release, err := w.AcquireLarge(ctx, w.owner, largeText)
			if err == nil {
				release()
			}
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := work(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s doesn't wait for its turn: %v", what, err)
		}
		cancel()
	}
	w.put("Small", "few words\n")
	if _, err := w.View(t.Context(), w.reader, "Small", ""); err != nil {
		t.Error(err)
	}
	release()
	if err := <-indexed; err != nil {
		t.Error(err)
	}
	w.another("bob", wiki.DefaultLimits).put("Large", strings.Repeat("words\n", largeText))
}
