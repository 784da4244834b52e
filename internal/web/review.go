package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const (
	reviewPath = "/-/new"

	sessionsShown = 30 // per page of sessions
	// sessionsReviewed is the number of sessions to review at a time.
	sessionsReviewed = 20
	filesNamed       = 6  // of a session in a list
	filesShown       = 40 // of an open session
	filesOpened      = 8  // the first sessions are open, up to this many files together
	editsShown       = 40 // commits of a session

	// excerptTime bounds the time for the excerpts of one page. Later files have none.
	excerptTime = 500 * time.Millisecond
	// firstExcerpts bounds it for a list of sessions.
	firstExcerpts = 60 * time.Millisecond
)

// A sessionRow is a session in a list.
type sessionRow struct {
	pages.Session
	Stat  pages.Diffstat
	Shown []pages.SessionFile
	More  int // number of files not shown
}

// Edits lists the session's commits, newest first.
func (r sessionRow) Edits() []logEntry {
	list := logEntries(slices.Clone(r.Commits))
	slices.Reverse(list)
	return list[:min(len(list), editsShown)]
}

// MoreEdits returns the number of commits that Edits leaves out.
func (r sessionRow) MoreEdits() int { return max(0, r.Count-min(len(r.Commits), editsShown)) }

// showSessions shows the changelog by session.
func (h *Handler) showSessions(v *visit, p *changelogPage, f pages.LogFilter) error {
	f.Limit = sessionsShown + 1
	list, err := h.o.Pages.Sessions(v.ctx(), v.a, f)
	if err != nil {
		return err
	}
	if len(list) > sessionsShown {
		list = list[:sessionsShown]
		p.Older = p.By.olderURL(list[sessionsShown-1].First)
	}
	stats, err := h.o.Pages.SessionStats(v.ctx(), v.a, list, excerptTime)
	if err != nil {
		return err
	}
	rows := make([]sessionRow, len(list))
	for i, s := range list {
		shown := s.Files[:min(len(s.Files), filesNamed)]
		rows[i] = sessionRow{s, stats[i], shown, len(s.Files) - len(shown)}
	}
	p.Sessions = groupByDay(rows, h.o.Now(), func(r sessionRow) time.Time { return r.Start })
	return h.render(v, http.StatusOK, "changelog", p)
}

// A sessionView is a session with its pages.
type sessionView struct {
	pages.Session
	Stat    pages.Diffstat
	Open    bool // Shown has the files
	Shown   []fileView
	Names   []pages.SessionFile // the first files, if it isn't open
	Rest    int                 // number of files not shown
	CanEdit bool
	Waits   bool // the reader has yet to review a part of it
	back    string
}

// A fileView shows the change of one file in a session.
type fileView struct {
	pages.SessionFile
	Stat    pages.Diffstat
	Excerpt pages.Excerpt
	Kept    bool
	Form    reviewForm
}

// A reviewForm keeps or undoes a session, or one of its files.
type reviewForm struct {
	Session string
	Path    string // "" for all files
	Name    string // of the page, or whose session it is
	UpTo    int64
	Back    string // "session" to return to the session's page
}

// CanUndo reports whether the session isn't an import.
func (s sessionView) CanUndo() bool { return !s.Author.Imported && !s.Partial }

// KeepAll is the form for all files.
func (s sessionView) KeepAll() reviewForm {
	return reviewForm{Session: s.ID, UpTo: s.Last, Back: s.back}
}

// LastCommits lists the session's newest commits, newest first.
func (s sessionView) LastCommits() []wiki.Commit {
	list := slices.Clone(s.Commits)
	slices.Reverse(list)
	return list[:min(len(list), editsShown)]
}

// MoreCommits returns the number of commits that LastCommits leaves out.
func (s sessionView) MoreCommits() int { return max(0, s.Count-editsShown) }

