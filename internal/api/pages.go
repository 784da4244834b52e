package api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// maxPageBody bounds the JSON of a page: up to six bytes of escape sequence per
// byte of text, and some room. The commit enforces the page's own limit.
const maxPageBody = 8 << 20

type pageEntry struct {
	Name        string    `json:"name"`
	Path        string    `json:"path"`
	Revision    string    `json:"revision"`
	Tags        []string  `json:"tags"`
	LastUpdated time.Time `json:"last_updated"`
	author
	Size       int64          `json:"size"`                 // bytes
	Properties map[string]any `json:"properties,omitempty"` // values of the keys in show
}

// An author is the author of a change, as far as it is verified.
type author struct {
	Author   string `json:"author"` // username, or "deleted account"
	Agent    string `json:"agent,omitempty"`
	Imported bool   `json:"imported,omitempty"` // part of an import, so the names are unverified
}

func (h *Handler) author(c *call, a wiki.Author) author {
	return author{h.o.Tenant.AuthorName(c.Context(), a), a.Agent, a.Imported}
}

type pageList struct {
	Pages   []pageEntry `json:"pages"`
	Total   int         `json:"total"`
	Unknown []string    `json:"unknown_keys,omitempty"` // keys of the query that no page has
	Known   []string    `json:"known_keys,omitempty"`   // then: keys that exist, the most similar first
}

func (h *Handler) listPages(c *call) error {
	q := c.URL.Query()
	query := pages.PageQuery{
		ListFilter: pages.ListFilter{Prefix: q.Get("prefix"), Tag: q.Get("tag"), Category: q.Get("category")},
		Where:      q.Get("where"), Sort: q.Get("sort"),
	}
	if show := q.Get("show"); show != "" {
		query.Show = strings.Split(show, ",")
	}
	if since := q.Get("updated_since"); since != "" {
		t, err := parseTime(since)
		if err != nil {
			return err
		}
		query.UpdatedSince = t
	}
	list, err := h.o.Pages.Query(c.Context(), c.access, query)
	if err != nil {
		return err
	}
	answer := pageList{make([]pageEntry, len(list.Pages)), len(list.Pages), list.Unknown, nil}
	for i, e := range list.Pages {
		answer.Pages[i] = pageEntry{e.Name.Title(), string(e.Name), e.Revision, notNil(e.Tags), e.Modified.UTC(), h.author(c, e.Author), e.Size, properties(e)}
	}
	for _, k := range list.Known {
		answer.Known = append(answer.Known, k.Name)
	}
	return c.respond(http.StatusOK, answer)
}

// properties returns the front matter of a listed page that was asked for.
func properties(e pages.ListedPage) map[string]any {
	m := map[string]any{}
	for _, p := range e.Properties {
		if len(p.Values) > 0 {
			m[p.Key] = p.JSON()
		}
	}
	return m
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, wiki.Problemf(wiki.ErrInvalid, "updated_since", "%q is not a date: use 2026-11-24 or 2026-11-24T10:00:00Z.", text)
}

type lastCommit struct {
	Commit string `json:"commit"`
	author
	Date    time.Time `json:"date"`
	Message string    `json:"message"`
}

type pageAnswer struct {
	Name        string          `json:"name"`
	Path        string          `json:"path"`
	Content     string          `json:"content"`
	Frontmatter map[string]any  `json:"frontmatter"`
	Tags        []string        `json:"tags"`
	LinksTo     []wiki.PageName `json:"links_to"`
	LinkedFrom  []wiki.PageName `json:"linked_from"`
	Revision    string          `json:"revision"`
	Old         bool            `json:"old"`              // not the newest revision
	Current     string          `json:"current_revision"` // "" if the page has been deleted
	LastCommit  lastCommit      `json:"last_commit"`
	Encoding    wiki.Encoding   `json:"encoding,omitempty"` // of the stored text if it isn't UTF-8
}

