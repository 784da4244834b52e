package pages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/property"
	"robot.wtf/internal/search"
	"robot.wtf/internal/wiki"
)

// linkQuery is the kind of the answers to "::: pages" blocks. No link has it.
const linkQuery wiki.LinkKind = "query"

// pageLists is what a resolver needs to list pages by a query.
type pageLists struct {
	s     *Service
	since int64 // number of the commit that the index must have
	// behind says that the index lacked it, so the lists are empty. While a text is
	// rendered the index can't catch up, because both work on the wiki's large texts,
	// one at a time (content.Pool.AcquireLarge).
	behind    bool
	holdsTurn bool // the index can't catch up before rendering either
}

// Bounds on a list.
const (
	maxListedValues = 20        // of a key of a page
	maxListedText   = 200       // characters of a value
	maxListedBytes  = 256 << 10 // of all values
)

// QueryPages implements markdown.PageQuerier. The rows are an answer like those about
// links, so a cached body is valid while they would be the same.
func (r *resolver) QueryPages(ctx context.Context, q markdown.PageQuery) markdown.PageRows {
	rows, err := r.queryPages(ctx, q)
	if errors.Is(err, search.ErrBehind) {
		r.lists.behind = true
		return markdown.PageRows{}
	}
	if err != nil {
		r.fail(err)
		return markdown.PageRows{Bad: true, Note: "This list can't be shown at the moment. Reload the page to try again."}
	}
	r.answers = append(r.answers, queryAnswer(q, rows))
	return rows
}

// queryPages answers a query. A query with a fault has rows that say so.
func (r *resolver) queryPages(ctx context.Context, q markdown.PageQuery) (markdown.PageRows, error) {
	asked := PageQuery{Where: q.Where, Sort: q.Sort, ListFilter: ListFilter{Tag: q.Tag}}
	if q.Folder != "" {
		asked.Prefix = q.Folder + "/"
	}
	for _, key := range q.Show {
		if !isUpdated(key) {
			asked.Show = append(asked.Show, key)
		}
	}
	list, err := r.lists.s.query(ctx, r.w, r.names, asked, search.PropertyQuery{AsIs: true, Since: r.lists.since})
	var problem *wiki.Problem
	switch {
	case errors.As(err, &problem) && (errors.Is(err, wiki.ErrInvalid) || errors.Is(err, wiki.ErrTooLarge)):
		return markdown.PageRows{Bad: true, Note: problem.Message}, nil
	case err != nil:
		return markdown.PageRows{}, err
	}
	rows := markdown.PageRows{Total: len(list.Pages), Note: unknownKeysNote(list.Unknown)}
	bytes := 0
	for _, p := range list.Pages[:min(q.Limit, len(list.Pages))] {
		row := markdown.PageRow{Page: markdown.Target{URL: p.Name.URL(), Exists: true, Name: p.Name}}
		row.Values = r.listedValues(p, q.Show, &bytes)
		if bytes > maxListedBytes {
			break
		}
		rows.Rows = append(rows.Rows, row)
	}
	return rows, nil
}

// isUpdated reports whether a column shows when the pages were changed.
func isUpdated(key string) bool { return property.Key(key) == "updated" }

// listedValues returns a page's values of some keys, and adds their size to bytes.
func (r *resolver) listedValues(p ListedPage, show []string, bytes *int) (values [][]markdown.ListedValue) {
	known := p.Properties
	for _, key := range show {
		if isUpdated(key) {
			values = append(values, []markdown.ListedValue{{Text: p.Modified.UTC().Format(time.DateOnly)}})
			continue
		}
		var shown []markdown.ListedValue
		for _, v := range known[0].Values[:min(maxListedValues, len(known[0].Values))] {
			shown = append(shown, r.listedValue(p.Name, v))
			*bytes += 50 + len(shown[len(shown)-1].Text)
		}
		values, known = append(values, shown), known[1:]
	}
	return values
}

// listedValue returns a value for display. A link leads where it leads on its page.
func (r *resolver) listedValue(page wiki.PageName, v property.Value) markdown.ListedValue {
	if v.Kind != property.Link {
		return markdown.ListedValue{Text: truncate(v.Text, maxListedText)}
	}
	target, label, labeled := strings.Cut(v.Text, "|")
	if !labeled {
		label = strings.ReplaceAll(target, "_", " ")
	}
	shown := markdown.ListedValue{Text: truncate(label, maxListedText)}
	to := r.names.lead(page, wiki.Link{Kind: wiki.LinkPage, Target: target})
	if name, isPage := wiki.PageOf(to.file); isPage {
		shown.Link = markdown.Target{URL: name.URL(), Exists: true, Name: name}
	}
	return shown
}

func unknownKeysNote(keys []string) string {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return key == "" })
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("No page's front matter has %s.", strings.Join(keys, ", "))
}

// queryAnswer is an answer with a hash of the rows.
func queryAnswer(q markdown.PageQuery, rows markdown.PageRows) answer {
	asked, _ := json.Marshal(q) // of strings and a number
	got, _ := json.Marshal(rows)
	hash := sha256.Sum256(got)
	return answer{link: wiki.Link{Kind: linkQuery, Target: string(asked)}, blob: hex.EncodeToString(hash[:])}
}

// sameRows reports whether a query would have the same answer now. It asks again unless
// no page changed.
func (r *resolver) sameRows(ctx context.Context, old answer, sameNames bool, changed map[string]bool) bool {
	if sameNames && changed != nil && len(changed) == 0 {
		return true
	}
	var q markdown.PageQuery
	if json.Unmarshal([]byte(old.link.Target), &q) != nil {
		return false
	}
	if !r.lists.holdsTurn && r.lists.s.search.CatchUp(ctx, r.w) != nil {
		return false
	}
	rows, err := r.queryPages(ctx, q)
	return err == nil && queryAnswer(q, rows) == old
}

// catchUp prepares rendering again after the index was behind. The lists then show what
// the index has, even if it can't be written.
func (r *resolver) catchUp(ctx context.Context) {
	if err := r.lists.s.search.CatchUp(ctx, r.w); err != nil {
		r.fail(err)
	}
	r.lists.behind, r.lists.since = false, 0
}
