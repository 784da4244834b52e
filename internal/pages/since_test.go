package pages

import (
	"fmt"
	"slices"
	"testing"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// An agent learns about the commits of others, and about changes to its own work.
func TestNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	person := w.editor.Caller().User
	agent := func(grant string) wiki.Access {
		return wiki.NewAccess(w.site, wiki.Caller{User: person, Agent: "Claude", Client: "c", Grant: grant}, wiki.Editor)
	}
	mine, other := agent("g1"), agent("g2")
	save := func(a wiki.Access, name, text string) Saved {
		t.Helper()
		r := SaveRequest{Name: name, Text: []byte(text)}
		if p, err := w.Page(w.t.Context(), w.owner, name, ""); err == nil {
			r.Base = p.File.Blob
		}
		done, err := w.Save(w.t.Context(), a, r)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	save(w.owner, "Start", "start\n")
	save(mine, "Mine", "one\n")
	start := int64(w.head())
	save(other, "Theirs", "x\n")
	save(mine, "Mine", "one\ntwo\n")
	save(w.owner, "Mine", "one\ntwo\nthree\n")
	undone := save(mine, "Undone", "bad\n")
	if _, err := w.Revert(w.t.Context(), w.owner, undone.Commit, Write{}); err != nil {
		t.Fatal(err)
	}
	news, err := w.News(w.t.Context(), mine, start, 10)
	if err != nil || len(news.Commits) != 3 || news.More || news.UpTo != int64(w.head()) {
		t.Fatalf("%+v, %v", news, err)
	}
	if !slices.Equal(news.Edited, []wiki.PageName{"Mine", "Undone"}) || len(news.Undone) != 1 || news.Undone[0].ID != undone.Commit {
		t.Errorf("edited %v, undone %+v", news.Edited, news.Undone)
	}
	if news, err := w.News(w.t.Context(), mine, start, 2); err != nil || len(news.Commits) != 2 || !news.More || news.UpTo != news.Commits[1].Seq && news.UpTo < news.Commits[1].Seq {
		t.Errorf("cut: %+v, %v", news, err)
	} else if rest, err := w.News(w.t.Context(), mine, news.UpTo, 2); err != nil || len(rest.Commits) != 1 || rest.More {
		t.Errorf("the rest: %+v, %v", rest, err)
	}
	if news, err := w.News(w.t.Context(), mine, news.UpTo, 10); err != nil || len(news.Commits) != 0 {
		t.Errorf("nothing new: %+v, %v", news, err)
	}
	if news, err := w.News(w.t.Context(), other, start, 10); err != nil || len(news.Commits) != 4 || len(news.Undone) != 0 || len(news.Edited) != 0 {
		t.Errorf("the other agent: %+v, %v", news, err)
	}
	for _, after := range []int64{0, int64(w.head()) + 5} {
		if news, err := w.News(w.t.Context(), mine, after, 3); err != nil || len(news.Commits) == 0 || news.UpTo != int64(w.head()) {
			t.Errorf("after %d: %+v, %v", after, news, err)
		}
	}
}

// An agent's own commits don't end the news: after many of them there is more.
func TestNewsBehindOwnCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := wiki.NewAccess(w.site, wiki.Caller{User: w.editor.Caller().User, Agent: "Claude", Grant: "g1"}, wiki.Editor)
	w.put("Start", "start\n")
	first := w.head()
	for i := range maxNewsCommits {
		if _, err := w.ApplyEdits(w.t.Context(), mine, EditRequest{Name: "Start", Edits: []edit.Edit{{Op: edit.Append, Text: fmt.Sprint("- ", i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.put("Theirs", "x\n")
	news, err := w.News(w.t.Context(), mine, first, 10)
	if err != nil || len(news.Commits) != 0 || !news.More {
		t.Fatalf("%+v, %v", news, err)
	}
	if news, err = w.News(w.t.Context(), mine, news.UpTo, 10); err != nil || len(news.Commits) != 1 || news.More {
		t.Errorf("the rest: %+v, %v", news, err)
	}
}