func (h *Handler) getPage(c *call) error {
	name, redirected, err := h.resolveSpelling(c)
	if err != nil || redirected {
		return err
	}
	if done, err := h.answerRevision(c, name); done || err != nil {
		return err
	}
	page, err := h.o.Pages.Page(c.Context(), c.access, name, c.URL.Query().Get("revision"))
	if err != nil {
		return err
	}
	out := pageAnswer{
		Name: page.Name.Title(), Path: string(page.Name), Content: string(page.Source), Frontmatter: page.Props,
		Tags: notNil(page.Tags), LinksTo: []wiki.PageName{}, LinkedFrom: []wiki.PageName{},
		Revision: page.File.Blob, Old: page.Old, Current: page.Current, Encoding: page.Stored,
		LastCommit: lastCommit{page.File.Commit, h.author(c, page.File.Author), page.File.Modified.UTC(), page.File.Message},
	}
	if out.Frontmatter == nil {
		out.Frontmatter = map[string]any{}
	}
	if page.Current != "" {
		links, err := h.o.Pages.Links(c.Context(), c.access, string(page.Name))
		if err != nil {
			return err
		}
		out.LinksTo, out.LinkedFrom = notNil(links.To), notNil(links.From)
	}
	c.w.Header().Set("ETag", `"`+page.File.Blob+`"`)
	return c.respond(http.StatusOK, out)
}

// answerRevision answers from the revision alone, without reading the page: HEAD, and
// GET by a caller that has the newest text (RFC 9110, 13.1.2). It reports false if that
// isn't possible. The tag is the text's, so links from other pages don't change it.
func (h *Handler) answerRevision(c *call, name string) (bool, error) {
	known := c.Header.Values("If-None-Match")
	if c.Method != http.MethodHead && len(known) == 0 || c.URL.RawQuery != "" {
		return false, nil
	}
	parsed, err := wiki.ParsePageName(name)
	if err != nil {
		return false, nil // imported names that couldn't be created here
	}
	revision, err := h.o.Pages.Revision(c.Context(), c.access, parsed)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	tag := `"` + revision + `"`
	c.w.Header().Set("ETag", tag)
	for part := range strings.SplitSeq(strings.Join(known, ","), ",") {
		if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == tag {
			c.w.WriteHeader(http.StatusNotModified)
			return true, nil
		}
	}
	if c.Method != http.MethodHead {
		return false, nil
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	return true, nil
}

// resolveSpelling returns the stored spelling of the requested page name. Reads by
// another spelling or a former name are redirected, except for old revisions,
// which are found under the name they had.
func (h *Handler) resolveSpelling(c *call) (name string, redirected bool, err error) {
	if c.URL.Query().Get("revision") != "" {
		return c.page, false, nil
	}
	found, err := h.o.Pages.Find(c.Context(), c.access, c.page)
	if moved, ok := err.(*wiki.Redirect); ok {
		to := url.URL{Path: prefix + "/pages", RawQuery: c.URL.RawQuery}
		status := http.StatusFound
		if moved.Permanent {
			status = http.StatusMovedPermanently
		}
		c.w.Header().Set("Location", to.EscapedPath()+moved.To)
		c.w.Header().Set("Cache-Control", "no-cache")
		return "", true, c.respond(status, map[string]string{"path": moved.To[1:]})
	}
	if err != nil {
		return "", false, err
	}
	if found.Kind != pages.KindPage {
		return c.page, false, nil // here, a file or folder of that name doesn't hide a page
	}
	return found.Path, false, nil
}

type saveBody struct {
	Content  *string `json:"content"`
	Template string  `json:"template"`
	Revision string  `json:"revision"`
	Message  string  `json:"commit_message"`
}

type saveAnswer struct {
	Name     string          `json:"name"`
	Path     wiki.PageName   `json:"path"`
	Revision string          `json:"revision"`
	Commit   string          `json:"commit"`
	Created  bool            `json:"created"`
	Merged   bool            `json:"merged"`
	OldPath  string          `json:"old_path,omitempty"`
	NewPath  string          `json:"new_path,omitempty"`
	Updated  []wiki.PageName `json:"updated_pages,omitempty"`
	Deleted  bool            `json:"deleted,omitempty"`
	changedLinks
}

// changedLinks are links that lead elsewhere since pages were created or deleted.
type changedLinks struct {
	Diverted []divertedLinks `json:"diverted,omitempty"`
	Dead     int             `json:"dead_links,omitempty"`    // that lead nowhere now
	DeadOn   []wiki.PageName `json:"dead_links_on,omitempty"` // the pages with these
}

func newChangedLinks(done pages.Deletion, taken []pages.Diverted) changedLinks {
	return changedLinks{newDiverted(append(done.Diverted, taken...)), done.Dead, done.Broken}
}

// A divertedLinks is a number of links that lead to another file now.
type divertedLinks struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Links int    `json:"links"`
}

