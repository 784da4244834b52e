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
// pages by the keys of their links (wiki.Link.Keys), and aliases. Links are stored as
// they are written, so a change of one page never changes the rows of another.

// linksVersion is the version of the rows of outlinks, backlinks and aliases. Raise it
// when they would be different; relink then writes them again.
const linksVersion = 2

// outlinks are a page's links, tags and aliases in order. Each column is a JSON array
// of strings: kinds and targets, as in "page Design/Ideas|the ideas" for a wikilink and
// "page/ ../Ideas.md" for an address, and link texts.
type outlinks struct{ targets, words string }

func packLinks(links []wiki.Link) (outlinks, error) {
	targets, words := make([]string, len(links)), make([]string, len(links))
	for i, l := range links {
		targets[i], words[i] = packLink(l), l.Text
	}
	a, errA := packStrings(targets)
	b, errB := packStrings(words)
	return outlinks{a, b}, errors.Join(errA, errB)
}

// packStrings returns a JSON array, as json_each reads it. The strings can be invalid
// UTF-8.
func packStrings(list []string) (string, error) {
	packed, err := jsonv2.Marshal(list, jsontext.AllowInvalidUTF8(true))
	return string(packed), err
}

func packLink(l wiki.Link) string {
	switch {
	case l.Address:
		return string(l.Kind) + "/ " + l.Target
	case l.Label != "":
		return string(l.Kind) + " " + l.Target + "|" + l.Label
	}
	return string(l.Kind) + " " + l.Target
}

func unpackLink(packed string) (l wiki.Link) {
	kind, target, _ := strings.Cut(packed, " ")
	kind, l.Address = strings.CutSuffix(kind, "/")
	l.Kind, l.Target = wiki.LinkKind(kind), target
	if !l.Address && (l.Kind == wiki.LinkPage || l.Kind == wiki.LinkFile) {
		l.Target, l.Label, _ = strings.Cut(target, "|")
	}
	return l
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
		links[i] = unpackLink(t)
		links[i].From, links[i].Text = strings.TrimSuffix(file, ".md"), words[i]
	}
	return links, nil
}

// linkKeys returns the keys of a file's links, and its aliases.
func linkKeys(file string, links []wiki.Link) (keys, aliases map[string]bool) {
	keys, aliases = map[string]bool{}, map[string]bool{}
	self := wiki.PageName(strings.TrimSuffix(file, ".md"))
	for _, l := range links {
		if l.Kind == wiki.LinkAlias {
			aliases[l.Target] = true
		}
		for _, k := range l.Keys(self) {
			keys[k] = true
		}
	}
	return keys, aliases
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

// updateBacklinks changes a file's rows in backlinks and aliases as its targets change.
func (t *tx) updateBacklinks(file string, old outlinks, links []wiki.Link) error {
	before, err := old.unpack(file)
	if err != nil {
		return err
	}
	oldKeys, oldAliases := linkKeys(file, before)
	keys, aliases := linkKeys(file, links)
	return errors.Join(
		t.changeSet(oldKeys, keys, "INSERT INTO backlinks VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			"DELETE FROM backlinks WHERE wiki = $1 AND key = $2 AND path = $3", file),
		t.changeSet(oldAliases, aliases, "INSERT INTO aliases (wiki, alias, path) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			"DELETE FROM aliases WHERE wiki = $1 AND alias = $2 AND path = $3", file))
}

// changeSet inserts the new members of a file's set and removes the lost ones.
func (t *tx) changeSet(was, is map[string]bool, insert, remove, file string) error {
	for key := range is {
		if was[key] {
			continue
		}
		if err := t.exec(insert, t.w.slug, key, file); err != nil {
			return err
		}
	}
	for key := range was {
		if is[key] {
			continue
		}
		if err := t.exec(remove, t.w.slug, key, file); err != nil {
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

// LinksByKey lists the links that have one of the keys, by page; those that can be
// read, if some are damaged.
func (w *Wiki) LinksByKey(ctx context.Context, keys []string) ([]wiki.Link, error) {
	list, err := packStrings(keys)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
	}
	hasKey := func(l wiki.Link) bool {
		return slices.ContainsFunc(l.Keys(wiki.PageName(l.From)), func(k string) bool { return wanted[k] })
	}
	return w.queryReadableLinks(ctx, hasKey, `SELECT path, targets, words FROM outlinks WHERE wiki = $1 AND path IN
		(SELECT path FROM backlinks WHERE wiki = $1 AND key IN (SELECT value FROM json_each($2))) ORDER BY path`, list)
}

// Aliases returns the other names of pages by file: of all files, or of the given ones.
func (w *Wiki) Aliases(ctx context.Context, files ...string) (map[string][]string, error) {
	query, args := "SELECT path, alias FROM aliases WHERE wiki = $1 ORDER BY path, alias", []any{w.slug}
	if len(files) > 0 {
		list, err := packStrings(files)
		if err != nil {
			return nil, err
		}
		query, args = "SELECT path, alias FROM aliases WHERE wiki = $1 AND path IN (SELECT value FROM json_each($2)) ORDER BY path, alias", append(args, list)
	}
	aliases := map[string][]string{}
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var file, alias string
		err := rows.Scan(&file, &alias)
		aliases[file] = append(aliases[file], alias)
		return err
	}, query, args...)
	if err = wrapError(err, "aliases of %s", w.slug); errors.Is(err, wiki.ErrDamaged) {
		err = nil // pages are readable without them
	}
	return aliases, err
}

// AllLinks lists all links of the given kinds, or of every kind if none is given.
func (w *Wiki) AllLinks(ctx context.Context, kinds ...wiki.LinkKind) ([]wiki.Link, error) {
	return w.queryLinks(ctx, func(l wiki.Link) bool { return len(kinds) == 0 || slices.Contains(kinds, l.Kind) },
		"SELECT path, targets, words FROM outlinks WHERE wiki = $1 ORDER BY path")
}
