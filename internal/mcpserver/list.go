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
		return h.tree(ctx, c, prefix, depth)
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
	shown, err := a.paginate(r, len(list.Pages), 100)
	if err != nil {
		return nil, err
	}
	for _, e := range list.Pages[shown.from:shown.to] {
		r.body = append(append(r.body, listedLine(e)...), constant("\n"))
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
	l := say("%s %s %s bytes", called(e.Name), day(e.Modified), number(int(e.Size)))
	if len(e.Tags) > 0 {
		l.add(" #%s", pageText(e.Name, false, singleLine(strings.Join(e.Tags, " #"))))
	}
	for _, p := range e.Properties {
		if len(p.Values) > 0 {
			l.add(" | %s", pageText(e.Name, false, p.Key+": "+truncate(singleLine(p.String()), maxShown)))
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

// A window is the part of a list to show.
type window struct{ from, to int }

// paginate returns the part of a list of n that a call shows, by its limit
// and cursor, and adds the next cursor to the reply.
func (a arguments) paginate(r *reply, n, standard int) (window, error) {
	limit, err := a.integer("limit", standard, 1, 500)
	if err != nil {
		return window{}, err
	}
	from := 0
	if cursor := a.text("cursor"); cursor != "" {
		if from, err = strconv.Atoi(cursor); err != nil || from < 0 {
			return window{}, cursorError(cursor)
		}
	}
	from = min(from, n)
	w := window{from, min(from+limit, n)}
	if w.to < n {
		r.addTail("%s more: cursor %s", digits(n-w.to), quoted(digits(w.to)))
	}
	return w, nil
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
func (h *Handler) tree(ctx context.Context, c *client, prefix string, depth int) (*reply, error) {
	nodes, err := h.o.Pages.Tree(ctx, c.access)
	if err != nil {
		return nil, err
	}
	if folder := wiki.Key(strings.TrimSuffix(prefix, "/")); folder != "" {
		nodes = subtree(nodes, folder)
		if nodes == nil {
			return nil, wiki.Problemf(wiki.ErrNotFound, "path_prefix", "There is no folder %q. list_pages with depth 1 and no path_prefix shows the folders.", wiki.PageName(prefix))
		}
	}
	r := &reply{}
	r.setHead("Folders and pages of the wiki:")
	if prefix != "" {
		r.setHead("Folders and pages of %s:", called(prefix))
	}
	shown := 0
	var walk func(nodes []*pages.Node, level int)
	walk = func(nodes []*pages.Node, level int) {
		for _, n := range nodes {
			if shown++; shown > 500 {
				return
			}
			r.add("%s", indent(level))
			r.body = append(append(r.body, treeLine(n)...), constant("\n"))
			if level+1 < depth {
				walk(n.Children, level+1)
			}
		}
	}
	walk(nodes, 0)
	if shown > 500 {
		r.addTail("There is more: use a path_prefix or a smaller depth.")
	}
	return r, nil
}

func subtree(nodes []*pages.Node, folder string) []*pages.Node {
	for _, n := range nodes {
		switch key := wiki.Key(n.Path); {
		case key == folder:
			return n.Children
		case strings.HasPrefix(folder, key+"/"):
			return subtree(n.Children, folder)
		}
	}
	return nil
}

var linkKinds = []string{"in", "out", "broken", "orphans", "hubs", "neighborhood", "wanted", "stale", "long", "duplicates"}

func (h *Handler) links(ctx context.Context, c *client, a arguments) (*reply, error) {
	kinds := linkKinds
	if a.text("path") == "" && a.text("kind") == "" {
		kinds = append([]string{"broken"}, linkKinds...)
	}
	kind, err := a.enum("kind", kinds...)
	if err != nil {
		return nil, err
	}
	list, err := h.o.Pages.LinkReport(ctx, c.access, pages.LinkKind(kind), a.text("path"))
	if err != nil {
		return nil, err
	}
	r := &reply{}
	r.setHead("%s: %s entries", checked(kind, lowercase), number(len(list)))
	if len(list) == 1 {
		r.setHead("%s: 1 entry", checked(kind, lowercase))
	}
	shown, err := a.paginate(r, len(list), 50)
	if err != nil {
		return nil, err
	}
	for _, l := range list[shown.from:shown.to] {
		r.body = append(append(r.body, linkedLine(pages.LinkKind(kind), l)...), constant("\n"))
	}
	return r, nil
}

func linkedLine(kind pages.LinkKind, l pages.LinkRow) line {
	switch kind {
	case pages.Broken:
		return say("%s -> %s", called(l.Page), pageText(l.Page, false, string(l.Other)))
	case pages.Missing:
		return say("%s from %s", anywhere(string(l.Page)), count(l.Count, "page"))
	case pages.Hubs:
		return say("%s from %s", called(l.Page), count(l.Count, "page"))
	case pages.Neighborhood:
		return say("%s %s away", called(l.Page), count(l.Count, "link"))
	case pages.Stale:
		return say("%s %s", called(l.Page), day(l.Date))
	case pages.Long:
		return say("%s %s bytes", called(l.Page), number(l.Count))
	case pages.Duplicates:
		return say("%s and %s: %s", called(l.Page), called(l.Other), pageText(l.Page, false, l.Text))
	case pages.LinksOut:
		if l.Text != "" { // the page is missing: its name is from the text
			return say("%s | %s", anywhere(string(l.Page)), constant("missing"))
		}
	}
	if l.Text == "" {
		return line{called(l.Page)}
	}
	return say("%s | %s", called(l.Page), pageText(l.Page, false, truncate(singleLine(l.Text), snippetChars)))
}

func (h *Handler) changes(ctx context.Context, c *client, a arguments) (*reply, error) {
	if diff := a.text("diff"); diff != "" {
		return h.diff(ctx, c, a.text("path"), diff)
	}
	since, err := a.dateOrTime("since")
	if err != nil {
		return nil, err
	}
	limit, err := a.integer("limit", 20, 1, 200)
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
			r.addTail("More: cursor %s", quoted(digits(int(log[n-1].Seq))))
			break
		}
		r.body = append(append(r.body, commitLine(commit)...), constant("\n"))
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
func (h *Handler) history(ctx context.Context, c *client, path string, since time.Time, author string, before int64, limit int) (*reply, error) {
	list, err := h.o.Pages.History(ctx, c.access, path, before, limit+1)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	if len(list) > limit {
		list = list[:limit]
		r.addTail("More: cursor %s", quoted(digits(int(list[limit-1].Seq))))
	}
	n := 0
	for _, rev := range list {
		if rev.Time.Before(since) {
			r.tail = nil
			break
		}
		if !matchesAuthor(rev.Author, author) {
			continue
		}
		n++
		subject, _, _ := strings.Cut(rev.Message, "\n")
		r.add("%s %s ", minute(rev.Time), hash(rev.Commit))
		if rev.New == "" {
			r.add("deleted")
		} else {
			r.add("%s", revision(rev.New, noCredit))
		}
		if rev.New != "" && rev.From != "" {
			r.add(" moved from %s", called(pageOrFile(rev.From)))
		}
		r.add(" %s: %s\n", by(rev.Author), saidBy(rev.Author, truncate(singleLine(subject), 100)))
	}
	r.setHead("%s of %s, newest first: time, commit, revision, who, message", count(n, "revision"), called(path))
	return r, nil
}

const maxDiff = 16_000 // characters

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
		base, _, _, _, err := parseRevision(*side)
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
	r.setHead("%s, %s to %s: %s lines added, %s removed", called(pageOrFile(d.Path)), revision(d.Old.Blob, noCredit), revision(d.New.Blob, noCredit), digits(d.Added), digits(d.Removed))
	r.body = append(diffNames(d), diffText(d, clipLines(d.Unified, maxDiff, r)))
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
	r.body = append(origins, saidBy(commit.Author, clipLines(text.String(), maxDiff, r)))
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

// clipLines cuts a text at a line end and says so in the reply.
func clipLines(text string, n int, r *reply) string {
	if len(text) <= n {
		return text
	}
	cut := strings.LastIndexByte(text[:n], '\n') + 1
	if cut == 0 {
		cut = n
	}
	r.addTail("Cut after %s of %s bytes. Compare closer revisions, or one page of the commit.", number(cut), number(len(text)))
	return strings.ToValidUTF8(text[:cut], "")
}