func newDiverted(list []pages.Diverted) (out []divertedLinks) {
	for _, d := range list {
		out = append(out, divertedLinks{strings.TrimSuffix(d.From, ".md"), strings.TrimSuffix(d.To, ".md"), d.Links})
	}
	return out
}

// respondSaved responds to a change.
func (c *call) respondSaved(s pages.Saved, out saveAnswer) error {
	out.Name, out.Path, out.Revision, out.Commit = s.Name.Title(), s.Name, s.Revision, s.Commit
	out.Created, out.Merged, out.Updated = s.Created, s.Merged, s.Updated
	head := c.w.Header()
	if s.Revision != "" {
		head.Set("ETag", `"`+s.Revision+`"`)
	}
	if s.Replayed {
		head.Set("Idempotency-Replayed", "true")
	}
	if s.Created {
		head.Set("Location", prefix+"/pages"+s.Name.URL())
		return c.respond(http.StatusCreated, out)
	}
	return c.respond(http.StatusOK, out)
}

func (h *Handler) putPage(c *call) error {
	var body saveBody
	raw, err := h.readText(c, maxPageBody, &body)
	if err != nil {
		return err
	}
	if body.Content == nil && body.Template == "" {
		return wiki.Problemf(wiki.ErrInvalid, "content", `The body needs "content", the full text of the page, or "template" for a new page.`)
	}
	req := pages.SaveRequest{Name: c.page, Exact: true}
	if body.Content != nil {
		req.Text = []byte(*body.Content)
	}
	if req.Precondition, err = c.precondition(body.Revision); err != nil {
		return err
	}
	if req.Template = body.Template; req.Template != "" {
		req.Member = func(did string) bool { return h.o.Tenant.IsMember(c.Context(), c.access, did) }
		if req.Precondition == (pages.Precondition{}) {
			req.Precondition = pages.Precondition{Create: true, Strict: true}
		}
	}
	if req.Write, err = c.writeOptions(body.Message, raw); err != nil {
		return err
	}
	s, err := h.o.Pages.Save(c.Context(), c.access, req)
	if err != nil {
		return err
	}
	var out saveAnswer
	if s.Created {
		taken, err := h.o.Pages.Creation(c.Context(), c.access, s.Commit)
		h.warnLinks(c, err)
		out.changedLinks = newChangedLinks(pages.Deletion{}, taken)
	}
	return c.respondSaved(s, out)
}

// warnLinks logs that a change, which is done, can't be described.
func (h *Handler) warnLinks(c *call, err error) {
	if err != nil {
		h.o.Log.WarnContext(c.Context(), "describing changed links failed", "wiki", c.access.Site().Slug, "err", err)
	}
}

type patchBody struct {
	Revision string  `json:"revision"`
	Old      *string `json:"old_string"`
	New      *string `json:"new_string"`
	Message  string  `json:"commit_message"`
}

func (h *Handler) patchPage(c *call) error {
	var body patchBody
	raw, err := h.readText(c, maxPageBody, &body)
	if err != nil {
		return err
	}
	if body.Old == nil || body.New == nil || *body.Old == "" {
		return wiki.Problemf(wiki.ErrInvalid, "old_string", `The body needs "old_string", which occurs exactly once on the page, and "new_string".`)
	}
	req := pages.PatchRequest{Name: c.page, Old: *body.Old, New: *body.New}
	if req.Precondition, err = c.precondition(body.Revision); err != nil {
		return err
	}
	if req.Write, err = c.writeOptions(body.Message, raw); err != nil {
		return err
	}
	s, err := h.o.Pages.Patch(c.Context(), c.access, req)
	if err != nil {
		return err
	}
	return c.respondSaved(s, saveAnswer{})
}

type deleteBody struct {
	Revision  string `json:"revision"`
	Message   string `json:"commit_message"`
	Recursive bool   `json:"recursive"`
}

func (h *Handler) deletePage(c *call) error {
	var body deleteBody
	raw, err := c.readJSON(1<<16, &body)
	if err != nil {
		return err
	}
	req := pages.DeleteRequest{Name: c.page, Recursive: body.Recursive}
	if req.Precondition, err = c.precondition(body.Revision); err != nil {
		return err
	}
	if req.Write, err = c.writeOptions(body.Message, raw); err != nil {
		return err
	}
	s, err := h.o.Pages.Delete(c.Context(), c.access, req)
	if err != nil {
		return err
	}
	done, err := h.o.Pages.Deletion(c.Context(), c.access, s.Commit)
	h.warnLinks(c, err)
	return c.respondSaved(s, saveAnswer{Deleted: true, changedLinks: newChangedLinks(done, nil)})
}