// Address is where the whole change of the file is shown.
func (f fileView) Address() string {
	name := f.Path
	if f.Page != "" {
		name = string(f.Page)
	}
	switch {
	case f.New == "":
		return wiki.PathURL(name + "/history")
	case f.Old == "" || f.Old == f.New:
		return wiki.PathURL(name)
	}
	return wiki.PathURL(name + "/diff/" + shortID(f.Old) + "/" + shortID(f.New))
}

// viewSession returns a session for its reader, with its files if it is open. Until a
// time, they get excerpts.
func (h *Handler) viewSession(v *visit, s pages.Session, stat pages.Diffstat, back string, open bool, until time.Time) (sessionView, error) {
	view := sessionView{Session: s, Stat: stat, Open: open, CanEdit: v.a.Can(wiki.Edit), Waits: s.Waiting() > 0, back: back}
	if !open {
		view.Names = s.Files[:min(len(s.Files), filesNamed)]
		view.Rest = len(s.Files) - len(view.Names)
		return view, nil
	}
	files := s.Files[:min(len(s.Files), filesShown)]
	view.Rest = len(s.Files) - len(files)
	for _, f := range files {
		file, err := h.viewFile(v, view, f, until)
		if err != nil {
			return view, err
		}
		view.Shown = append(view.Shown, file)
	}
	return view, nil
}

func (h *Handler) viewFile(v *visit, s sessionView, f pages.SessionFile, until time.Time) (fileView, error) {
	view := fileView{SessionFile: f, Kept: s.Waits && !f.Waiting, Form: s.KeepAll()}
	view.Form.Path, view.Form.Name = f.Path, f.Path
	if f.Page != "" {
		view.Form.Name = f.Page.Title()
	}
	if view.Kept {
		return view, nil
	}
	stats, err := h.o.Pages.Diffstats(v.ctx(), v.a, []wiki.Revision{{Change: f.Change}})
	if err != nil {
		return view, err
	}
	view.Stat = stats[0]
	if h.o.Now().After(until) {
		view.Excerpt.Note = "Open it to see the changes."
		return view, nil
	}
	view.Excerpt, err = h.o.Pages.Excerpt(v.ctx(), v.a, f.Change)
	return view, err
}

// sessionPage is one session.
type sessionPage struct {
	Frame
	Session sessionView
}

func (h *Handler) showSession(v *visit) error {
	s, err := h.o.Pages.Session(v.ctx(), v.a, v.param("id"))
	if err != nil {
		return err
	}
	stats, err := h.o.Pages.SessionStats(v.ctx(), v.a, []pages.Session{s}, excerptTime)
	if err != nil {
		return err
	}
	p := &sessionPage{Frame: h.frame(v, "Session")}
	p.NoIndex = true
	if p.Session, err = h.viewSession(v, s, stats[0], "session", true, h.o.Now().Add(excerptTime)); err != nil {
		return err
	}
	return h.render(v, http.StatusOK, "session", p)
}

// newPage lists the changes of others since a member last looked.
type newPage struct {
	Frame
	Says     string
	By       string // "agents", "people" or ""
	UpTo     int64
	Sessions []sessionView
	More     bool
	// Proposals is the number of pages with proposals, for people who can decide on them.
	Proposals int
}

func (h *Handler) showNew(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can review its changes.")
	}
	by, agents := readBy(v)
	review, err := h.o.Pages.Review(v.ctx(), v.a, agents, sessionsReviewed)
	if err != nil {
		return err
	}
	p := &newPage{Frame: h.frame(v, "Since you last looked"), Says: sayReview(review, by, h.byline), By: by, UpTo: review.UpTo, More: review.More}
	p.NoIndex = true
	if p.Proposals, err = h.o.Pages.CountProposals(v.ctx(), v.a); err != nil {
		return err
	}
	until, opened := h.o.Now().Add(firstExcerpts), 0
	stats, err := h.o.Pages.SessionStats(v.ctx(), v.a, review.Sessions, firstExcerpts/2)
	if err != nil {
		return err
	}
	for i, s := range review.Sessions {
		opened += len(s.Files)
		view, err := h.viewSession(v, s, stats[i], "", opened <= filesOpened, until)
		if err != nil {
			return err
		}
		p.Sessions = append(p.Sessions, view)
	}
	return h.render(v, http.StatusOK, "new", p)
}

