package pages

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// Every method denies callers without the required right, and changes nothing for
// them.
func TestEveryMethodChecksAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "one\n")
	w.put("Page", "two\n")
	w.upload("Page", "file.txt", "text")
	callers := []struct {
		name string
		a    wiki.Access
		may  wiki.Action // the highest permitted action, -1 for none
	}{
		{"zero", wiki.Access{}, -1},
		{"stranger", wiki.NewAccess(w.site, wiki.Caller{}, wiki.NoRole), -1},
		{"reader", w.reader, wiki.Read},
		{"viewer", w.viewer, wiki.Read},
		{"owner's read-only token", wiki.NewAccess(w.site, wiki.Caller{User: w.owner.Caller().User, ReadOnly: true}, wiki.Owner), wiki.Read},
		{"editor", w.editor, wiki.Edit},
		{"owner", w.owner, wiki.Configure},
	}
	for _, m := range methods(w) {
		for i, c := range callers {
			p := prepared{n: i, commit: w.put("Extra", fmt.Sprint(m.name, i)).Commit, page: w.base("Page")}
			p.file = Precondition{Base: w.upload("Page", fmt.Sprint("extra", i), m.name).Revision}
			before := w.head()
			err := m.call(c.a, p)
			switch {
			case c.may >= m.action && err != nil:
				t.Errorf("%s as %s: %v", m.name, c.name, err)
			case c.may < m.action && !errors.Is(err, wiki.ErrDenied):
				t.Errorf("%s as %s: got %v, want ErrDenied", m.name, c.name, err)
			case c.may < m.action && w.head() != before:
				t.Errorf("%s as %s: denied, but it made a commit", m.name, c.name)
			}
		}
	}
	drafts, err := w.Drafts(w.t.Context(), w.editor)
	if err != nil || len(drafts) != 0 {
		t.Errorf("drafts left: %v %v", drafts, err)
	}
}

// prepared is the state before each call: a page, its attachment, and a commit
// that changed the page Extra.
type prepared struct {
	n          int
	page, file Precondition
	commit     string
}

type method struct {
	name   string
	action wiki.Action
	call   func(wiki.Access, prepared) error
}

