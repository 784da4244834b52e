package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// A jumpItem is somewhere to go, or something to do.
type jumpItem struct {
	Label string `json:"label"`
	Hint  string `json:"hint,omitempty"` // the folder, page or text that it belongs to
	URL   string `json:"url"`
	Icon  string `json:"icon"`
}

// A jumpGroup is a kind of results.
type jumpGroup struct {
	Title string     `json:"title"`
	Items []jumpItem `json:"items"`
}

// jumpPage lists where to go from here without a script; with one, palette.js shows the
// same groups as one types.
type jumpPage struct {
	Frame
	Groups []jumpGroup
}

// Results of each group.
const (
	jumpPages = 7
	jumpTexts = 8
)

// showJump finds pages, headings, text and actions. The parameter q is the text typed so
// far, and page the page that the actions are about, or "".
func (h *Handler) showJump(v *visit) error {
	typed := strings.TrimSpace(strings.ToValidUTF8(v.query("q"), ""))
	p := &jumpPage{Frame: h.frame(v, "Jump to")}
	p.NoIndex, p.Query = true, typed
	var err error
	if typed == "" {
		err = h.addRecent(v, p)
	} else {
		err = h.addMatches(v, p, typed)
	}
	if err != nil {
		return err
	}
	if typed == "" {
		p.addActions(h, v)
	}
	if typed != "" && v.a.Can(wiki.Edit) {
		if name, err := wiki.ParsePageName(typed); err == nil {
			p.add("New", []jumpItem{{Label: "New page “" + name.Title() + "”", URL: "/-/create?pagename=" + url.QueryEscape(typed), Icon: "plus"}})
		}
	}
	if wantsJSON(v.r) {
		return h.writeJSON(v, http.StatusOK, map[string]any{"groups": p.Groups})
	}
	return h.render(v, http.StatusOK, "jump", p)
}

func (p *jumpPage) addActions(h *Handler, v *visit) {
	p.add("Actions", matchingActions(h.jumpActions(v, v.query("page")), p.Query))
}

func (p *jumpPage) add(title string, items []jumpItem) {
	if len(items) > 0 {
		p.Groups = append(p.Groups, jumpGroup{title, items})
	}
}

// addRecent adds the pages that changed last.
func (h *Handler) addRecent(v *visit, p *jumpPage) error {
	entries, err := h.o.Pages.List(v.ctx(), v.a, pages.ListFilter{})
	if err != nil {
		return err
	}
	slices.SortStableFunc(entries, func(a, b pages.Entry) int { return b.Modified.Compare(a.Modified) })
	var items []jumpItem
	for _, e := range entries[:min(len(entries), jumpPages)] {
		items = append(items, jumpTo(e.Name))
	}
	p.add("Changed last", items)
	return nil
}

// addMatches adds the pages whose names have the typed text, and the sections with its
// words.
func (h *Handler) addMatches(v *visit, p *jumpPage, typed string) error {
	names, err := h.o.Pages.Complete(v.ctx(), v.a, typed, jumpPages)
	if err != nil {
		return err
	}
	var named, similar, headings, texts []jumpItem
	for _, name := range names {
		if strings.Contains(wiki.Key(string(name)), wiki.Key(typed)) || hasWords(string(name), typed) {
			named = append(named, jumpTo(name))
		} else {
			similar = append(similar, jumpTo(name))
		}
	}
	found, err := h.o.Pages.Search(v.ctx(), v.a, pages.Query{Text: asPrefix(typed), Limit: jumpTexts, Mode: pages.Keyword})
	if err != nil {
		return err
	}
	for _, hit := range found.Hits {
		for _, s := range append([]pages.HitSection{hit.Section}, hit.More...) {
			switch {
			case s.Heading != "" && hasWords(s.Heading, typed):
				headings = append(headings, jumpItem{Label: s.Heading, Hint: hit.Page.Title(), URL: s.URL(hit.Page), Icon: "heading"})
			case s.Line == hit.Line && s.Heading == hit.Heading && !slices.Contains(names, hit.Page):
				texts = append(texts, jumpItem{Label: hit.Page.Title(), Hint: snippetText(s), URL: s.URL(hit.Page), Icon: "search"})
			}
		}
	}
	p.add("Pages", named)
	p.addActions(h, v)
	p.add("Headings", headings[:min(len(headings), jumpTexts)])
	p.add("Text", texts)
	p.add("Similar names", similar)
	return nil
}

