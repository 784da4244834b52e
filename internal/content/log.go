package content

import (
	"context"
	"fmt"
	"strings"
	"time"

	"robot.wtf/internal/wiki"
)

const commitColumns = `c.seq, c.oid, c.parents, c.username, c.did, c.agent, c.client, c.grant_id, c.imported, c.time, c.message`

func scanCommit(row scanner, c *wiki.Commit) error {
	var at int64
	var parents string
	a := &c.Author
	err := row.Scan(&c.Seq, &c.ID, &parents, &a.Username, &a.DID, &a.Agent, &a.Client, &a.Grant, &a.Imported, &at, &c.Message)
	c.Parents, c.Time = strings.Fields(parents), time.UnixMilli(at).UTC()
	return err
}

func commitAt(ctx context.Context, q querier, slug string, seq int64) (wiki.Commit, error) {
	var c wiki.Commit
	if err := scanCommit(q.row(ctx, "SELECT "+commitColumns+" FROM commits c WHERE c.wiki = $1 AND c.seq = $2", slug, seq), &c); err != nil {
		return c, notFound(err, "commit %s/%d", slug, seq)
	}
	return c, fillChanges(ctx, q, slug, []*wiki.Commit{&c})
}

// fillChanges reads the changes of commits, which must be neighbours of a log.
func fillChanges(ctx context.Context, q querier, slug string, list []*wiki.Commit) error {
	for _, c := range list {
		rows, err := q.rows(ctx, "SELECT path, from_path, kind, old, new FROM changes WHERE wiki = $1 AND seq = $2 ORDER BY n", slug, c.Seq)
		if err != nil {
			return notFound(err, "changes of %s/%d", slug, c.Seq)
		}
		for rows.Next() {
			var ch wiki.Change
			if err := rows.Scan(&ch.Path, &ch.From, &ch.Kind, &ch.Old, &ch.New); err != nil {
				rows.Close()
				return notFound(err, "changes of %s/%d", slug, c.Seq)
			}
			c.Changes = append(c.Changes, ch)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return notFound(err, "changes of %s/%d", slug, c.Seq)
		}
	}
	return nil
}

