package pages

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A cached page with a PageIndex changes when pages below it come and go.
func TestPageIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Notes", "All:\n\n{{PageIndex}}\n\nSome:\n\n{{PageIndex|src=b*|style=list}}\n")
	w.put("Notes/Apple_Pie", "a")
	w.put("Other/Beet", "outside")
	listed := func() string {
		t.Helper()
		v, err := w.View(w.t.Context(), w.reader, "Notes", "")
		if err != nil {
			t.Fatal(err)
		}
		return string(v.Body)
	}
	first := listed()
	if !strings.Contains(first, `<a href="/Notes/Apple_Pie">Apple Pie</a>`) || strings.Contains(first, "Beet") || !strings.Contains(first, "no pages here yet") {
		t.Errorf("one page below: %s", first)
	}
	w.put("Notes/deep/Bean_Soup", "b")
	w.upload("Notes", "b.png", "p")
	if second := listed(); strings.Count(second, `<a href="/Notes/deep/Bean_Soup">deep/Bean Soup</a>`) != 2 || strings.Contains(second, "b.png") {
		t.Errorf("two pages below: %s", second)
	}
	if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("Notes/deep/Bean_Soup"), Name: "Notes/deep/Bean_Soup"}); err != nil {
		t.Fatal(err)
	}
	if third := listed(); third != first {
		t.Errorf("after the deletion: %s", third)
	}
}

// Attack: a page lists pages by a pattern as long as a line can be, which is tried on
// every page of the wiki whenever a name changes.
func TestLongPatternsMatchNothing(t *testing.T) {
	n := newNames([]string{"F/A.md", "F/B.md"}, nil, nil)
	for stars, want := range map[int]int{1: 2, 100: 2, 60_000: 0} {
		if list, more := n.matching("F", strings.Repeat("*", stars)); len(list) != want || more {
			t.Errorf("%d stars match %d pages, want %d", stars, len(list), want)
		}
	}
}

// Attack: every page of a wiki has the same aliases.
func TestManyPagesOfOneAlias(t *testing.T) {
	var paths, shared []string
	for i := range 10 {
		shared = append(shared, fmt.Sprintf("Alias %d", i))
	}
	aliases := map[string][]string{}
	for i := range 10_000 {
		paths = append(paths, fmt.Sprintf("Page%05d.md", i))
		aliases[paths[i]] = shared
	}
	began := time.Now()
	n := newNames(paths, aliases, nil)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if list := n.byAlias["alias_3"]; len(list) != len(paths) || list[0] != paths[0] {
		t.Errorf("%d pages have the alias", len(list))
	}
}

// A cached page with an AttachmentList changes when attachments come and go.
func TestAttachmentList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Notes", "{{AttachmentList|filter=*.TXT}}\n")
	body := func() string {
		view, err := w.View(w.t.Context(), w.owner, "Notes", "")
		w.must(err)
		return string(view.Body)
	}
	if !strings.Contains(body(), "no attachments") {
		t.Error(body())
	}
	w.upload("Notes", "a.txt", "a")
	w.upload("Notes", "b.csv", "b")
	if got := body(); !strings.Contains(got, `href="/Notes/a.txt"`) || strings.Contains(got, "b.csv") {
		t.Error(got)
	}
}