func methods(w *world) []method {
	one := func(_ any, err error) error { return err }
	ctx := w.t.Context()
	return []method{
		{"Head", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Head(ctx, a)) }},
		{"ExportSizes", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.ExportSizes(ctx, a)) }},
		{"Stats", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Stats(ctx, a)) }},
		{"Find", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Find(ctx, a, "Page")) }},
		{"Page", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Page(ctx, a, "Page", "")) }},
		{"View", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.View(ctx, a, "Page", "")) }},
		{"Tree", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Tree(ctx, a)) }},
		{"Index", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Index(ctx, a)) }},
		{"List", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.List(ctx, a, ListFilter{})) }},
		{"Folder", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Folder(ctx, a, "")) }},
		{"History", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.History(ctx, a, "Page", 0, 5)) }},
		{"HistoryBy", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.HistoryBy(ctx, a, "Page", LogFilter{})) }},
		{"PendingReview", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.PendingReview(ctx, a, time.Time{}, 5)) }},
		{"Authors", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Authors(ctx, a)) }},
		{"Diffstats", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Diffstats(ctx, a, nil)) }},
		{"Changelog", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Changelog(ctx, a, LogFilter{})) }},
		{"Diff", wiki.Read, func(a wiki.Access, p prepared) error { return one(w.Diff(ctx, a, "Page", p.page.Base, "")) }},
		{"Commit", wiki.Read, func(a wiki.Access, p prepared) error {
			_, _, err := w.Commit(ctx, a, p.commit)
			return err
		}},
		{"Blame", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Blame(ctx, a, "Page", "")) }},
		{"Attachments", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Attachments(ctx, a, "Page")) }},
		{"AllAttachments", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.AllAttachments(ctx, a)) }},
		{"OpenAttachment", wiki.Read, func(a wiki.Access, _ prepared) error {
			_, _, err := w.OpenAttachment(ctx, a, "Page/file.txt", "")
			return err
		}},
		{"Thumbnail", wiki.Read, func(a wiki.Access, _ prepared) error {
			_, _, err := w.Thumbnail(ctx, a, "Page/file.txt", "", 80)
			if errors.Is(err, wiki.ErrInvalid) {
				return nil // allowed; it is no picture
			}
			return err
		}},
		{"Search", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Search(ctx, a, Query{Text: "two"})) }},
		{"Complete", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Complete(ctx, a, "Pa", 5)) }},
		{"CompleteLink", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.CompleteLink(ctx, a, "Pa", "Page", 5)) }},
		{"Links", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Links(ctx, a, "Page")) }},
		{"Graph", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Graph(ctx, a)) }},
		{"Source", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Source(ctx, a, "Page", "")) }},
		{"RevisionAt", wiki.Read, func(a wiki.Access, _ prepared) error {
			return one(w.RevisionAt(ctx, a, "Page", time.Now().Add(100*24*time.Hour)))
		}},
		{"SimilarNames", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.SimilarNames(ctx, a, "Page", 5)) }},
		{"Grep", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.Grep(ctx, a, GrepRequest{Pattern: "x", Limit: 1})) }},
		{"ChangeDiff", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.ChangeDiff(ctx, a, "a", "b", "c", 1)) }},
		{"Deletion", wiki.Read, func(a wiki.Access, p prepared) error { return one(w.Deletion(ctx, a, p.commit)) }},
		{"LinkReport", wiki.Read, func(a wiki.Access, _ prepared) error { return one(w.LinkReport(ctx, a, LinksIn, "Page")) }},
		{"Foreign", wiki.Read, func(a wiki.Access, _ prepared) error {
			return one(w.Foreign(ctx, a, func(string) bool { return false }, nil))
		}},
		{"ApplyEdits", wiki.Edit, func(a wiki.Access, _ prepared) error {
			return one(w.ApplyEdits(ctx, a, EditRequest{Name: "Page", Edits: []edit.Edit{{Op: edit.Append, Text: "more"}}}))
		}},
		{"Preview", wiki.Edit, func(a wiki.Access, _ prepared) error { return one(w.Preview(ctx, a, "Page", []byte("x"))) }},
		{"Edit", wiki.Edit, func(a wiki.Access, _ prepared) error { return one(w.Edit(ctx, a, "Page", "")) }},
		{"SaveDraft", wiki.Edit, func(a wiki.Access, _ prepared) error { return w.SaveDraft(ctx, a, "Page", []byte("d"), "", "") }},
		{"Drafts", wiki.Edit, func(a wiki.Access, _ prepared) error { return one(w.Drafts(ctx, a)) }},
		{"DropDraft", wiki.Edit, func(a wiki.Access, _ prepared) error { return w.DropDraft(ctx, a, "Page") }},
		{"Save", wiki.Edit, func(a wiki.Access, p prepared) error {
			return one(w.Save(ctx, a, SaveRequest{Name: fmt.Sprint("New", p.n), Text: []byte("x")}))
		}},
		{"Patch", wiki.Edit, func(a wiki.Access, p prepared) error {
			return one(w.Patch(ctx, a, PatchRequest{Precondition: p.page, Name: "Page", Old: "two", New: "two too"}))
		}},
		{"Restore", wiki.Edit, func(a wiki.Access, p prepared) error { return one(w.Restore(ctx, a, "Page", p.page.Base, Write{})) }},
		{"Revert", wiki.Edit, func(a wiki.Access, p prepared) error { return one(w.Revert(ctx, a, p.commit, Write{})) }},
		{"Undo", wiki.Edit, func(a wiki.Access, p prepared) error {
			return one(w.Undo(ctx, a, UndoRequest{Commit: p.commit, DryRun: true}))
		}},
		{"Upload", wiki.Edit, func(a wiki.Access, _ prepared) error {
			return one(w.Upload(ctx, a, UploadRequest{Page: "Page", Name: "up.txt", Free: true, Data: strings.NewReader("x")}))
		}},
		{"RenameAttachment", wiki.Edit, func(a wiki.Access, p prepared) error {
			return one(w.RenameAttachment(ctx, a, fmt.Sprint("Page/extra", p.n), fmt.Sprint("other", p.n), p.file, Write{}))
		}},
		{"DeleteAttachment", wiki.Edit, func(a wiki.Access, p prepared) error {
			return one(w.DeleteAttachment(ctx, a, fmt.Sprint("Page/extra", p.n), p.file, Write{}))
		}},
		{"Rename", wiki.Edit, func(a wiki.Access, p prepared) error {
			if _, err := w.Rename(ctx, a, RenameRequest{Precondition: p.page, Name: "Page", NewName: "Moved"}); err != nil {
				return err
			}
			return one(w.Rename(ctx, a, RenameRequest{Precondition: p.page, Name: "Moved", NewName: "Page"}))
		}},
		{"Delete", wiki.Edit, func(a wiki.Access, p prepared) error {
			if _, err := w.Delete(ctx, a, DeleteRequest{Precondition: p.page, Name: "Page"}); err != nil {
				return err
			}
			return one(w.Restore(ctx, a, "Page", p.page.Base, Write{}))
		}},
		{"Seed", wiki.Configure, func(a wiki.Access, _ prepared) error { return w.Seed(ctx, a) }},
	}
}
