package pages

import (
	"fmt"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// Attack: two revisions of a page with a megabyte of short lines each. Their diff
// was a page of 140 MB, and the blame 28 MB. Any reader could request several at
// once.
func TestHugeDiffsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.put("Page", strings.Repeat("a\nb\n", 30_000))
	second := w.put("Page", strings.Repeat("b\na\nb\n", 18_000))
	d, err := w.Diff(w.t.Context(), w.reader, "Page", first.Commit, second.Commit)
	if err != nil || !d.TooLarge || d.Hunks != nil || d.Added == 0 {
		t.Errorf("diff: %v, %d hunks, %d added, %v", d.TooLarge, len(d.Hunks), d.Added, err)
	}
	_, diffs, err := w.Commit(w.t.Context(), w.reader, second.Commit)
	if err != nil || len(diffs) != 1 || !diffs[0].TooLarge || diffs[0].Hunks != nil {
		t.Errorf("commit: %+v, %v", diffs, err)
	}
	_, err = w.Blame(w.t.Context(), w.reader, "Page", "")
	wantKind(t, err, wiki.ErrTooLarge)

	// A long page by a person is still shown.
	long := w.put("Long", strings.Repeat("a line of a page\n", 15_000))
	if _, diffs, err := w.Commit(w.t.Context(), w.reader, long.Commit); err != nil || diffs[0].TooLarge {
		t.Errorf("a long page: %v", err)
	}
	if lines, err := w.Blame(w.t.Context(), w.reader, "Long", ""); err != nil || len(lines) != 15_000 {
		t.Errorf("blame of a long page: %d lines, %v", len(lines), err)
	}
}

// Attack: drafts with megabytes in the revision field, which has no size limit.
func TestDraftRevisionIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wantKind(t, w.SaveDraft(w.t.Context(), w.owner, "Page", []byte("x\n"), "", strings.Repeat("a", 1<<20)), wiki.ErrInvalid)
}

// Attack: pages with thousands of red links each in a public wiki, then requests
// for missing pages: each request read all links of the wiki.
func TestBacklinksReadOnlyTheirLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Folder/Page", "[[missing thing]] [[Other]]\n")
	w.put("Second", "[[Missing_Thing]]\n")
	from, err := w.Backlinks(w.t.Context(), w.reader, "Missing_Thing")
	if err != nil || len(from) != 2 || from[0].Name != "Folder/Page" || from[1].Name != "Second" {
		t.Errorf("%v, %v", from, err)
	}
}

// Attack: a few pages link to thousands of missing pages, so that each view of the
// index lists them all.
func TestIndexIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 3 {
		var text strings.Builder
		for k := range 1000 {
			fmt.Fprintf(&text, "[[Missing %d %d]]\n\n", n, k)
		}
		w.put(fmt.Sprintf("Red_%d", n), text.String())
	}
	first, err := w.Index(w.t.Context(), w.reader)
	if err != nil || len(first.Wanted) != maxWanted {
		t.Fatalf("%d wanted pages, %v", len(first.Wanted), err)
	}
	if again, _ := w.Index(w.t.Context(), w.reader); again != first {
		t.Error("the index was computed twice for one head")
	}
	w.put("Missing_0_0", "here now\n")
	if next, _ := w.Index(w.t.Context(), w.reader); next == first || next.Pages != first.Pages+1 {
		t.Error("the index is outdated")
	}
}
