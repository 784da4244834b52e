package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// editPage is the editor of a page, with a preview beside it.
type editPage struct {
	Frame
	failure
	Name    wiki.PageName
	Text    string
	Base    string // blob id, "" for a new page
	Message string // of the commit
	Exists  bool
	Stored  wiki.Encoding // of the page, "" for UTF-8
	From    string        // the old revision that the text is from, or ""
	Similar []wiki.PageName
	Alike   []wiki.PageName
	Draft   *draftNotice
	Files   []pages.DraftFile  // kept with the draft
	View    *pages.View        // the preview; nil if it can't be rendered
	Preview bool               // the preview was asked for
	Unsaved bool               // the text is neither saved nor a draft
	Keep    string             // key of the copy in the browser
	Section *pages.EditSection // edited alone; nil for the whole page
	Author  string             // the writer's name, for templates
	Whole   bool               // the whole page instead of the section that was asked for
}

// draftNotice describes the writer's draft.
type draftNotice struct {
	Loaded  bool // its text is in the form
	Moved   bool // the page has changed since
	Time    time.Time
	Changes []pages.DiffHunk // from the saved page to the draft
}

func (h *Handler) showEdit(v *visit) error {
	revision := ""
	if len(v.rest) > 0 {
		revision = v.rest[0]
	}
	form, err := h.o.Pages.Edit(v.ctx(), v.a, v.name, revision)
	if err != nil {
		return err
	}
	p := h.newEditPage(v, form)
	p.Text, p.Base, p.From, p.Unsaved = string(form.Text), form.Base, revision, revision != ""
	if d := form.Draft; d != nil {
		p.Draft = &draftNotice{Loaded: revision == "", Moved: d.Base != form.Base, Time: d.Modified}
		if p.Draft.Loaded {
			p.Text, p.Base, p.Message = string(d.Text), d.Base, d.Message
			if p.Draft.Changes, err = h.o.Pages.Compare(v.ctx(), v.a, form.Text, d.Text); err != nil {
				return err
			}
		}
	}
	if start := (pages.StartRequest{Name: v.name, Template: v.query("template"), Copy: v.query("copy")}); !p.Exists && form.Draft == nil && start.Template+start.Copy != "" {
		if p.Text, err = h.o.Pages.StartText(v.ctx(), v.a, start); err != nil {
			return err
		}
		p.Unsaved = true
	}
	if id := v.query("section"); id != "" && revision == "" {
		section, err := h.o.Pages.EditSection(v.ctx(), v.a, form, id)
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return err
		}
		if p.Whole = section == nil; section != nil {
			p.editSection(section)
			p.Text = section.Text
		}
	}
	return h.renderEdit(v, http.StatusOK, p)
}

// addPencils adds a link to edit the section after each heading of a page, for its
// editors. The title has none, because its section is the page. The rendered body is
// shared with readers.
func (h *Handler) addPencils(p *pageView) error {
	if !p.CanEdit || p.View.Old {
		return nil
	}
	pencil, err := h.icon("pencil")
	if err != nil {
		return err
	}
	edit := wiki.PathURL(string(p.View.Name) + "/edit")
	add := func(rendered template.HTML) template.HTML {
		return pages.SectionLinks(rendered, func(id string, label template.HTML) template.HTML {
			return template.HTML(`<a class="anchor pen" href="`+edit+"?section="+url.QueryEscape(id)+`" aria-label="Edit the section `+string(label)+`" title="Edit this section">`) + pencil + "</a>"
		})
	}
	if p.Parts == nil {
		p.View.Body = add(p.View.Body)
	}
	for i := range p.Parts {
		p.Parts[i].HTML = add(p.Parts[i].HTML)
	}
	return nil
}

// editSection makes the form edit a section alone.
func (p *editPage) editSection(s *pages.EditSection) {
	p.Section = s
	p.Title = "Editing " + s.Title + " in " + p.Name.Title()
	p.Keep += "#" + s.ID
}

// newEditPage returns the editor of a page, without its text.
func (h *Handler) newEditPage(v *visit, form *pages.EditForm) *editPage {
	p := &editPage{Name: form.Name, Exists: form.Exists, Stored: form.Stored, Similar: form.Similar, Alike: form.SimilarText, Files: form.Files}
	title := "Editing " + form.Name.Title()
	if !form.Exists {
		title = "New page " + form.Name.Title()
	}
	p.Frame = h.pageFrame(v, title, form.Name, "edit")
	p.Head.Exists = form.Exists
	p.Keep = v.caller.User.Username + ":" + string(form.Name)
	p.Author = v.caller.User.AuthorName()
	return p
}

