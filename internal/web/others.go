package web

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// openEditors are the pages that people have open for editing, by event stream.
// Streams are bounded (session.Watch), and so are these.
type openEditors struct {
	mu   sync.Mutex
	open map[*visit]openEditor
}

type openEditor struct {
	slug, page string // the page's wiki.Key
	user       wiki.User
}

// add records an open editor. The caller must call remove.
func (o *openEditors) add(v *visit, e openEditor) (remove func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = map[*visit]openEditor{}
	}
	o.open[v] = e
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.open, v)
	}
}

// others lists the names of other people who have the page of an editor open, sorted.
func (o *openEditors) others(e openEditor) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []string
	for _, other := range o.open {
		if other.slug == e.slug && other.page == e.page && other.user.DID != e.user.DID {
			names = append(names, other.user.Display())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// othersView is what an open editor shows about others.
type othersView struct {
	People string // other people with the page open
	Count  int
	Edit   *pages.OtherEdit // the changes since the editor's revision; nil for none
}

// maxNamedEditors bounds the names in an othersView.
const maxNamedEditors = 5

// streamOthers tells an open editor about other people with the page open, and about their changes
// (server-sent events): /-/editing?page=Home&revision=1f2e3d4c.
func (h *Handler) streamOthers(v *visit) error {
	page, revision := v.query("page"), v.query("revision")
	seen, err := h.o.Pages.Head(v.ctx(), v.a)
	if err != nil {
		return err
	}
	var view othersView
	if view.Edit, err = h.o.Pages.EditedSince(v.ctx(), v.a, page, revision); err != nil {
		return err
	}
	wake, stop, err := h.o.Session.Watch(v.a)
	if err != nil {
		return err
	}
	defer stop()
	editor := openEditor{v.slug, wiki.Key(page), v.caller.User}
	remove := h.editing.add(v, editor)
	h.o.Session.Wake(v.slug)
	defer h.o.Session.Wake(v.slug)
	defer remove()
	return h.serveStream(v, wake, "others", func(a wiki.Access) (string, error) {
		seq, err := h.o.Pages.Head(v.ctx(), a)
		if err == nil && seq != seen {
			view.Edit, err = h.o.Pages.EditedSince(v.ctx(), a, page, revision)
			seen = seq
		}
		if err := errors.Join(err, a.Allow(wiki.Edit)); err != nil {
			return "", err
		}
		names := h.editing.others(editor)
		view.Count, view.People = len(names), joinNames(names[:min(len(names), maxNamedEditors)])
		var buf bytes.Buffer
		err = h.templates.execute(&buf, "edit", "others", view)
		return buf.String(), err
	})
}

// joinNames writes a list of names in a sentence.
func joinNames(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// mergeOthers merges the text of an open editor with the changes of others, and returns
// it without saving.
func (h *Handler) mergeOthers(v *visit) error {
	form, err := h.readForm(v, maxTextForm(v), "content")
	if err != nil {
		return err
	}
	merged, err := h.o.Pages.MergeOpen(v.ctx(), v.a, form.Get("page"), form.Get("revision"), []byte(form.Get("content")))
	if err != nil {
		return h.writeJSONFailure(v, err)
	}
	return h.writeJSON(v, http.StatusOK, merged)
}
