package mcpserver

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

func (h *Handler) listPages(ctx ctx, c *client, a arguments) (*reply, error) {
	depth, err := a.number("depth", 0, 0, 20)
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimPrefix(a.text("path_prefix"), "/")
	if depth > 0 {
		return h.tree(ctx, c, prefix, depth)
	}
	sort, err := a.choice("sort", "name", "updated", "size")
	if err != nil {
		return nil, err
	}
	filter := pages.ListFilter{Prefix: prefix, Tag: a.text("tag")}
	if filter.UpdatedSince, err = a.date("updated_since"); err != nil {
		return nil, err
	}
	list, err := h.o.Pages.List(ctx, c.access, filter)
	if err != nil {
		return nil, err
	}
	switch sort {
	case "updated":
		sortBy(list, func(a, b pages.Entry) int { return b.Modified.Compare(a.Modified) })
	case "size":
		sortBy(list, func(a, b pages.Entry) int { return cmp.Compare(b.Size, a.Size) })
	}
	r := &reply{}
	r.headf("%s", count(len(list), "page"))
	shown, err := a.slice(r, len(list), 100)
	if err != nil {
		return nil, err
	}
	for _, e := range list[shown.from:shown.to] {
		tags := ""
		if len(e.Tags) > 0 {
			tags = " #" + oneLine(strings.Join(e.Tags, " #"))
			r.about(e.Name)
		}
		r.addf("%s %s %s bytes%s\n", e.Name, day(e.Modified), thousands(int(e.Size)), tags)
	}
	return r, nil
}

// A window is what is shown of a list.
type window struct{ from, to int }

// slice is what a call shows of a list of n, by its limit and cursor, and says
// how to go on.
func (a arguments) slice(r *reply, n, standard int) (window, error) {
	limit, err := a.number("limit", standard, 1, 500)
	if err != nil {
		return window{}, err
	}
	from := 0
	if cursor := a.text("cursor"); cursor != "" {
		if from, err = strconv.Atoi(cursor); err != nil || from < 0 {
			return window{}, badCursor(cursor)
		}
	}
	w := window{min(from, n), min(from+limit, n)}
	if w.to < n {
		r.then("%d more: cursor %q", n-w.to, strconv.Itoa(w.to))
	}
	return w, nil
}

// date is a day or a time; zero where there is none.
func (a arguments) date(name string) (time.Time, error) {
	text := strings.TrimSpace(a.text(name))
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, wiki.Problemf(wiki.ErrInvalid, name, "%q is no date: write 2026-11-20, or 2026-11-20T10:00:00Z.", clip(text, 30))
}

// tree shows folders and pages so many levels deep.
func (h *Handler) tree(ctx ctx, c *client, prefix string, depth int) (*reply, error) {
	nodes, err := h.o.Pages.Tree(ctx, c.access)
	if err != nil {
		return nil, err
	}
	if folder := wiki.Key(strings.TrimSuffix(prefix, "/")); folder != "" {
		nodes = below(nodes, folder)
		if nodes == nil {
			return nil, wiki.Problemf(wiki.ErrNotFound, "path_prefix", "There is no folder %q. list_pages with depth 1 and no path_prefix shows what there is.", prefix)
		}
	}
	r := &reply{}
	r.headf("Folders and pages of %s:", cmp.Or(prefix, "the wiki"))
	shown := 0
	var walk func(nodes []*pages.Node, level int)
	walk = func(nodes []*pages.Node, level int) {
		for _, n := range nodes {
			if shown++; shown > 500 {
				return
			}
			r.addf("%s%s\n", strings.Repeat("  ", level), treeLine(n))
			if level+1 < depth {
				walk(n.Children, level+1)
			}
		}
	}
	walk(nodes, 0)
	if shown > 500 {
		r.then("There is more: name a path_prefix, or less depth.")
	}
	return r, nil
}