func jumpTo(name wiki.PageName) jumpItem {
	item := jumpItem{Label: name.Title(), URL: name.URL(), Icon: "page"}
	if i := strings.LastIndex(string(name), "/"); i >= 0 {
		item.Label, item.Hint = wiki.Title(string(name)[i+1:]), wiki.Title(string(name)[:i])
	}
	return item
}

// asPrefix lets the last word of a query be the beginning of one, as somebody still
// types it.
func asPrefix(typed string) string {
	words := strings.Fields(typed)
	last := words[len(words)-1]
	if len([]rune(last)) < 2 || strings.ContainsFunc(last, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		return typed
	}
	return typed + "*"
}

// hasWords reports whether a text has all words that were typed, or words that begin
// with them.
func hasWords(text, typed string) bool {
	key := " " + wiki.Key(text)
	for _, word := range strings.Fields(wiki.Key(typed)) {
		if !strings.Contains(key, " "+word) && !strings.Contains(key, "-"+word) && !strings.Contains(key, "_"+word) {
			return false
		}
	}
	return true
}

func snippetText(s pages.HitSection) string {
	var b strings.Builder
	for _, span := range s.Snippet {
		b.WriteString(span.Text)
	}
	text := []rune(strings.Join(strings.Fields(b.String()), " "))
	return string(text[:min(len(text), 120)])
}

// jumpActions are the things that the visitor can do, first those with a page.
func (h *Handler) jumpActions(v *visit, page string) []jumpItem {
	var list []jumpItem
	add := func(allowed bool, label, hint, address, icon string) {
		if allowed {
			list = append(list, jumpItem{label, hint, address, icon})
		}
	}
	edit, member := v.a.Can(wiki.Edit), v.a.Role() >= wiki.Viewer
	if name, err := wiki.ParsePageName(page); err == nil && page != "" {
		at := func(action string) string { return wiki.PathURL(string(name) + "/" + action) }
		title := name.Title()
		add(edit, "Edit this page", title, at("edit"), "pencil")
		add(true, "History of this page", title, at("history"), "clock")
		add(true, "Who wrote what on this page", title, at("blame"), "person")
		add(true, "Files of this page", title, at("attachments"), "image")
		add(edit, "Rename or move this page", title, at("rename"), "pencil")
		add(edit, "Delete this page", title, at("delete"), "stop")
	}
	add(edit, "New page", "", "/-/create", "plus")
	add(true, "All changes", "", "/-/changelog", "clock")
	add(true, "All pages", "", "/-/index", "pages")
	add(true, "All files", "", "/-/attachments", "image")
	add(true, "Search by words and meaning", "", "/-/search", "search")
	add(member, "Connect an agent", "", "/-/connect", "agent")
	add(member, "Connected agents", "", "/-/agents", "agent")
	add(v.a.Can(wiki.Configure), "Invite someone", "", "/-/settings#members", "person")
	add(v.a.Can(wiki.Configure), "Wiki settings", "", "/-/settings", "lock")
	add(v.a.Can(wiki.Configure), "Import pages", "", "/-/import", "upload")
	add(true, "Export this wiki", "", "/-/export", "copy")
	add(true, "Pages that may need attention", "", "/-/health", "info")
	add(true, "Help", "", "/-/help", "info")
	return list
}

// matchingActions returns the actions with the typed words; without any, the first ones.
func matchingActions(all []jumpItem, typed string) []jumpItem {
	const shown = 8
	if typed == "" {
		return all[:min(len(all), shown)]
	}
	var list []jumpItem
	for _, a := range all {
		if hasWords(a.Label, typed) {
			list = append(list, a)
		}
	}
	return list
}
