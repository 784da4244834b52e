package mcpserver

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

func (h *Handler) listPages(ctx context.Context, c *client, a arguments) (*reply, error) {
	depth, err := a.integer("depth", 0, 0, 20)
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimPrefix(a.text("path_prefix"), "/")
	where, show := a.text("where"), splitKeys(a.texts("show"))
	if depth > 0 && (where != "" || len(show) > 0) {
		return nil, wiki.Problemf(wiki.ErrInvalid, "depth", "depth shows the tree of folders, which has no front matter. Leave out depth, or where and show.")
	}
	if depth > 0 {
		return h.tree(ctx, c, a, prefix, depth)
	}
	query := pages.PageQuery{ListFilter: pages.ListFilter{Prefix: prefix, Tag: a.text("tag")}, Where: where, Show: show, Sort: a.text("sort")}
	if query.UpdatedSince, err = a.dateOrTime("updated_since"); err != nil {
		return nil, err
	}
	list, err := h.o.Pages.Query(ctx, c.access, query)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("%s", count(len(list.Pages), "page"))
	if err := a.paginate(r, len(list.Pages), 100, func(i int) line { return listedLine(list.Pages[i]) }); err != nil {
		return nil, err
	}
	if len(list.Unknown) > 0 {
		r.tail = append(r.tail, unknownKeys(list))
	}
	return r, nil
}

