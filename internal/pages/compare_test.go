package pages

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/hostile"
	"robot.wtf/internal/wiki"
)

// A wiki that uses up its share of comparisons delays its own, and no other
// wiki's.
func TestComparisonsHaveAShareForEachWiki(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.another("bob", wiki.DefaultLimits)
	large := strings.Repeat("a line\n", 100_000)
	waits := func(w *world, patience time.Duration) bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := w.Compare(ctx, w.owner, []byte(large), []byte(large))
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		return err != nil
	}
	release, err := w.content.AcquireCompare(t.Context(), w.owner.Site().Slug, len(large))
	if err != nil {
		t.Fatal(err)
	}
	if !waits(w, 10*time.Millisecond) {
		t.Error("a wiki exceeds its share")
	}
	if waits(other, time.Minute) {
		t.Error("another wiki waits")
	}
	release()
	if waits(w, time.Minute) {
		t.Error("the share wasn't returned")
	}
}

// Each way to compare or merge texts is within the budget: with the share used up,
// it waits until the request ends.
func TestEveryComparisonIsWithinTheBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.put("Page", hostile.Places("x", 3))
	second := w.put("Page", hostile.Places("y", 3))
	w.put("Page", hostile.Places("z", 3))
	release, err := w.content.AcquireCompare(t.Context(), w.owner.Site().Slug, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	history, err := w.History(t.Context(), w.owner, "Page", 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(ctx context.Context) error{
		"merge": func(ctx context.Context) error {
			_, err := w.Save(ctx, w.owner, SaveRequest{Name: "Page", Text: []byte("new\n"), Precondition: Precondition{Base: first.Revision}, Exact: true})
			return err
		},
		"style": func(ctx context.Context) error {
			_, err := w.Save(ctx, w.owner, SaveRequest{Name: "Page", Text: []byte("new\n"), Precondition: Precondition{Base: first.Revision}})
			return err
		},
		"diff": func(ctx context.Context) error {
			_, err := w.Diff(ctx, w.owner, "Page", first.Commit, second.Commit)
			return err
		},
		"commit": func(ctx context.Context) error {
			_, _, err := w.Commit(ctx, w.owner, second.Commit)
			return err
		},
		"revert": func(ctx context.Context) error {
			_, err := w.Revert(ctx, w.owner, second.Commit, Write{})
			return err
		},
		"blame": func(ctx context.Context) error {
			_, err := w.Blame(ctx, w.owner, "Page", "")
			return err
		},
		"diffstats": func(ctx context.Context) error {
			_, err := w.Diffstats(ctx, w.owner, history)
			return err
		},
		"compare": func(ctx context.Context) error {
			_, err := w.Compare(ctx, w.owner, []byte("a"), []byte("b"))
			return err
		},
		"compact diff": func(ctx context.Context) error {
			_, err := w.CompactDiff(ctx, w.owner, "a", "b", 3, 1)
			return err
		},
		"edits": func(ctx context.Context) error {
			_, err := w.ApplyEdits(ctx, w.owner, EditRequest{Name: "Page", Edits: []edit.Edit{{Op: edit.Append, Text: "more"}}})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := f(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s doesn't wait: %v", name, err)
		}
		cancel()
	}
}

func TestTooManyEditsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "text\n")
	edits := make([]edit.Edit, maxEdits+1)
	for i := range edits {
		edits[i] = edit.Edit{Op: edit.Append, Text: "more"}
	}
	_, err := w.ApplyEdits(t.Context(), w.owner, EditRequest{Name: "Page", Edits: edits})
	if !errors.Is(err, wiki.ErrInvalid) || !strings.Contains(err.Error(), "at most 100 edits") {
		t.Error(err)
	}
	if _, err := w.ApplyEdits(t.Context(), w.owner, EditRequest{Name: "Page", Edits: edits[:maxEdits]}); err != nil {
		t.Error(err)
	}
}