func below(nodes []*pages.Node, folder string) []*pages.Node {
	for _, n := range nodes {
		switch key := wiki.Key(n.Path); {
		case key == folder:
			return n.Children
		case strings.HasPrefix(folder, key+"/"):
			return below(n.Children, folder)
		}
	}
	return nil
}

var linkKinds = []string{"in", "out", "broken", "orphans", "hubs", "neighborhood", "wanted", "stale", "long", "duplicates"}

func (h *Handler) links(ctx ctx, c *client, a arguments) (*reply, error) {
	kinds := linkKinds
	if a.text("path") == "" && a.text("kind") == "" {
		kinds = append([]string{"broken"}, linkKinds...)
	}
	kind, err := a.choice("kind", kinds...)
	if err != nil {
		return nil, err
	}
	list, err := h.o.Pages.LinkReport(ctx, c.access, pages.LinkKind(kind), a.text("path"))
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.headf("%s: %s", kind, count(len(list), "entrie"))
	r.head = strings.Replace(strings.Replace(r.head, "1 entrie", "1 entry", 1), "entriess", "entries", 1)
	shown, err := a.slice(r, len(list), 50)
	if err != nil {
		return nil, err
	}
	for _, l := range list[shown.from:shown.to] {
		r.addf("%s\n", linkedLine(pages.LinkKind(kind), l))
		if l.Text != "" {
			r.about(l.Page)
		}
	}
	return r, nil
}

func linkedLine(kind pages.LinkKind, l pages.LinkRow) string {
	switch kind {
	case pages.Broken:
		return fmt.Sprintf("%s -> %s", l.Page, l.Other)
	case pages.Hubs, pages.Missing:
		return fmt.Sprintf("%s from %s", l.Page, count(l.Count, "page"))
	case pages.Neighborhood:
		return fmt.Sprintf("%s %s away", l.Page, count(l.Count, "link"))
	case pages.Stale:
		return fmt.Sprintf("%s %s", l.Page, day(l.Date))
	case pages.Long:
		return fmt.Sprintf("%s %s bytes", l.Page, thousands(l.Count))
	case pages.Duplicates:
		return fmt.Sprintf("%s and %s: %s", l.Page, l.Other, l.Text)
	}
	if l.Text == "" {
		return string(l.Page)
	}
	return fmt.Sprintf("%s | %s", l.Page, clip(oneLine(l.Text), snippetChars))
}

func (h *Handler) changes(ctx ctx, c *client, a arguments) (*reply, error) {
	if diff := a.text("diff"); diff != "" {
		return h.diff(ctx, c, a.text("path"), diff)
	}
	since, err := a.date("since")
	if err != nil {
		return nil, err
	}
	limit, err := a.number("limit", 20, 1, 200)
	if err != nil {
		return nil, err
	}
	before := int64(0)
	if cursor := a.text("cursor"); cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil || before < 1 {
			return nil, badCursor(cursor)
		}
	}
	path := strings.TrimPrefix(a.text("path"), "/")
	if path != "" && !strings.HasSuffix(path, "/") {
		return h.history(ctx, c, path, since, a.text("author"), before, limit)
	}
	log, err := h.o.Pages.Changelog(ctx, c.access, pages.LogFilter{Before: before, Limit: limit + 1, PathPrefix: path, Author: strings.TrimPrefix(a.text("author"), "@")})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	n := 0
	for _, commit := range log {
		if commit.Time.Before(since) {
			break
		}
		if n == limit {
			r.then("More: cursor %q", strconv.FormatInt(log[n-1].Seq, 10))
			break
		}
		r.addf("%s\n", commitLine(commit))
		r.by(commit.Author)
		n++
	}
	r.headf("%s, newest first: time, commit, who, message, pages", count(n, "change"))
	return r, nil
}

// madeBy reports whether a person or their agent goes by that name.
func madeBy(a wiki.Author, name string) bool {
	name = strings.TrimPrefix(name, "@")
	agent, person, both := strings.Cut(name, " for ")
	return name == "" || strings.EqualFold(a.Username, name) || strings.EqualFold(a.Agent, name) ||
		both && strings.EqualFold(a.Agent, agent) && strings.EqualFold(a.Username, person)
}