// splitKeys splits keys that are joined by commas.
func splitKeys(list []string) (keys []string) {
	for _, text := range list {
		for key := range strings.SplitSeq(text, ",") {
			if key = strings.TrimSpace(key); key != "" {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// maxShown is how much of a value of the front matter a list shows, in
// characters.
const maxShown = 200

// listedLine formats a page of a list with the front matter that was asked for.
func listedLine(e pages.ListedPage) line {
	l := say("%s %s %s %s", called(e.Name), revision(e.Revision, noCredit), day(e.Modified), count(int(e.Size), "byte"))
	if len(e.Tags) > 0 {
		l.add(" #%s", pageText(e.Name, false, clip(singleLine(strings.Join(e.Tags, " #")), snippetTokens)))
	}
	for _, p := range e.Properties {
		if len(p.Values) > 0 {
			l.add(" | %s", pageText(e.Name, false, p.Key+": "+clip(truncate(singleLine(p.String()), maxShown), snippetTokens)))
		}
	}
	return l
}

// unknownKeys says which keys of a query no page has, and which exist.
func unknownKeys(list pages.PageList) line {
	values := make([]value, len(list.Unknown))
	for i, key := range list.Unknown {
		values[i] = quoted(asked(key))
	}
	l := append(append(say("No page's front matter has the key "), joined(values, ", ")...), constant("."))
	if len(list.Known) == 0 {
		return l
	}
	values = make([]value, len(list.Known))
	for i, k := range list.Known {
		values[i] = pageText(k.Page, false, singleLine(k.Name))
	}
	return append(append(append(l, constant(" Keys that exist: ")), joined(values, ", ")...), constant("."))
}

// paginate adds the entries of a list of n that a call shows, by its limit,
// cursor and budget, and the next cursor.
func (a arguments) paginate(r *reply, n, standard int, entry func(i int) line) error {
	limit, err := a.integer("limit", standard, 1, 500)
	if err != nil {
		return err
	}
	i, err := a.offset()
	if err != nil {
		return err
	}
	meter := a.listMeter()
	for end := min(i+limit, n); i < end; i++ {
		l := entry(i)
		if !meter.takes(l) {
			break
		}
		r.addLine(l)
	}
	if i < n {
		r.addTail("%s more: cursor %s", digits(n-i), quoted(digits(i)))
	}
	return nil
}

// offset returns the number of entries before a cursor.
func (a arguments) offset() (int, error) {
	cursor := a.text("cursor")
	if cursor == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(cursor)
	if err != nil || n < 0 {
		return 0, cursorError(cursor)
	}
	return min(n, 1<<30), nil // more than any wiki has pages
}

// dateOrTime returns a date or time argument, or zero if it is missing.
func (a arguments) dateOrTime(name string) (time.Time, error) {
	text := strings.TrimSpace(a.text(name))
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, wiki.Problemf(wiki.ErrInvalid, name, "%q is not a date; use 2026-11-20 or 2026-11-20T10:00:00Z.", truncate(text, 30))
}

// tree lists folders and pages down to a depth.
func (h *Handler) tree(ctx context.Context, c *client, a arguments, prefix string, depth int) (*reply, error) {
	nodes, err := h.o.Pages.Tree(ctx, c.access)
	if err != nil {
		return nil, err
	}
	if folder := strings.TrimSuffix(prefix, "/"); folder != "" {
		nodes = pages.ChildrenOf(nodes, folder)
		if nodes == nil {
			return nil, wiki.Problemf(wiki.ErrNotFound, "path_prefix", "There is no folder %q. list_pages with depth 1 and no path_prefix shows the folders.", wiki.PageName(prefix))
		}
	}
	r := &reply{}
	r.setHead("Folders and pages of the wiki:")
	if prefix != "" {
		r.setHead("Folders and pages of %s:", called(prefix))
	}
	meter := a.listMeter()
	var walk func(nodes []*pages.Node, level int) (complete bool)
	walk = func(nodes []*pages.Node, level int) bool {
		for _, n := range nodes {
			l := append(line{indent(level)}, treeLine(n)...)
			if !meter.takes(l) {
				return false
			}
			r.addLine(l)
			if level+1 < depth && !walk(n.Children, level+1) {
				return false
			}
		}
		return true
	}
	if !walk(nodes, 0) {
		r.addTail("There is more: use a path_prefix or a smaller depth.")
	}
	return r, nil
}

var linkKinds = []string{"in", "out", "broken", "orphans", "hubs", "neighborhood", "wanted", "stale", "long", "duplicates"}

func (h *Handler) links(ctx context.Context, c *client, a arguments) (*reply, error) {
	standard := pages.LinksIn
	if a.text("path") == "" {
		standard = pages.Broken
	}
	kind := a.enum("kind", string(standard))
	list, err := h.o.Pages.LinkReport(ctx, c.access, pages.LinkKind(kind), a.text("path"))
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("%s: %s", checked(kind, lowercase), count(len(list), "entry"))
	last := pages.LinkRow{}
	return r, a.paginate(r, len(list), 50, func(i int) line {
		again := list[i].Page == last.Page
		last = list[i]
		return h.linkedLine(ctx, c, pages.LinkKind(kind), last, again)
	})
}

// linkedLine formats a row of a report. Its page has a revision, which says
// that nothing was read, unless it is missing or that of the row before.
func (h *Handler) linkedLine(ctx context.Context, c *client, kind pages.LinkKind, l pages.LinkRow, again bool) line {
	switch {
	case kind == pages.Missing:
		return say("%s from %s", anywhere(string(l.Page)), count(l.Count, "page"))
	case kind == pages.LinksOut && l.Text != "": // the name is from the text
		return say("%s | %s", anywhere(string(l.Page)), constant("missing"))
	}
	row := line{called(l.Page)}
	if !again {
		if newest, err := h.o.Pages.Revision(ctx, c.access, l.Page); err == nil {
			row.add(" %s", revision(newest, noCredit))
		}
	}
	switch kind {
	case pages.Broken:
		row.add(" -> %s", pageText(l.Page, false, string(l.Other)))
	case pages.Hubs:
		row.add(" from %s", count(l.Count, "page"))
	case pages.Neighborhood:
		row.add(" %s away", count(l.Count, "link"))
	case pages.Stale:
		row.add(" %s", day(l.Date))
	case pages.Long:
		row.add(" %s", count(l.Count, "byte"))
	case pages.Duplicates:
		row.add(" and %s: %s", called(l.Other), pageText(l.Page, false, l.Text))
	default:
		if l.Text != "" {
			row.add(" | %s", pageText(l.Page, false, snippetLine(l.Text)))
		}
	}
	return row
}

func (h *Handler) changes(ctx context.Context, c *client, a arguments) (*reply, error) {
	if diff := a.text("diff"); diff != "" {
		return h.diff(ctx, c, a.text("path"), diff)
	}
	limit, err := a.integer("limit", 20, 1, 200)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(strings.TrimSpace(a.text("since")), "last") {
		return h.changesSinceLast(ctx, c, a, limit)
	}
	since, err := a.dateOrTime("since")
	if err != nil {
		return nil, err
	}
	before := int64(0)
	if cursor := a.text("cursor"); cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil || before < 1 {
			return nil, cursorError(cursor)
		}
	}
	path := strings.TrimPrefix(a.text("path"), "/")
	if path != "" && !strings.HasSuffix(path, "/") {
		return h.history(ctx, c, a, path, since, before, limit)
	}
	log, err := h.o.Pages.Changelog(ctx, c.access, pages.LogFilter{Before: before, Limit: limit + 1, PathPrefix: path, Author: strings.TrimPrefix(a.text("author"), "@")})
	if err != nil {
		return nil, err
	}
	r := &reply{}
	n := 0
	meter := a.listMeter()
	for _, commit := range log {
		if commit.Time.Before(since) {
			break
		}
		l := commitLine(commit)
		if n == limit || !meter.takes(l) {
			r.addTail("More: cursor %s", quoted(digits(int(log[n-1].Seq))))
			break
		}
		r.addLine(l)
		n++
	}
	r.setHead("%s, newest first: time, commit, who, message, pages", count(n, "change"))
	return r, nil
}

// matchesAuthor reports whether a name is that of the person or their agent.
func matchesAuthor(a wiki.Author, name string) bool {
	name = strings.TrimPrefix(name, "@")
	agent, person, both := strings.Cut(name, " for ")
	return name == "" || strings.EqualFold(a.Username, name) || strings.EqualFold(a.Agent, name) ||
		both && strings.EqualFold(a.Agent, agent) && strings.EqualFold(a.Username, person)
}

// history lists the revisions of a page, across moves.
func (h *Handler) history(ctx context.Context, c *client, a arguments, path string, since time.Time, before int64, limit int) (*reply, error) {
	list, err := h.o.Pages.History(ctx, c.access, path, before, limit+1)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	n := 0
	meter := a.listMeter()
	for i, rev := range list {
		if rev.Time.Before(since) {
			break
		}
		l := revisionLine(rev)
		if i == limit || !meter.takes(l) {
			r.addTail("More: cursor %s", quoted(digits(int(list[i-1].Seq))))
			break
		}
		if matchesAuthor(rev.Author, a.text("author")) {
			r.addLine(l)
			n++
		}
	}
	r.setHead("%s of %s, newest first: time, commit, revision, who, message", count(n, "revision"), called(path))
	return r, nil
}

// revisionLine formats a revision of a page on one line.
func revisionLine(rev wiki.Revision) line {
	l := say("%s %s ", minute(rev.Time), hash(rev.Commit))
	if rev.New == "" {
		l.add("deleted")
	} else {
		l.add("%s", revision(rev.New, noCredit))
	}
	if rev.New != "" && rev.From != "" {
		l.add(" moved from %s", called(pageOrFile(rev.From)))
	}
	l.add(" %s: %s", by(rev.Author), saidBy(rev.Author, subjectLine(rev.Message)))
	return l
}

// subjectLine is the first line of a commit's message.
func subjectLine(message string) string {
	subject, _, _ := strings.Cut(message, "\n")
	return clip(truncate(singleLine(subject), 100), headingTokens)
}

// diff compares two revisions of a page ("a..b") or shows a commit.
func (h *Handler) diff(ctx context.Context, c *client, path, between string) (*reply, error) {
	from, to, ranged := strings.Cut(between, "..")
	if path == "" {
		return h.commit(ctx, c, between)
	}
	if !ranged {
		to = ""
	}
	for _, side := range []*string{&from, &to} {
		base, _, err := parseRevision(*side)
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
	r.setHead("%s, %s to %s: %s added, %s removed", called(pageOrFile(d.Path)), revision(d.Old.Blob, noCredit), revision(d.New.Blob, noCredit), count(d.Added, "line"), digits(d.Removed))
	r.body = append(diffNames(d), diffText(d, clipDiff(d.Unified, r)))
	return r, nil
}

func (h *Handler) commit(ctx context.Context, c *client, id string) (*reply, error) {
	commit, diffs, err := h.o.Pages.Commit(ctx, c.access, strings.TrimSpace(id))
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("Commit %s, %s by %s", hash(commit.ID), minute(commit.Time), by(commit.Author))
	var origins line // of parts of the text
	var text strings.Builder
	text.WriteString(strings.Map(visibleRune, strings.ReplaceAll(commit.Message, "\n", " ")) + "\n")
	for _, d := range diffs {
		origins = append(append(origins, diffNames(d)...), diffText(d, ""))
		if d.Unified == "" {
			fmt.Fprintf(&text, "%s %s\n", pageOrFile(d.Path), d.Kind)
			continue
		}
		text.WriteString(d.Unified)
	}
	r.body = append(origins, saidBy(commit.Author, clipDiff(text.String(), r)))
	return r, nil
}

// diffText is the text of a diff, which also has lines of the past.
func diffText(d *pages.FileDiff, text string) value {
	if d.Page == "" {
		return fileText(d.Path, text)
	}
	return pageText(d.Page, true, text)
}

// diffNames holds the origins of the names in a diff's text.
func diffNames(d *pages.FileDiff) line {
	l := line{called(d.Path), called(d.From), called(d.Old.Path), called(d.New.Path)}
	for i := range l {
		l[i].text = ""
	}
	return l
}

// clipDiff cuts a diff and says so in the reply.
func clipDiff(text string, r *reply) string {
	shown, left := clipLines(text, diffTokens)
	if left > 0 {
		r.addTail("Cut after %s of %s bytes. Compare closer revisions, or one page of the commit.", number(len(shown)), number(len(text)))
	}
	return shown
}