type renameBody struct {
	NewPath   string `json:"new_path"`
	Revision  string `json:"revision"`
	Message   string `json:"commit_message"`
	KeepLinks bool   `json:"keep_links"`
	PageOnly  bool   `json:"page_only"`
}

func (h *Handler) renamePage(c *call) error {
	var body renameBody
	raw, err := c.readJSON(1<<16, &body)
	if err != nil {
		return err
	}
	if body.NewPath == "" {
		return wiki.Problemf(wiki.ErrInvalid, "new_path", `The body needs "new_path", the page's new name.`)
	}
	req := pages.RenameRequest{Name: c.page, NewName: body.NewPath, KeepLinks: body.KeepLinks, PageOnly: body.PageOnly}
	if req.Precondition, err = c.precondition(body.Revision); err != nil {
		return err
	}
	if req.Write, err = c.writeOptions(body.Message, raw); err != nil {
		return err
	}
	s, err := h.o.Pages.Rename(c.Context(), c.access, req)
	if err != nil {
		return err
	}
	return c.respondSaved(s, saveAnswer{OldPath: c.page, NewPath: string(s.Name)})
}

type revision struct {
	Revision string          `json:"revision"` // "" if this deleted the page
	Commit   string          `json:"commit"`
	Path     string          `json:"path"`
	From     string          `json:"from,omitempty"`
	Kind     wiki.ChangeKind `json:"kind"`
	author
	Date    time.Time `json:"date"`
	Message string    `json:"message"`
	Size    int64     `json:"size"`
}

type historyAnswer struct {
	Path    string     `json:"path"`
	History []revision `json:"history"`
	Before  int64      `json:"before,omitempty"` // send it to get the next part; 0 at the end
}

func (h *Handler) pageHistory(c *call) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	list, err := h.o.Pages.HistoryBy(c.Context(), c.access, c.page, filter)
	if err != nil {
		return err
	}
	out := make([]revision, len(list))
	for i, r := range list {
		out[i] = revision{r.New, r.Commit, filePage(r.Path), filePage(r.From), r.Kind, h.author(c, r.Author), r.Time.UTC(), r.Message, r.Size}
	}
	answer := historyAnswer{Path: c.page, History: out}
	if len(list) == filter.Limit {
		answer.Before = list[len(list)-1].Seq
	}
	return c.respond(http.StatusOK, answer)
}

type diffAnswer struct {
	Path       string      `json:"path"`
	From       string      `json:"from"` // revisions
	To         string      `json:"to"`
	FromCommit *lastCommit `json:"from_commit,omitempty"`
	ToCommit   *lastCommit `json:"to_commit,omitempty"`
	Added      int         `json:"added"` // lines
	Removed    int         `json:"removed"`
	Binary     bool        `json:"binary"`
	TooLarge   bool        `json:"too_large"` // too large to compare line by line
	Diff       string      `json:"diff"`      // unified
}

func (h *Handler) pageDiff(c *call) error {
	q := c.URL.Query()
	from, to := q.Get("from"), q.Get("to")
	if from == "" {
		return wiki.Problemf(wiki.ErrInvalid, "from", "The parameter from is required: ?from=… is the older revision, ?to=… the newer one (default: the newest).")
	}
	if to == "" {
		page, err := h.o.Pages.Page(c.Context(), c.access, c.page, "")
		if err != nil {
			return err
		}
		to = page.File.Blob
	}
	d, err := h.o.Pages.Diff(c.Context(), c.access, c.page, from, to)
	if err != nil {
		return err
	}
	return c.respond(http.StatusOK, diffAnswer{
		Path: filePage(d.Path), From: d.Old.Blob, To: d.New.Blob, FromCommit: h.commitOf(c, d.Old), ToCommit: h.commitOf(c, d.New),
		Added: d.Added, Removed: d.Removed, Binary: d.Binary, TooLarge: d.TooLarge, Diff: d.Unified,
	})
}

// commitOf returns the commit of a file's revision, or nil.
func (h *Handler) commitOf(c *call, f wiki.File) *lastCommit {
	if f.Commit == "" {
		return nil
	}
	return &lastCommit{f.Commit, h.author(c, f.Author), f.Modified.UTC(), f.Message}
}

// filePage returns a path as the API shows it: page names without ".md".
func filePage(path string) string {
	if name, ok := wiki.PageOf(path); ok {
		return string(name)
	}
	return path
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
