package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"robot.wtf/internal/wiki"
)

// A page's links are one row of outlinks. Their text changes with most saves, their
// targets rarely do, so only changes of targets touch backlinks, the table of the
// pages that link to a file.

// outlinks are a page's links and tags in order. Each column is a JSON array of
// strings: kinds and targets, as in "page Design/Ideas", and link texts.
type outlinks struct{ targets, words string }

func packLinks(links []wiki.Link) (outlinks, error) {
	targets, words := make([]string, len(links)), make([]string, len(links))
	for i, l := range links {
		targets[i], words[i] = string(l.Kind)+" "+l.Target, l.Text
	}
	a, errA := jsonv2.Marshal(targets, jsontext.AllowInvalidUTF8(true))
	b, errB := jsonv2.Marshal(words, jsontext.AllowInvalidUTF8(true))
	return outlinks{string(a), string(b)}, errors.Join(errA, errB)
}

// unpack returns the links, as those of a page's file.
func (o outlinks) unpack(file string) ([]wiki.Link, error) {
	var targets, words []string
	err := errors.Join(
		jsonv2.Unmarshal([]byte(o.targets), &targets, jsontext.AllowInvalidUTF8(true)),
		jsonv2.Unmarshal([]byte(o.words), &words, jsontext.AllowInvalidUTF8(true)))
	if err != nil {
		return nil, fmt.Errorf("links of %s: %w", file, err)
	}
	if len(targets) != len(words) {
		return nil, fmt.Errorf("links of %s: %d targets but %d texts", file, len(targets), len(words))
	}
	links := make([]wiki.Link, len(targets))
	for i, t := range targets {
		kind, target, _ := strings.Cut(t, " ")
		links[i] = wiki.Link{From: strings.TrimSuffix(file, ".md"), Kind: wiki.LinkKind(kind), Target: target, Text: words[i]}
	}
	return links, nil
}

// targetKeys returns the keys of the files that links lead to.
func targetKeys(links []wiki.Link) map[string]bool {
	keys := map[string]bool{}
	for _, l := range links {
		if l.Kind != wiki.LinkTag {
			keys[targetKey(l)] = true
		}
	}
	return keys
}

// targetKey returns the key of the file that a link leads to.
func targetKey(l wiki.Link) string {
	if l.Kind == wiki.LinkPage {
		return wiki.Key(l.Target + ".md")
	}
	return wiki.Key(l.Target)
}

// setLinks replaces the links of a page's file. A file that is no longer a page has
// none.
func (t *tx) setLinks(file string, links []wiki.Link) error {
	next, err := packLinks(links)
	if err != nil {
		return err
	}
	old := outlinks{"[]", "[]"}
	err = t.queryRow(t.context(), "SELECT targets, words FROM outlinks WHERE wiki = $1 AND path = $2", t.w.slug, file).Scan(&old.targets, &old.words)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if old == next {
		return nil
	}
	if old.targets != next.targets {
		if err := t.updateBacklinks(file, old, links); err != nil {
			return err
		}
	}
	if len(links) == 0 {
		return t.exec("DELETE FROM outlinks WHERE wiki = $1 AND path = $2", t.w.slug, file)
	}
	return t.exec(`INSERT INTO outlinks VALUES ($1, $2, $3, $4)
		ON CONFLICT (wiki, path) DO UPDATE SET targets = excluded.targets, words = excluded.words`, t.w.slug, file, next.targets, next.words)
}

// updateBacklinks adds and removes a file's backlinks as its targets change.
func (t *tx) updateBacklinks(file string, old outlinks, links []wiki.Link) error {
	before, err := old.unpack(file)
	if err != nil {
		return err
	}
	was, is := targetKeys(before), targetKeys(links)
	for key := range is {
		if was[key] {
			continue
		}
		if err := t.exec("INSERT INTO backlinks VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", t.w.slug, key, file); err != nil {
			return err
		}
	}
	for key := range was {
		if is[key] {
			continue
		}
		if err := t.exec("DELETE FROM backlinks WHERE wiki = $1 AND target_key = $2 AND path = $3", t.w.slug, key, file); err != nil {
			return err
		}
	}
	return nil
}

// queryLinks returns the links that wanted accepts. The query selects path, targets
// and words of outlinks.
func (w *Wiki) queryLinks(ctx context.Context, wanted func(wiki.Link) bool, query string, args ...any) ([]wiki.Link, error) {
	var list []wiki.Link
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var file string
		var o outlinks
		if err := rows.Scan(&file, &o.targets, &o.words); err != nil {
			return err
		}
		links, err := o.unpack(file)
		for _, l := range links {
			if wanted(l) {
				list = append(list, l)
			}
		}
		return err
	}, query, append([]any{w.slug}, args...)...)
	return list, wrapError(err, "links of %s", w.slug)
}

// LinksFrom lists a page's outgoing links and tags; those that can be read, if some
// are damaged.
func (w *Wiki) LinksFrom(ctx context.Context, page wiki.PageName) ([]wiki.Link, error) {
	return w.queryReadableLinks(ctx, func(wiki.Link) bool { return true },
		"SELECT path, targets, words FROM outlinks WHERE wiki = $1 AND path = (SELECT path FROM files WHERE wiki = $1 AND key = $2)", page.Key())
}

// queryReadableLinks is like queryLinks, but leaves out damaged links: a page is
// readable without them.
func (w *Wiki) queryReadableLinks(ctx context.Context, wanted func(wiki.Link) bool, query string, args ...any) ([]wiki.Link, error) {
	list, err := w.queryLinks(ctx, wanted, query, args...)
	if errors.Is(err, wiki.ErrDamaged) {
		err = nil
	}
	return list, err
}

// LinksTo lists links and embeds that lead to a page or file, in any spelling; those
// that can be read, if some are damaged.
func (w *Wiki) LinksTo(ctx context.Context, path string) ([]wiki.Link, error) {
	key := wiki.Key(path)
	bare := strings.TrimSuffix(key, ".md")
	leads := func(l wiki.Link) bool {
		to := targetKey(l)
		return l.Kind != wiki.LinkTag && (to == key || l.Kind == wiki.LinkEmbed && to == bare)
	}
	return w.queryReadableLinks(ctx, leads, `SELECT path, targets, words FROM outlinks WHERE wiki = $1 AND path IN
		(SELECT path FROM backlinks WHERE wiki = $1 AND target_key IN ($2, $3)) ORDER BY path`, key, bare)
}

// AllLinks lists all links of the given kinds, or of every kind if none is given.
func (w *Wiki) AllLinks(ctx context.Context, kinds ...wiki.LinkKind) ([]wiki.Link, error) {
	return w.queryLinks(ctx, func(l wiki.Link) bool { return len(kinds) == 0 || slices.Contains(kinds, l.Kind) },
		"SELECT path, targets, words FROM outlinks WHERE wiki = $1 ORDER BY path")
}
