package pages

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// list formats the pages of a query with their properties.
func (w *world) list(q PageQuery) string {
	w.t.Helper()
	found, err := w.Query(w.t.Context(), w.viewer, q)
	if err != nil {
		w.t.Fatalf("%+v: %v", q, err)
	}
	var list []string
	for _, p := range found.Pages {
		text := string(p.Name)
		for i := range p.Properties {
			text += "|" + p.Properties[i].String()
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func TestQuery(t *testing.T) {
	w := newWorld(t)
	w.put("Work/A", "---\nstatus: draft\ndue: 2026-12-09\n---\n#x")
	w.put("Work/B", "---\nstatus: Draft\ndue: 2026-12-01\n---\na longer text")
	w.put("C", "---\nstatus: done\ndue: [2026-01-01]\n---\n")
	w.put("D", "#x")
	for _, test := range []struct {
		q    PageQuery
		want string
	}{
		{PageQuery{}, "C D Work/A Work/B"},
		{PageQuery{Sort: "-name"}, "Work/B Work/A D C"},
		{PageQuery{Sort: "updated"}, "D C Work/B Work/A"},
		{PageQuery{Sort: "-Updated"}, "Work/A Work/B C D"},
		{PageQuery{Sort: "size"}, "Work/B Work/A C D"},
		{PageQuery{Sort: "due"}, "C Work/B Work/A D"},
		{PageQuery{Sort: "-due"}, "Work/A Work/B C D"},
		{PageQuery{Sort: "status"}, "C Work/A Work/B D"},
		{PageQuery{Where: "status = draft", Show: []string{"status"}, Sort: "due"}, "Work/B|Draft Work/A|draft"},
		{PageQuery{Where: "due < 2026-12-05", Show: []string{"due", "none"}}, "C|2026-01-01| Work/B|2026-12-01|"},
		{PageQuery{Where: "status exists", ListFilter: ListFilter{Prefix: "work/"}}, "Work/A Work/B"},
		{PageQuery{Where: "not status = done", ListFilter: ListFilter{Tag: "x"}}, "D Work/A"},
	} {
		if got := w.list(test.q); got != test.want {
			t.Errorf("%+v: %s", test.q, got)
		}
	}
	found, err := w.Query(w.t.Context(), w.reader, PageQuery{Where: "stats = draft", Sort: "size"})
	if err != nil || len(found.Pages) != 0 || len(found.Unknown) != 1 || len(found.Known) != 2 || found.Known[0] != (KnownKey{Name: "status", Page: "C"}) {
		t.Errorf("unknown key: %+v %v", found, err)
	}
	if _, err := w.Query(w.t.Context(), w.reader, PageQuery{Where: "status ="}); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("invalid expression: %v", err)
	}
	if _, err := w.Query(w.t.Context(), wiki.Access{}, PageQuery{Where: "status = x"}); err == nil {
		t.Error("a caller without access got a list")
	}
}

// A takedown takes the front matter of a page out of the index.
func TestQueryAfterTakedown(t *testing.T) {
	w := newWorld(t)
	w.put("A", "---\nsecret: word\n---\n")
	if got := w.list(PageQuery{Where: "secret = word"}); got != "A" {
		t.Fatal(got)
	}
	operator := wiki.NewAccess(w.site, wiki.Caller{Operator: true}, wiki.Owner)
	if _, err := w.TakeDown(w.t.Context(), operator, "A", "by order of a court"); err != nil {
		t.Fatal(err)
	}
	if got := w.list(PageQuery{Where: "secret exists"}); got != "" {
		t.Error(got)
	}
}

// Attack: slow queries by front matter, as many as run at a time. Another wiki's isn't
// delayed.
func TestOneWikiHoldsOneQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leave, err := w.enterQuery(w.t.Context(), "eve")
	w.must(err)
	defer leave()
	waits, cancel := context.WithTimeout(w.t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.enterQuery(waits, "eve"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second query: %v", err)
	}
	leave, err = w.enterQuery(w.t.Context(), "bob")
	w.must(err)
	leave()
}