// renderEdit renders the form with the preview of its text.
func (h *Handler) renderEdit(v *visit, status int, p *editPage) error {
	view, err := h.o.Pages.Preview(v.ctx(), v.a, string(p.Name), []byte(p.Text))
	if err == nil {
		p.View = view
	} else if status == http.StatusOK && p.Preview {
		p.failure, _ = h.formFailure(v, err)
		status = p.Status
	}
	v.w.Header().Set("Cache-Control", "no-store")
	h.allowDiagrams(v)
	return h.render(v, status, "edit", p)
}

// chooseDraft opens the draft or discards it.
func (h *Handler) chooseDraft(v *visit) error {
	form, err := h.readForm(v, maxTextForm(v))
	if err != nil {
		return err
	}
	edit := wiki.PathURL(v.name + "/edit")
	if form.Get("draft") != "discard" {
		return h.redirect(v, edit)
	}
	if err := h.o.Pages.DropDraft(v.ctx(), v.a, v.name); err != nil {
		return err
	}
	return h.redirect(v, h.tell(v, edit, "discarded"))
}

// redirectToEdit handles GET requests for form addresses, from a reload or a
// bookmark.
func (h *Handler) redirectToEdit(v *visit) error {
	return h.redirect(v, wiki.PathURL(v.name+"/edit"))
}

func (h *Handler) savePage(v *visit) error {
	form, err := h.readForm(v, maxTextForm(v), "content")
	if err != nil {
		return err
	}
	text, err := h.wholeText(v, form)
	if err != nil {
		return h.showEditFailure(v, form, err)
	}
	request := pages.SaveRequest{
		Name:  v.name,
		Text:  text,
		Write: pages.Write{Message: form.Get("commit")},
		// Without a revision the writer meant to create the page.
		Precondition: pages.Precondition{Base: form.Get("revision"), Create: form.Get("revision") == ""},
	}
	saved, err := h.o.Pages.Save(v.ctx(), v.a, request)
	var conflict *wiki.ConflictError
	switch {
	case errors.As(err, &conflict):
		form.Set("content", string(text))
		return h.showConflict(v, form, conflict)
	case err != nil:
		return h.showEditFailure(v, form, err)
	}
	notice := "saved"
	switch {
	case saved.Unchanged:
		notice = "unchanged"
	case saved.Created:
		notice = "created-" + saved.Commit
	case saved.Merged:
		notice = "merged"
	}
	to := h.tell(v, wiki.PathURL(savedPath(saved, v.name)), notice)
	if form.Has("lines") {
		to += pages.HeadingFragment(form.Get("section"))
	}
	return h.redirect(v, to)
}

// wholeText returns the page's text with what the form edits, which may be one of
// its sections.
func (h *Handler) wholeText(v *visit, form url.Values) ([]byte, error) {
	if !form.Has("lines") {
		return []byte(form.Get("content")), nil
	}
	return h.o.Pages.WithSection(v.ctx(), v.a, v.name, form.Get("revision"), form.Get("lines"), []byte(form.Get("content")))
}

// showEditFailure shows the form again with the writer's text and the error.
func (h *Handler) showEditFailure(v *visit, form url.Values, err error) error {
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	p := h.editPageFromForm(v, form)
	p.failure, p.Unsaved = wrong, true
	return h.renderEdit(v, wrong.Status, p)
}

// editPageFromForm returns the editor with the submitted form. It reads nothing
// from the wiki, so that the text comes back whatever happened to the page.
func (h *Handler) editPageFromForm(v *visit, form url.Values) *editPage {
	edit := &pages.EditForm{Name: wiki.PageName(v.name), Exists: form.Get("revision") != ""}
	if name, err := wiki.ParsePageName(v.name); err == nil {
		edit.Name = name
	}
	p := h.newEditPage(v, edit)
	p.Text, p.Base, p.Message = formText(form.Get("content")), form.Get("revision"), strings.ToValidUTF8(form.Get("commit"), "")
	if form.Has("lines") {
		p.editSection(&pages.EditSection{ID: form.Get("section"), Title: form.Get("heading"), Lines: form.Get("lines")})
	}
	return p
}

// previewResponse is the preview for a script.
type previewResponse struct {
	HTML template.HTML  `json:"html"`
	TOC  []previewEntry `json:"toc"`
	// Content is the text, with the chosen sides of a conflict applied.
	Content string `json:"content"`
}

type previewEntry struct {
	Level int    `json:"level"`
	ID    string `json:"id"`
	Text  string `json:"text"`
	Line  int    `json:"line"`
}

