package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// movePage is the form that renames or deletes a page.
type movePage struct {
	Frame
	failure
	Name        wiki.PageName
	Base        string
	NewName     string // with spaces
	Message     string
	Links       []wiki.PageName // pages that link here
	Attachments int
	Below       int // number of pages below
	// Checkboxes.
	UpdateLinks, Subpages, Recursive bool
}

// newMovePage collects everything that a rename or deletion would affect.
func (h *Handler) newMovePage(v *visit, title string) (*movePage, error) {
	page, err := h.o.Pages.Page(v.ctx(), v.a, v.name, "")
	if err != nil {
		return nil, err
	}
	links, err := h.o.Pages.Links(v.ctx(), v.a, string(page.Name))
	if err != nil {
		return nil, err
	}
	files, err := h.o.Pages.Attachments(v.ctx(), v.a, string(page.Name))
	if err != nil {
		return nil, err
	}
	below, err := h.o.Pages.Folder(v.ctx(), v.a, string(page.Name))
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return nil, err
	}
	p := &movePage{
		Frame: h.pageFrame(v, title+" "+page.Name.Title(), page.Name, "move"), Name: page.Name, Base: page.File.Blob,
		NewName: wiki.Title(string(page.Name)), Links: links.From, Attachments: len(files), Below: len(below),
		UpdateLinks: true, Subpages: true,
	}
	return p, nil
}

func (h *Handler) showRename(v *visit) error {
	p, err := h.newMovePage(v, "Rename")
	if err != nil {
		return err
	}
	return h.render(v, http.StatusOK, "rename", p)
}

func (h *Handler) renamePage(v *visit) error {
	form, err := h.readForm(v, smallForm, "new_pagename")
	if err != nil {
		return h.showMoveFailure(v, "rename", form, err)
	}
	saved, err := h.o.Pages.Rename(v.ctx(), v.a, pages.RenameRequest{
		Write:        pages.Write{Message: form.Get("message")},
		Precondition: pages.Precondition{Base: form.Get("revision")},
		Name:         v.name,
		NewName:      form.Get("new_pagename"),
		KeepLinks:    !form.Has("update_backlinks"),
		PageOnly:     !form.Has("subpages"),
	})
	if err != nil {
		return h.showMoveFailure(v, "rename", form, err)
	}
	return h.redirect(v, h.tell(v, wiki.PathURL(savedPath(saved, v.name)), "renamed"))
}

// showMoveFailure shows the form with the error. Its revision is the newest, so
// that the writer sees the changes and decides again.
func (h *Handler) showMoveFailure(v *visit, what string, form url.Values, cause error) error {
	wrong, ok := h.formFailure(v, cause)
	if !ok || form == nil {
		return cause
	}
	p, err := h.newMovePage(v, strings.ToUpper(what[:1])+what[1:])
	if err != nil {
		return err
	}
	p.failure = wrong
	if form.Has("new_pagename") {
		p.NewName = strings.ToValidUTF8(form.Get("new_pagename"), "")
	}
	p.Message = strings.ToValidUTF8(form.Get("message"), "")
	p.UpdateLinks, p.Subpages, p.Recursive = form.Has("update_backlinks"), form.Has("subpages"), form.Has("recursive")
	return h.render(v, wrong.Status, what, p)
}

func (h *Handler) showDelete(v *visit) error {
	p, err := h.newMovePage(v, "Delete")
	if err != nil {
		return err
	}
	return h.render(v, http.StatusOK, "delete", p)
}

func (h *Handler) deletePage(v *visit) error {
	form, err := h.readForm(v, smallForm)
	if err != nil {
		return err
	}
	done, err := h.o.Pages.Delete(v.ctx(), v.a, pages.DeleteRequest{
		Write:        pages.Write{Message: form.Get("message")},
		Precondition: pages.Precondition{Base: form.Get("revision")},
		Name:         v.name,
		Recursive:    form.Has("recursive"),
	})
	if err != nil {
		return h.showMoveFailure(v, "delete", form, err)
	}
	return h.redirect(v, h.tell(v, "/-/changelog", "deleted-"+done.Commit))
}

// revertPage asks for confirmation to undo a commit, or explains why it can't be
// undone.
type revertPage struct {
	Frame
	failure
	Commit       wiki.Commit
	Diffs        []*pages.FileDiff
	More         int
	Message      string
	Conflict     *wiki.ConflictError // why it can't be undone; nil if it can
	ConflictPage wiki.PageName
}

func (h *Handler) newRevertPage(v *visit) (*revertPage, error) {
	commit, diffs, err := h.o.Pages.Commit(v.ctx(), v.a, v.param("id"))
	if err != nil {
		return nil, err
	}
	p := &revertPage{Frame: h.frame(v, "Undo a change"), Commit: commit, Diffs: diffs}
	p.NoIndex, p.More = true, max(0, len(commit.Changes)-len(diffs))
	return p, nil
}

func (h *Handler) showRevert(v *visit) error {
	p, err := h.newRevertPage(v)
	if err != nil {
		return err
	}
	return h.render(v, http.StatusOK, "revert", p)
}

func (h *Handler) revertCommit(v *visit) error {
	form, err := h.readForm(v, smallForm)
	if err != nil {
		return err
	}
	saved, err := h.o.Pages.Revert(v.ctx(), v.a, v.param("id"), pages.Write{Message: form.Get("message")})
	switch {
	case err != nil:
		return h.showRevertFailure(v, form, err)
	case saved.Unchanged:
		return h.redirect(v, h.tell(v, "/-/commit/"+saved.Commit, "undone"))
	}
	return h.redirect(v, h.tell(v, "/-/commit/"+saved.Commit, "reverted"))
}

// showRevertFailure shows the form with the error.
func (h *Handler) showRevertFailure(v *visit, form url.Values, cause error) error {
	wrong, ok := h.formFailure(v, cause)
	if !ok {
		return cause
	}
	p, err := h.newRevertPage(v)
	if err != nil {
		return err
	}
	p.failure, p.Message = wrong, strings.ToValidUTF8(form.Get("message"), "")
	if errors.As(cause, &p.Conflict) {
		p.ConflictPage, _ = wiki.PageOf(p.Conflict.Path)
	}
	return h.render(v, wrong.Status, "revert", p)
}