// history lists the revisions of one page, through its moves.
func (h *Handler) history(ctx ctx, c *client, path string, since time.Time, author string, before int64, limit int) (*reply, error) {
	list, err := h.o.Pages.History(ctx, c.access, path, before, limit+1)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	if len(list) > limit {
		list = list[:limit]
		r.then("More: cursor %q", strconv.FormatInt(list[limit-1].Seq, 10))
	}
	n := 0
	for _, rev := range list {
		if rev.Time.Before(since) {
			r.tail = nil
			break
		}
		if !madeBy(rev.Author, author) {
			continue
		}
		n++
		subject, _, _ := strings.Cut(rev.Message, "\n")
		what := "@" + short(rev.New) + mark(0, 0)
		if rev.New == "" {
			what = "deleted"
		} else if rev.From != "" {
			what += " moved from " + pageOrFile(rev.From)
		}
		r.addf("%s %s %s %s: %s\n", minute(rev.Time), short(rev.Commit), what, by(rev.Author), clip(oneLine(subject), 100))
		r.by(rev.Author)
	}
	r.headf("%s of %s, newest first: time, commit, revision, who, message", count(n, "revision"), path)
	return r, nil
}

const maxDiff = 16_000 // characters

// diff compares two revisions of a page "a..b", or shows a commit.
func (h *Handler) diff(ctx ctx, c *client, path, between string) (*reply, error) {
	from, to, ranged := strings.Cut(between, "..")
	if path == "" {
		return h.commit(ctx, c, between)
	}
	if !ranged {
		to = ""
	}
	for _, side := range []*string{&from, &to} {
		base, _, _, _, err := parseMark(*side)
		if err != nil {
			return nil, err
		}
		*side = base
	}
	d, err := h.o.Pages.Diff(ctx, c.access, path, from, to)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.headf("%s, @%s to @%s: %d lines added, %d removed", pageOrFile(d.Path), short(d.Old.Blob), short(d.New.Blob), d.Added, d.Removed)
	r.about(wiki.PageName(pageOrFile(d.Path)))
	r.past = true
	r.body.WriteString(clipLines(d.Unified, maxDiff, r))
	return r, nil
}

func (h *Handler) commit(ctx ctx, c *client, id string) (*reply, error) {
	commit, diffs, err := h.o.Pages.Commit(ctx, c.access, strings.TrimSpace(id))
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.headf("Commit %s, %s by %s", short(commit.ID), minute(commit.Time), by(commit.Author))
	r.by(commit.Author)
	r.past = true
	var text strings.Builder
	text.WriteString(strings.Map(visible, strings.ReplaceAll(commit.Message, "\n", " ")) + "\n")
	for _, d := range diffs {
		r.about(wiki.PageName(pageOrFile(d.Path)))
		if d.Unified == "" {
			fmt.Fprintf(&text, "%s %s\n", pageOrFile(d.Path), d.Kind)
			continue
		}
		text.WriteString(d.Unified)
	}
	r.body.WriteString(clipLines(text.String(), maxDiff, r))
	return r, nil
}

// clipLines cuts a text after a line, and says so.
func clipLines(text string, n int, r *reply) string {
	if len(text) <= n {
		return text
	}
	cut := strings.LastIndexByte(text[:n], '\n') + 1
	if cut == 0 {
		cut = n
	}
	r.then("Cut after %s of %s bytes. Compare revisions that are closer, or one page of the commit.", thousands(cut), thousands(len(text)))
	return strings.ToValidUTF8(text[:cut], "")
}

// about and by note whose text is in the reply: of a page, or in a message.
func (r *reply) about(page wiki.PageName) {
	if !slices.Contains(r.quoted, page) {
		r.quoted = append(r.quoted, page)
	}
}

func (r *reply) by(a wiki.Author) {
	if !slices.Contains(r.authors, a) {
		r.authors = append(r.authors, a)
	}
}