func (h *Handler) previewPage(v *visit) error {
	form, err := h.readForm(v, maxTextForm(v), "content")
	if err != nil {
		return err
	}
	text := applyChoices(formText(form.Get("content")), form)
	form.Set("content", text)
	if !wantsJSON(v.r) {
		p := h.editPageFromForm(v, form)
		p.Preview, p.Unsaved = true, true
		return h.renderEdit(v, http.StatusOK, p)
	}
	view, err := h.o.Pages.Preview(v.ctx(), v.a, v.name, []byte(text))
	if err != nil {
		return h.writeJSONFailure(v, err)
	}
	var html bytes.Buffer
	if err := h.templates.execute(&html, "edit", "rendered", view); err != nil {
		return err
	}
	response := previewResponse{HTML: template.HTML(html.String()), TOC: []previewEntry{}, Content: text}
	for _, heading := range view.Headings {
		response.TOC = append(response.TOC, previewEntry{heading.Level, heading.ID, heading.Text, heading.Line})
	}
	return h.writeJSON(v, http.StatusOK, response)
}

// writeJSONFailure reports an error to a script.
func (h *Handler) writeJSONFailure(v *visit, err error) error {
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.writeJSON(v, wrong.Status, map[string]string{"message": wrong.Wrong})
}

func (h *Handler) saveDraft(v *visit) error {
	form, err := h.readForm(v, maxTextForm(v), "content")
	var text []byte
	if err == nil {
		text, err = h.wholeText(v, form)
	}
	if err == nil {
		err = h.o.Pages.SaveDraft(v.ctx(), v.a, v.name, text, form.Get("commit"), form.Get("revision"))
	}
	script := wantsJSON(v.r) || !strings.Contains(v.r.Header.Get("Accept"), "text/html")
	switch {
	case err != nil && script:
		return h.writeJSONFailure(v, err)
	case err != nil && form.Has("content"):
		return h.showEditFailure(v, form, err)
	case err != nil:
		return err
	case script:
		return h.writeJSON(v, http.StatusOK, map[string]bool{"kept": true})
	}
	to := wiki.PathURL(v.name + "/edit")
	if form.Has("lines") {
		to += "?" + url.Values{"section": {form.Get("section")}}.Encode()
	}
	return h.redirect(v, h.tell(v, to, "draft"))
}

// conflictPage shows conflicting edits and the merge to decide on.
type conflictPage struct {
	Frame
	Name    wiki.PageName
	Deleted bool
	Theirs  *wiki.Revision // the newest revision; nil if unknown
	Places  int            // regions that both sides changed
	Hunks   []conflictHunk
	Newest  string // their whole text, if the places are too many to show; or ""
	Text    string // merged, with the writer's side of each conflict
	Yours   string // the text as the writer sent it
	Base    string // new base revision: blob id, "" if the page was deleted
	Message string
	Kept    bool // the writer's text was saved as their draft
	Keep    string
}

// A conflictHunk is one place that needs a decision.
type conflictHunk struct {
	Number    int
	Line      int // in the writer's text
	Base      string
	Theirs    []pages.DiffHunk // base to theirs
	Yours     []pages.DiffHunk // base to yours
	TheirText string
	YourText  string
	Choice    bool // the form offers a choice, because the place is unique in the merged text
}

// showConflict responds to a save that conflicts with another. The writer's text
// is saved as their draft and shown in full.
func (h *Handler) showConflict(v *visit, form url.Values, c *wiki.ConflictError) error {
	name, ok := wiki.PageOf(c.Path)
	if !ok {
		name = wiki.PageName(v.name)
	}
	p := &conflictPage{
		Frame: h.pageFrame(v, "Edit conflict", name, "edit"), Name: name, Deleted: c.Deleted,
		Text: formText(string(trimByteOrderMark(c.Merged))), Yours: formText(form.Get("content")),
		Places: c.Places, Base: c.TheirBlob, Message: form.Get("commit"), Keep: v.caller.User.Username + ":" + string(name),
	}
	p.Head.Exists = !c.Deleted
	if c.Deleted {
		p.Text = p.Yours
	}
	err := h.o.Pages.SaveDraft(v.ctx(), v.a, string(name), []byte(form.Get("content")), form.Get("commit"), c.BaseBlob)
	p.Kept = err == nil
	if history, err := h.o.Pages.History(v.ctx(), v.a, string(name), 0, 1); err == nil && len(history) > 0 {
		p.Theirs = &history[0]
	}
	if c.TooMany() {
		p.Newest = formText(string(trimByteOrderMark(c.Theirs)))
	}
	if !c.Deleted {
		p.Hunks = h.conflictHunks(v, c, p.Text)
	}
	release, err := h.o.Pages.AcquireLarge(v.ctx(), v.a, len(c.Base)+len(c.Theirs))
	if err != nil {
		return err
	}
	defer release()
	v.w.Header().Set("Cache-Control", "no-store")
	return h.render(v, http.StatusConflict, "conflict", p)
}

// maxConflictSpans bounds the marked words of a conflict page. Places beyond it
// are shown without marks.
const maxConflictSpans = 20_000