// sayReview says who changed how much, and since when. by limits this to agents or
// people, see newPage.By.
func sayReview(r pages.Review, by string, byline func(wiki.Author) string) string {
	since := "In the last 30 days"
	if !r.Since.IsZero() {
		since = "You last kept everything on " + r.Since.UTC().Format("2 January at 15:04 UTC") + ". Since then"
	}
	if len(r.Sessions) == 0 {
		who := map[string]string{"": "nobody else", "agents": "no agent", "people": "no other person"}[by]
		return since + ", " + who + " changed anything."
	}
	var names []string
	for _, s := range r.Sessions {
		if name := byline(s.Author); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	const named = 4
	if more := len(names) - named; more > 0 {
		names = append(names[:named], plural(more, "other", "others"))
	}
	who := names[len(names)-1]
	if len(names) > 1 {
		who = strings.Join(names[:len(names)-1], ", ") + " and " + who
	}
	return since + ", " + who + " made " + plural(r.Files, "change", "changes") + "."
}

// decideReview keeps or undoes a session, or a page of it, or keeps everything.
func (h *Handler) decideReview(v *visit) error {
	if v.a.Role() < wiki.Viewer {
		return wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can review its changes.")
	}
	form, err := h.readForm(v, smallForm, "action")
	if err != nil {
		return err
	}
	upTo, _ := strconv.ParseInt(form.Get("upto"), 10, 64)
	session, path := form.Get("session"), form.Get("page")
	back := reviewPath
	if form.Get("back") == "session" {
		back = "/-/session/" + url.PathEscape(session)
	}
	notice := "keptchange"
	switch form.Get("action") {
	case "all":
		err = h.o.Pages.KeepAll(v.ctx(), v.a, upTo)
		notice = "keptall"
	case "keep":
		err = h.o.Pages.Keep(v.ctx(), v.a, session, path, upTo, false)
	case "again":
		err = h.o.Pages.Keep(v.ctx(), v.a, session, path, upTo, true)
		notice = "again"
	case "undo":
		return h.undoSession(v, session, path, upTo, back)
	default:
		err = wiki.Problemf(wiki.ErrInvalid, "action", "This form couldn't be read. Open the page and try again from there.")
	}
	if err != nil {
		return err
	}
	return h.redirect(v, h.tell(v, back, notice))
}

// undoSession undoes a session, or its changes of one file, and takes them off the
// person's review.
func (h *Handler) undoSession(v *visit, session, path string, upTo int64, back string) error {
	done, err := h.o.Pages.Undo(v.ctx(), v.a, pages.UndoRequest{Session: session, Path: path})
	var conflict *pages.UndoConflict
	if errors.As(err, &conflict) {
		return h.showUndoConflict(v, session, conflict)
	}
	if err != nil {
		return err
	}
	if err := h.o.Pages.Keep(v.ctx(), v.a, session, path, upTo, false); err != nil {
		return err
	}
	notice := "reverted"
	if done.Unchanged {
		notice = "undone"
	}
	return h.redirect(v, h.tell(v, back, notice))
}

// undoConflictPage shows, page by page, why a session can't be undone.
type undoConflictPage struct {
	Frame
	ID        string
	Conflicts []fileConflict
}

type fileConflict struct {
	*wiki.ConflictError
	Page wiki.PageName
}

func (h *Handler) showUndoConflict(v *visit, session string, conflict *pages.UndoConflict) error {
	p := &undoConflictPage{Frame: h.frame(v, "Undo a session"), ID: session}
	p.NoIndex = true
	for _, c := range conflict.Files {
		page, _ := wiki.PageOf(c.Path)
		p.Conflicts = append(p.Conflicts, fileConflict{c, page})
	}
	return h.render(v, http.StatusConflict, "undosession", p)
}
