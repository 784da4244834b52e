package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"robot.wtf/internal/pages"
)

const hitsShown = 20

// searchPage shows search results.
type searchPage struct {
	Frame
	pages.Results
	Match pages.Mode // requested mode
	Asked bool       // there is a query or a filter
	More  string     // address of the next page of hits

	Path, Tag, Author string // filters, "" for none
	Folders           []option
	Tags              []option
	Authors           pages.Authors
}

// An option is an entry of a select element.
type option struct {
	Value, Label string
}

// withOption adds the requested option to a list that lacks it.
func withOption(list []option, asked string) []option {
	if asked != "" && !slices.ContainsFunc(list, func(o option) bool { return o.Value == asked }) {
		list = append(list, option{asked, asked})
	}
	return list
}

// fillFilters fills in the options of the page's filters.
func (h *Handler) fillFilters(v *visit, p *searchPage) error {
	index, err := h.o.Pages.Index(v.ctx(), v.a)
	if err != nil {
		return err
	}
	for _, n := range index.Tree {
		if len(n.Children) > 0 {
			p.Folders = append(p.Folders, option{n.Path, n.Name})
		}
	}
	for _, t := range index.Tags {
		p.Tags = append(p.Tags, option{t.Tag, t.Tag})
	}
	p.Folders, p.Tags = withOption(p.Folders, p.Path), withOption(p.Tags, p.Tag)
	p.Authors, err = h.o.Pages.Authors(v.ctx(), v.a)
	return err
}

// hitsURL is the address of the hits from an offset on.
func (p *searchPage) hitsURL(offset int) string {
	q := url.Values{"q": {p.Query}, "offset": {strconv.Itoa(offset)}}
	if p.Match != pages.Hybrid {
		q.Set("mode", string(p.Match))
	}
	for name, value := range map[string]string{"path": p.Path, "tag": p.Tag, "author": p.Author} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return "/-/search?" + q.Encode()
}

// OtherAuthor reports whether the requested author isn't in the lists.
func (p *searchPage) OtherAuthor() bool {
	return byFilter{Author: p.Author, Authors: p.Authors}.Other()
}

func (h *Handler) showSearch(v *visit) error {
	text := v.query("q")
	if text == "" {
		text = v.query("query") // An Otter Wiki's
	}
	offset, _ := strconv.Atoi(v.query("offset"))
	offset = min(max(offset, 0), 10_000)
	mode, err := pages.ParseMode(v.query("mode"))
	if err != nil {
		return err
	}
	p := &searchPage{Frame: h.frame(v, "Search"), Match: mode, Path: v.query("path"), Tag: v.query("tag"), Author: v.query("author")}
	p.Query, p.NoIndex = text, true
	if text+p.Path+p.Tag+p.Author != "" {
		p.Results, err = h.o.Pages.Search(v.ctx(), v.a, pages.Query{
			Text: text, Tag: p.Tag, Path: p.Path, Author: p.Author, Limit: hitsShown, Offset: offset, Mode: mode,
		})
		if err != nil {
			return err
		}
		p.Asked = true
		if text != "" {
			p.Title = text + " - search"
		}
		if next := offset + hitsShown; next < p.Total {
			p.More = p.hitsURL(next)
		}
	}
	if err := h.fillFilters(v, p); err != nil {
		return err
	}
	return h.render(v, http.StatusOK, "search", p)
}

// redirectSearch redirects An Otter Wiki's search forms to a shareable address.
func (h *Handler) redirectSearch(v *visit) error {
	text := v.param("query")
	if v.r.Method == http.MethodPost {
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, 64<<10)
		if err := parseForm(v.r); err != nil {
			return err
		}
		if text = v.r.PostForm.Get("query"); text == "" {
			text = v.r.PostForm.Get("q")
		}
	}
	return h.redirect(v, "/-/search?q="+url.QueryEscape(text))
}

// suggestion is a suggested page name.
type suggestion struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	URL   string `json:"url"`
	Link  string `json:"link,omitempty"` // target of a wikilink
}

// suggestPages lists page names as they are typed: /-/suggest?q=wea gives
// {"pages":[{"name","title","url"}]}, at most 10. With from, the name of a page, each
// has the target of a wikilink on it (link), and textFirst says that the target of
// [[text|Page]] is after the bar.
func (h *Handler) suggestPages(v *visit) error {
	if v.r.URL.Query().Has("from") {
		return h.suggestLinks(v)
	}
	names, err := h.o.Pages.Complete(v.ctx(), v.a, v.query("q"), 10)
	if err != nil {
		return err
	}
	list := make([]suggestion, 0, len(names))
	for _, n := range names {
		list = append(list, suggestion{Name: string(n), Title: n.Title(), URL: n.URL()})
	}
	return h.writeJSON(v, http.StatusOK, map[string]any{"pages": list})
}

func (h *Handler) suggestLinks(v *visit) error {
	found, err := h.o.Pages.CompleteLink(v.ctx(), v.a, v.query("q"), v.query("from"), 10)
	if err != nil {
		return err
	}
	list := make([]suggestion, 0, len(found.Choices))
	for _, c := range found.Choices {
		list = append(list, suggestion{string(c.Page), c.Page.Title(), c.Page.URL(), c.Target})
	}
	return h.writeJSON(v, http.StatusOK, map[string]any{"pages": list, "textFirst": found.TextFirst})
}

// suggestWords lists words that an editor can complete: /-/suggest/tags?q=gar gives
// {"items":[{"text","hint"}]}. Files are those of a page, headings those of the page that
// a link on page from names.
func (h *Handler) suggestWords(v *visit) error {
	items, err := h.o.Pages.Suggest(v.ctx(), v.a, pages.SuggestQuery{
		Kind: v.param("kind"), Typed: v.query("q"), Page: v.query("page"), From: v.query("from"),
	})
	if err != nil {
		return err
	}
	return h.writeJSON(v, http.StatusOK, map[string]any{"items": items})
}