func (h *Handler) conflictHunks(v *visit, c *wiki.ConflictError, merged string) []conflictHunk {
	var hunks []conflictHunk
	left := maxConflictSpans
	for i, hunk := range c.Hunks {
		base, theirs, yours := formText(hunk.Base), formText(hunk.Theirs), formText(hunk.Yours)
		shown := conflictHunk{
			Number: i, Line: hunk.YourLine, Base: base, TheirText: theirs, YourText: yours,
			Choice: strings.TrimSpace(yours) != "" && strings.Count(merged, yours) == 1,
		}
		for _, side := range []struct {
			marked *[]pages.DiffHunk
			text   string
		}{{&shown.Theirs, theirs}, {&shown.Yours, yours}} {
			marked, err := h.o.Pages.Compare(v.ctx(), v.a, []byte(base), []byte(side.text))
			if left -= pages.Spans(marked); err == nil && left > 0 {
				*side.marked = marked
			}
		}
		hunks = append(hunks, shown)
	}
	return hunks
}

func trimByteOrderMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\uFEFF")) }

// applyChoices replaces each conflict in the text with the side that the writer
// picked. The form says which side the text has now. A place that can't be found
// for certain stays as it is.
func applyChoices(text string, form url.Values) string {
	for i := range maxChoices {
		n := strconv.Itoa(i)
		theirs, yours := formText(form.Get("theirs-"+n)), formText(form.Get("yours-"+n))
		sides := map[string]string{"theirs": theirs, "yours": yours, "both": theirs + yours}
		pick, known := sides[form.Get("pick-"+n)]
		now := sides[form.Get("now-"+n)]
		if known && strings.TrimSpace(now) != "" && strings.Count(text, now) == 1 {
			text = strings.Replace(text, now, pick, 1)
		}
	}
	return text
}

// A form offers no more choices than this.
const maxChoices = wiki.MaxHunks

// createForm asks for the name of a new page.
type createForm struct {
	Frame
	failure
	Typed  string
	Name   wiki.PageName // the resulting name, if it differs from the typed one
	Exists wiki.PageName // the existing page of this name, or ""

	Templates []pages.Suggestion // each with its page as hint
	Template  string             // the chosen one, or ""
	Copy      string             // the page that the new one starts as a copy of, or ""
}

func (h *Handler) showCreate(v *visit) error {
	p, err := h.newCreateForm(v, v.r.URL.Query())
	if err != nil {
		return err
	}
	return h.render(v, http.StatusOK, "create", p)
}

func (h *Handler) newCreateForm(v *visit, sent url.Values) (*createForm, error) {
	text := func(name string) string { return strings.ToValidUTF8(sent.Get(name), "") }
	p := &createForm{Frame: h.frame(v, "New page"), Typed: text("pagename"), Template: text("template"), Copy: text("copy")}
	p.NoIndex = true
	var err error
	if p.Copy == "" {
		p.Templates, err = h.o.Pages.Suggest(v.ctx(), v.a, pages.SuggestQuery{Kind: "templates"})
	}
	return p, err
}

// editor returns the address of the editor of a new page, with the text it starts from.
func (p *createForm) editor(name wiki.PageName) string {
	start := url.Values{}
	if p.Copy != "" {
		start.Set("copy", p.Copy)
	} else if p.Template != "" {
		start.Set("template", p.Template)
	}
	if len(start) == 0 {
		return wiki.PathURL(string(name) + "/edit")
	}
	return wiki.PathURL(string(name)+"/edit") + "?" + start.Encode()
}

// createPage redirects to the editor of a new page. If the name differs from the
// typed one, it asks for confirmation first.
func (h *Handler) createPage(v *visit) error {
	form, err := h.readForm(v, smallForm, "pagename")
	if err != nil && form == nil {
		return err
	}
	p, err := h.newCreateForm(v, form)
	if err != nil {
		return err
	}
	name, err := wiki.ParsePageName(form.Get("pagename"))
	if err != nil {
		p.failure, _ = h.formFailure(v, err)
		return h.render(v, p.Status, "create", p)
	}
	found, err := h.o.Pages.Find(v.ctx(), v.a, string(name))
	var moved *wiki.Redirect
	switch {
	case err == nil && found.Kind == pages.KindPage:
		p.Exists = wiki.PageName(found.Path)
	case errors.As(err, &moved) && moved.Permanent: // exists in another spelling
		there, err := url.PathUnescape(strings.TrimPrefix(moved.To, "/"))
		if err != nil {
			return fmt.Errorf("web: %q is at %q: %w", name, moved.To, err)
		}
		p.Exists = wiki.PageName(there)
	case err != nil && moved == nil && !errors.Is(err, wiki.ErrNotFound):
		return err
	case wiki.Title(string(name)) == wiki.Title(p.Typed):
		return h.redirect(v, p.editor(name))
	default:
		p.Name = name
	}
	status := http.StatusOK
	if p.Exists != "" {
		status = http.StatusConflict
	}
	return h.render(v, status, "create", p)
}
