package pages

import (
	"errors"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// The queue holds commits by the caller's agents until the caller reviews them.
// Read-only tokens and non-members can't review.
func TestReviewQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	w.writeAs(w.owner, "By_Hand", "x\n")
	w.writeAs(robot(w.editor, "Claude Code"), "Of_Another", "x\n")
	w.writeAs(claude, "A", "x\n")
	w.writeAs(claude, "B", "x\n")
	fresh := func(a wiki.Access, since time.Time) []wiki.Commit {
		t.Helper()
		list, err := w.PendingReview(w.ctx, a, since, 5)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	list := fresh(w.owner, time.Time{})
	if len(list) != 2 || list[0].Changes[0].Path != "B.md" || list[1].Changes[0].Path != "A.md" {
		t.Fatalf("%+v", list)
	}
	reads := w.owner.Caller()
	reads.ReadOnly = true
	for _, a := range []wiki.Access{w.reader, wiki.NewAccess(w.site, reads, wiki.Owner)} {
		if err := w.MarkReviewed(w.ctx, a, list[0].ID); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%s reviews: %v", a.Role(), err)
		}
	}
	if err := w.MarkReviewed(w.ctx, w.viewer, list[0].ID); err != nil {
		t.Error(err)
	}
	if err := w.MarkReviewed(w.ctx, w.owner, list[0].ID); err != nil {
		t.Error(err)
	}
	if err := w.MarkReviewed(w.ctx, w.owner, "0123456"); !errors.Is(err, wiki.ErrNotFound) {
		t.Error(err)
	}
	if list := fresh(w.owner, time.Time{}); len(list) != 1 || list[0].Changes[0].Path != "A.md" {
		t.Errorf("after reviewing one: %+v", list)
	}
	if list := fresh(w.owner, w.now().Add(time.Hour)); len(list) != 0 {
		t.Errorf("since later: %+v", list)
	}
	if list := fresh(w.reader, time.Time{}); len(list) != 0 {
		t.Errorf("nobody's agents: %+v", list)
	}
}
