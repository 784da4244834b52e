package content

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// A Taking says that a commit made text of one file part of another: a merge of pages,
// or the move of a section. The text's authors are in the history of the other file.
type Taking struct {
	Seq  int64
	Path string // of the file that took the text, after the commit
	From string // of the file that had it, before the commit
}

// insertTakings writes the takings of a commit.
func (t *tx) insertTakings(seq int64, list []Taking) error {
	for _, taking := range list {
		if err := t.exec("INSERT INTO takings VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
			t.w.slug, wiki.Key(taking.Path), seq, wiki.Key(taking.From), taking.Path, taking.From); err != nil {
			return err
		}
	}
	return nil
}

// takingTrailers returns the trailers for takings that aren't merges, which have one.
func takingTrailers(list []Taking, changes []stagedChange) []gitrepo.Trailer {
	var trailers []gitrepo.Trailer
	for _, taking := range list {
		merged := slices.ContainsFunc(changes, func(ch stagedChange) bool { return ch.Path == taking.From && ch.Into == taking.Path })
		if !merged {
			trailers = append(trailers, gitrepo.Trailer{Key: "Taken", Value: taking.From + " -> " + taking.Path})
		}
	}
	return trailers
}

// recordedTakings returns the takings in the trailers of a commit made here.
func recordedTakings(c gitrepo.Commit) []Taking {
	var list []Taking
	for _, key := range []string{"Merged", "Taken"} {
		for _, pair := range recordedPairs(c, key) {
			list = append(list, Taking{Path: pair[1], From: pair[0]})
		}
	}
	return list
}

// Takings lists the text that a file took over from others, through its moves, before
// a seq (0 for all).
func (w *Wiki) Takings(ctx context.Context, path string, before int64) ([]Taking, error) {
	stays, err := staysBefore(ctx, w, w.slug, path, before)
	if err != nil {
		return nil, err
	}
	list, err := w.takingsOf(ctx, stays)
	return list, wrapError(err, "takings of %s/%s", w.slug, path)
}

func (w *Wiki) takingsOf(ctx context.Context, stays []stay) ([]Taking, error) {
	var list []Taking
	for _, s := range stays {
		err := forEachRow(ctx, w, func(rows *sql.Rows) error {
			var t Taking
			err := rows.Scan(&t.Seq, &t.Path, &t.From)
			list = append(list, t)
			return err
		}, "SELECT seq, path, from_path FROM takings WHERE wiki = $1 AND key = $2 AND seq >= $3 AND seq < $4", w.slug, s.key, s.from, s.to)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// MovesText reports whether a commit moves any text from one file to another.
func (w *Wiki) MovesText(ctx context.Context, seq int64) (bool, error) {
	var found bool
	err := w.queryRow(ctx, "SELECT EXISTS (SELECT 1 FROM takings WHERE wiki = $1 AND seq = $2)", w.slug, seq).Scan(&found)
	return found, wrapError(err, "takings of %s", w.slug)
}

// MovesLinks reports whether a commit moves any file or text, so that links follow.
func (w *Wiki) MovesLinks(ctx context.Context, seq int64) (bool, error) {
	var found bool
	err := w.queryRow(ctx, "SELECT EXISTS (SELECT 1 FROM commit_changes WHERE wiki = $1 AND seq = $2 AND from_key <> '') OR EXISTS (SELECT 1 FROM takings WHERE wiki = $1 AND seq = $2)", w.slug, seq).Scan(&found)
	return found, wrapError(err, "moves of %s", w.slug)
}

// staysBefore is listStays for the file that had a path before a seq, or that has it
// now if the seq is 0.
func staysBefore(ctx context.Context, q querier, slug, path string, before int64) ([]stay, error) {
	if before <= 0 {
		return listStays(ctx, q, slug, path)
	}
	stays, err := followBack(ctx, q, slug, wiki.Key(path), before)
	return stays, wrapError(err, "history of %s/%s", slug, path)
}

// maxTakings limits the takings that are followed back.
const maxTakings = 1000

// AuthorsOf lists the authors of a file's revisions, through its moves, and of those
// of the files that it took text from. Authors can be repeated. If there are too many
// files, it adds an unknown author, who counts as imported.
func (w *Wiki) AuthorsOf(ctx context.Context, path string) ([]wiki.Author, error) {
	found := map[wiki.Author]bool{}
	open, seen := []Taking{{From: path}}, map[Taking]bool{}
	for n := 0; len(open) > 0; n++ {
		if n == maxTakings {
			found[wiki.Author{Imported: true}] = true
			break
		}
		file := open[0]
		stays, err := staysBefore(ctx, w, w.slug, file.From, file.Seq)
		if err != nil {
			return nil, err
		}
		if err := w.addAuthors(ctx, stays, found); err != nil {
			return nil, fmt.Errorf("content: authors of %s/%s: %w", w.slug, path, err)
		}
		more, err := w.takingsOf(ctx, stays)
		if err != nil {
			return nil, wrapError(err, "authors of %s/%s", w.slug, path)
		}
		open = open[1:]
		for _, t := range more {
			if t.Path = ""; !seen[t] {
				seen[t] = true
				open = append(open, t)
			}
		}
	}
	return slices.Collect(maps.Keys(found)), nil
}

func (w *Wiki) addAuthors(ctx context.Context, stays []stay, found map[wiki.Author]bool) error {
	for _, s := range stays {
		list, err := w.queryAuthors(ctx, "SELECT DISTINCT c.username, c.did, c.imported, c.client = $5, "+originColumn+" FROM changes h JOIN commits c ON c.wiki = h.wiki AND c.seq = h.seq WHERE h.wiki = $1 AND h.key = $2 AND h.seq >= $3 AND h.seq < $4",
			w.slug, s.key, s.from, s.to, wiki.ImportClient)
		if err != nil {
			return err
		}
		for _, a := range list {
			found[a] = true
		}
	}
	return nil
}

// eraseTakings erases a text from the names in takings.
func (x *eraser) eraseTakings(ctx context.Context) error {
	type row struct {
		Taking
		key, fromKey string
	}
	var rows []row
	err := forEachRow(ctx, x.tx, func(r *sql.Rows) error {
		var t row
		err := r.Scan(&t.key, &t.Seq, &t.fromKey, &t.Path, &t.From)
		rows = append(rows, t)
		return err
	}, "SELECT key, seq, from_key, path, from_path FROM takings WHERE wiki = $1", x.slug)
	if err != nil {
		return err
	}
	for _, t := range rows {
		path, from := x.erasePath(t.Path), x.erasePath(t.From)
		if path == t.Path && from == t.From {
			continue
		}
		if err := x.tx.exec("UPDATE takings SET key = $5, from_key = $6, path = $7, from_path = $8 WHERE wiki = $1 AND key = $2 AND seq = $3 AND from_key = $4",
			x.slug, t.key, t.Seq, t.fromKey, wiki.Key(path), wiki.Key(from), path, from); err != nil {
			return err
		}
	}
	return nil
}
