package pages

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// SuggestLimit is the greatest number of suggestions.
const SuggestLimit = 20

// A Suggestion completes a word of a page's source.
type Suggestion struct {
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

// suggesters list all words of a kind. Names of pages have a method of their own,
// Complete.
var suggesters = map[string]func(q *suggesting, ctx context.Context) ([]Suggestion, error){
	"tags":      (*suggesting).tags,
	"keys":      (*suggesting).keys,
	"headings":  (*suggesting).headings,
	"emoji":     (*suggesting).emoji,
	"templates": (*suggesting).templates,
	"files":     (*suggesting).files,
}

// A SuggestQuery asks for words that complete a typed text.
type SuggestQuery struct {
	Kind  string // "tags", "keys", "headings", "emoji", "templates" or "files"
	Typed string
	Page  string // whose headings or files; headings: as a link on page From names it
	From  string
}

// suggesting is one question for suggestions.
type suggesting struct {
	s *Service
	a wiki.Access
	w *content.Wiki
	d *directory
	SuggestQuery
}

// Suggest lists words of a kind that contain the typed text, the ones that start
// with it first: "tags" and "keys" that pages of the wiki have, "headings" and
// "files" of a page, names of "emoji", and "templates". ErrNotFound for another kind.
func (s *Service) Suggest(ctx context.Context, a wiki.Access, query SuggestQuery) ([]Suggestion, error) {
	list, ok := suggesters[query.Kind]
	if !ok {
		return nil, wiki.Problemf(wiki.ErrNotFound, "kind", "There are no suggestions of this kind. The kinds are emoji, files, headings, keys, tags and templates.")
	}
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	all, err := list(&suggesting{s, a, w, d, query}, ctx)
	if err != nil {
		return nil, err
	}
	return matching(all, query.Typed), nil
}

// matching returns the suggestions that contain a text, the ones that start with it
// first.
func matching(all []Suggestion, typed string) []Suggestion {
	typed = wiki.Key(typed)
	found := make([]Suggestion, 0, SuggestLimit)
	for _, first := range []bool{true, false} {
		for _, s := range all {
			i := strings.Index(wiki.Key(s.Text), typed)
			if len(found) < SuggestLimit && i >= 0 && (i == 0) == first {
				found = append(found, s)
			}
		}
	}
	return found
}

// tags lists the wiki's tags, the most used first.
func (q *suggesting) tags(ctx context.Context) ([]Suggestion, error) {
	g, err := q.s.graph(ctx, q.w, q.d)
	if err != nil {
		return nil, err
	}
	pages := map[string]int{}
	for _, tags := range g.tags {
		for _, tag := range tags {
			pages[tag]++
		}
	}
	var list []Suggestion
	for tag, n := range pages {
		list = append(list, Suggestion{Text: tag, Hint: strconv.Itoa(n)})
	}
	slices.SortFunc(list, func(a, b Suggestion) int {
		return cmp.Or(cmp.Compare(pages[b.Text], pages[a.Text]), cmp.Compare(a.Text, b.Text))
	})
	return list, nil
}

// keys lists the keys of front matter, each with a page that has it.
func (q *suggesting) keys(ctx context.Context) ([]Suggestion, error) {
	known, err := q.s.search.KnownKeys(ctx, q.w)
	var list []Suggestion
	for _, k := range known {
		list = append(list, Suggestion{Text: k.Name, Hint: k.Page.Title()})
	}
	return list, err
}

// headings lists the headings of the page to which a link leads, none if it leads
// nowhere.
func (q *suggesting) headings(ctx context.Context) ([]Suggestion, error) {
	from, _ := wiki.ParsePageName(q.From)
	name, ok := wiki.PageOf(q.d.lead(from, wiki.Link{Kind: wiki.LinkPage, Target: q.Page}).file)
	if !ok {
		return nil, nil
	}
	p, err := q.s.read(ctx, q.w, q.a, string(name), "")
	if errors.Is(err, wiki.ErrNotFound) { // deleted meanwhile
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rendered, _, err := q.s.rendered(ctx, q.w, q.d, p)
	if err != nil {
		return nil, err
	}
	var list []Suggestion
	for _, h := range rendered.page.Headings {
		list = append(list, Suggestion{Text: h.Text, Hint: strings.Repeat("#", h.Level)})
	}
	return list, nil
}

func (q *suggesting) emoji(_ context.Context) ([]Suggestion, error) {
	var list []Suggestion
	for _, e := range markdown.EmojiNames() {
		list = append(list, Suggestion{Text: e.Name, Hint: e.Char})
	}
	return list, nil
}

func (q *suggesting) templates(ctx context.Context) ([]Suggestion, error) {
	var list []Suggestion
	for _, page := range q.d.templates() {
		list = append(list, Suggestion{Text: page.Title(), Hint: string(page)})
	}
	return list, nil
}

// files lists the wiki's files, those of the page first, each with its address in
// the page's source.
func (q *suggesting) files(ctx context.Context) ([]Suggestion, error) {
	all, err := attachments(ctx, q.w, "", func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	var own, others []Suggestion
	for _, f := range all {
		if path.Dir(f.Path) == q.Page {
			own = append(own, Suggestion{Text: f.Name, Hint: FileAddress(f.Name)})
		} else {
			others = append(others, Suggestion{Text: f.Name, Hint: wiki.PathURL(f.Path)})
		}
	}
	return append(own, others...), nil
}