// Log lists commits with their changes, newest first unless Ascending.
func (w *Wiki) Log(ctx context.Context, f LogFilter) ([]wiki.Commit, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	where := []string{"c.wiki = $1"}
	args := []any{w.slug}
	and := func(condition string, arg ...any) {
		for _, a := range arg {
			args = append(args, a)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	if f.Before > 0 {
		and("c.seq < ?", f.Before)
	}
	if f.After > 0 {
		and("c.seq > ?", f.After)
	}
	if f.Author != "" {
		and("c.username = ?", f.Author)
	}
	if f.Agents != nil {
		and(map[bool]string{true: "c.agent <> ''", false: "c.agent = ''"}[*f.Agents])
	}
	if f.PathPrefix != "" {
		and("EXISTS (SELECT 1 FROM changes h WHERE h.wiki = c.wiki AND h.seq = c.seq AND (h.path >= ? AND h.path < ? OR h.from_path >= ? AND h.from_path < ?))",
			f.PathPrefix, f.PathPrefix+"\U0010FFFF", f.PathPrefix, f.PathPrefix+"\U0010FFFF")
	}
	order := "DESC"
	if f.Ascending {
		order = "ASC"
	}
	args = append(args, f.Limit)
	rows, err := w.rows(ctx, fmt.Sprintf("SELECT %s FROM commits c WHERE %s ORDER BY c.seq %s LIMIT $%d", commitColumns, strings.Join(where, " AND "), order, len(args)), args...)
	if err != nil {
		return nil, notFound(err, "log of %s", w.slug)
	}
	defer rows.Close()
	var list []wiki.Commit
	for rows.Next() {
		var c wiki.Commit
		if err := scanCommit(rows, &c); err != nil {
			return nil, notFound(err, "log of %s", w.slug)
		}
		list = append(list, c)
	}
	if err := rows.Err(); err != nil {
		return nil, notFound(err, "log of %s", w.slug)
	}
	pointers := make([]*wiki.Commit, len(list))
	for i := range list {
		pointers[i] = &list[i]
	}
	return list, fillChanges(ctx, w, w.slug, pointers)
}

// CommitByID finds a commit by id or a prefix of 7 digits or more.
func (w *Wiki) CommitByID(ctx context.Context, id string) (wiki.Commit, error) {
	id = strings.ToLower(id)
	if !hexID.MatchString(id) {
		return wiki.Commit{}, wiki.Problemf(wiki.ErrInvalid, "revision", "%.50q is not a commit id: use 7 digits or more.", id)
	}
	from, to := between(id)
	rows, err := w.rows(ctx, "SELECT seq FROM commits WHERE wiki = $1 AND oid >= $2 AND oid < $3 LIMIT 2", w.slug, from, to)
	if err != nil {
		return wiki.Commit{}, notFound(err, "commit %s/%s", w.slug, id)
	}
	defer rows.Close()
	var found []int64
	for rows.Next() {
		var seq int64
		rows.Scan(&seq)
		found = append(found, seq)
	}
	rows.Close()
	switch len(found) {
	case 0:
		return wiki.Commit{}, fmt.Errorf("content: commit %s/%s: %w", w.slug, id, wiki.ErrNotFound)
	case 2:
		return wiki.Commit{}, wiki.Problemf(wiki.ErrInvalid, "revision", "%q fits several commits: use more digits.", id)
	}
	return commitAt(ctx, w, w.slug, found[0])
}

func (w *Wiki) links(ctx context.Context, query string, args ...any) ([]wiki.Link, error) {
	rows, err := w.rows(ctx, "SELECT from_path, kind, target, words FROM links WHERE wiki = $1 "+query, append([]any{w.slug}, args...)...)
	if err != nil {
		return nil, notFound(err, "links of %s", w.slug)
	}
	defer rows.Close()
	var list []wiki.Link
	for rows.Next() {
		var l wiki.Link
		if err := rows.Scan(&l.From, &l.Kind, &l.Target, &l.Text); err != nil {
			return nil, notFound(err, "links of %s", w.slug)
		}
		l.From = strings.TrimSuffix(l.From, ".md")
		list = append(list, l)
	}
	return list, notFound(rows.Err(), "links of %s", w.slug)
}

// LinksFrom lists a page's outgoing links and tags.
func (w *Wiki) LinksFrom(ctx context.Context, page wiki.PageName) ([]wiki.Link, error) {
	return w.links(ctx, "AND from_path = (SELECT path FROM files WHERE wiki = $1 AND key = $2) ORDER BY n", page.Key())
}

// LinksTo lists the links and embeds that lead to a page or file, of any
// spelling, from other pages.
func (w *Wiki) LinksTo(ctx context.Context, path string) ([]wiki.Link, error) {
	key := wiki.Key(path)
	bare := strings.TrimSuffix(key, ".md")
	return w.links(ctx, "AND kind <> 'tag' AND (target_key = $2 OR kind = 'embed' AND target_key = $3) ORDER BY from_path, n", key, bare)
}

// AllLinks lists all links of the given kinds (none for all).
func (w *Wiki) AllLinks(ctx context.Context, kinds ...wiki.LinkKind) ([]wiki.Link, error) {
	list, err := w.links(ctx, "ORDER BY from_path, n")
	if len(kinds) == 0 || err != nil {
		return list, err
	}
	kept := list[:0]
	for _, l := range list {
		for _, k := range kinds {
			if l.Kind == k {
				kept = append(kept, l)
			}
		}
	}
	return kept, nil
}

// Stats counts; it reads counters kept in the commit's transaction.
func (w *Wiki) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := w.row(ctx, "SELECT pages, files, current_bytes, history_bytes FROM meta WHERE wiki = $1", w.slug).Scan(&s.Pages, &s.Files, &s.CurrentBytes, &s.HistoryBytes)
	return s, notFound(err, "stats of %s", w.slug)
}
