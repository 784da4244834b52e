package pages

import (
	"errors"
	"slices"
	"testing"
	"time"

	"robot.wtf/internal/content"
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
		list, err := w.PendingReview(w.t.Context(), a, since, 5)
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
		if err := w.MarkReviewed(w.t.Context(), a, list[0].ID); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%s reviews: %v", a.Role(), err)
		}
	}
	if err := w.MarkReviewed(w.t.Context(), w.viewer, list[0].ID); err != nil {
		t.Error(err)
	}
	if err := w.MarkReviewed(w.t.Context(), w.owner, list[0].ID); err != nil {
		t.Error(err)
	}
	if err := w.MarkReviewed(w.t.Context(), w.owner, "0123456"); !errors.Is(err, wiki.ErrNotFound) {
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

// The count and the list agree on the waiting changes of a person. Keeping a page, a
// session or everything takes it off both.
func TestReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	w.writeAs(w.owner, "By_Hand", "x\n")
	w.writeAs(w.editor, "Of_Bob", "x\n")
	w.writeAs(claude, "A", "x\n")
	w.writeAs(claude, "B", "x\n")
	w.writeAs(claude, "A", "x\ny\n")
	check := func(a wiki.Access, want ...string) Review {
		t.Helper()
		r, err := w.Review(w.t.Context(), a, nil, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range r.Sessions {
			for _, f := range s.Files {
				if f.Waiting {
					got = append(got, s.Author.Agent+"/"+string(f.Page))
				}
			}
		}
		n, err := w.CountWaiting(w.t.Context(), a)
		if !slices.Equal(got, want) || err != nil || n != len(want) || r.Files != n {
			t.Errorf("waiting %v, count %d, files %d, %v; want %v", got, n, r.Files, err, want)
		}
		return r
	}
	r := check(w.owner, "Claude Code/A", "Claude Code/B", "/Of_Bob")
	check(w.editor, "Claude Code/A", "Claude Code/B", "/By_Hand")
	agents := r.Sessions[0]
	if agents.Count != 3 || agents.Pages() != 2 || agents.Files[0].Edits != 2 || !r.Since.IsZero() {
		t.Errorf("%+v", agents)
	}
	keep := func(path string, again bool) {
		t.Helper()
		if err := w.Keep(w.t.Context(), w.owner, agents.ID, path, agents.Last, again); err != nil {
			t.Fatal(err)
		}
	}
	keep("A.md", false)
	check(w.owner, "Claude Code/B", "/Of_Bob")
	keep("A.md", true)
	check(w.owner, "Claude Code/A", "Claude Code/B", "/Of_Bob")
	keep("", false)
	check(w.owner, "/Of_Bob")
	w.writeAs(claude, "A", "x\ny\nz\n")
	check(w.owner, "Claude Code/A", "/Of_Bob")
	if err := w.KeepAll(w.t.Context(), w.owner, w.head()); err != nil {
		t.Fatal(err)
	}
	if r := check(w.owner); r.Since.IsZero() {
		t.Error("no time")
	}
	check(w.editor, "Claude Code/A", "Claude Code/B", "/By_Hand")
	wantKind(t, w.Keep(w.t.Context(), w.owner, agents.ID, "Else.md", agents.Last, false), wiki.ErrNotFound)
	if _, err := w.Review(w.t.Context(), w.reader, nil, 10); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a reader reviews: %v", err)
	}
	if n, err := w.CountWaiting(w.t.Context(), w.reader); n != 0 || err != nil {
		t.Errorf("a reader's count: %d, %v", n, err)
	}
}

// A review of agents' or of people's changes counts only those.
func TestReviewCountsWhatItLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeAs(w.editor, "Of_Bob", "x\n")
	claude := robot(w.owner, "Claude Code")
	w.writeAs(claude, "A", "x\n")
	w.writeAs(claude, "B", "x\n")
	for agents, want := range map[bool]int{true: 2, false: 1} {
		if r, err := w.Review(w.t.Context(), w.owner, &agents, 10); err != nil || r.Files != want || len(r.Sessions) != 1 {
			t.Errorf("agents %t: %d files in %d sessions, %v; want %d", agents, r.Files, len(r.Sessions), err, want)
		}
	}
}

// Keeping the last waiting change moves the mark, so later questions stay cheap.
func TestReviewSettles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeAs(w.editor, "Of_Bob", "x\n")
	r, err := w.Review(w.t.Context(), w.owner, nil, 10)
	if err != nil || len(r.Sessions) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := w.Keep(w.t.Context(), w.owner, r.Sessions[0].ID, "", r.UpTo, false); err != nil {
		t.Fatal(err)
	}
	if r, err = w.Review(w.t.Context(), w.owner, nil, 10); err != nil || r.Since.IsZero() || len(w.stored("SELECT seq FROM seen")) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A session with a commit that was cut is partial.
func TestCutSessionsArePartial(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		s := newSession(content.Session{Count: 1, Commits: []wiki.Commit{{Cut: cut}}})
		if s.Partial != cut {
			t.Errorf("cut %t: partial %t", cut, s.Partial)
		}
	}
}
