package web

import (
	"encoding/xml"
	"html"
	"net/url"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

const feedEntries = 50

// atomFeed is RFC 4287.
type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Author  string   `xml:"author>name"`
	Link    atomLink `xml:"link"`
	Summary string   `xml:"summary"`
	Content atomText `xml:"content"`
}

type atomText struct {
	Type string `xml:"type,attr"` // html
	Text string `xml:",chardata"`
}

// feedScope returns what a feed is about, from its address: the page of ?page=, the
// folder of ?folder=, or the whole wiki. It returns the feed's title and the query of
// its own address, too.
func feedScope(v *visit) (filter pages.LogFilter, title, query string, err error) {
	filter.Limit = feedEntries
	for _, kind := range []string{"page", "folder"} {
		asked := v.query(kind)
		if asked == "" {
			continue
		}
		name, err := wiki.ParsePageName(asked)
		if err != nil {
			return filter, "", "", err
		}
		filter.PathPrefix, title = name.File(), "Changes to "+name.Title()
		if kind == "folder" {
			filter.PathPrefix, title = string(name)+"/", "Changes in "+name.Title()
		}
		return filter, title + " - " + v.a.Site().Name(), "?" + url.Values{kind: {string(name)}}.Encode(), nil
	}
	return filter, "Changes in " + v.a.Site().Name(), "", nil
}

// A feed is what both formats have in common.
type feed struct {
	title, query string // of its scope
	commits      []wiki.Commit
	texts        [][]pages.ChangedText // by commit
}

// readFeed reads the newest commits of a feed's scope.
func (h *Handler) readFeed(v *visit) (f feed, err error) {
	filter, title, query, err := feedScope(v)
	if err != nil {
		return f, err
	}
	f.title, f.query = title, query
	if f.commits, err = h.o.Pages.Changelog(v.ctx(), v.a, filter); err != nil {
		return f, err
	}
	f.texts, err = h.o.Pages.ChangedTexts(v.ctx(), v.a, f.commits, filter.PathPrefix)
	return f, err
}

// changedHTML shows what a commit changed, in HTML that feed readers sanitize.
func (f feed) changedHTML(origin string, commit int) string {
	var b strings.Builder
	for _, t := range f.texts[commit] {
		if t.Lines == "" {
			continue
		}
		b.WriteString(`<p><a href="` + html.EscapeString(origin+t.Page.URL()) + `">` + html.EscapeString(xmlText(wiki.Title(string(t.Page)))) + "</a></p>\n")
		b.WriteString("<pre>" + html.EscapeString(xmlText(t.Lines)) + "</pre>\n")
		if t.Cut {
			b.WriteString("<p>More lines were changed.</p>\n")
		}
	}
	return b.String()
}

func (h *Handler) showAtom(v *visit) error {
	f, err := h.readFeed(v)
	if err != nil {
		return err
	}
	return h.writeXML(v, "application/atom+xml; charset=utf-8", h.atomOf(v, f, "/-/changelog/feed.atom"))
}

// atomOf returns a feed for the address self.
func (h *Handler) atomOf(v *visit, f feed, self string) atomFeed {
	origin := h.home(v)
	out := atomFeed{
		ID: origin + "/" + f.query, Title: xmlText(f.title), Updated: v.a.Site().Created.UTC().Format(time.RFC3339),
		Links: []atomLink{{"self", origin + self + f.query}, {"alternate", origin + "/-/changelog"}},
	}
	for i, c := range f.commits {
		at := c.Time.UTC().Format(time.RFC3339)
		if i == 0 {
			out.Updated = at
		}
		link := origin + "/-/commit/" + c.ID
		out.Entries = append(out.Entries, atomEntry{
			ID: link, Title: feedTitle(c), Updated: at, Author: xmlText(h.byline(c.Author)),
			Link: atomLink{"alternate", link}, Summary: strings.Join(changedNames(c), ", "),
			Content: atomText{"html", f.changedHTML(origin, i)},
		})
	}
	return out
}

// rssFeed is RSS 2.0.
type rssFeed struct {
	XMLName xml.Name   `xml:"rss"`
	Version string     `xml:"version,attr"`
	Channel rssChannel `xml:"channel"`
}

type rssChannel struct {
	Title       string    `xml:"title"`
	Link        string    `xml:"link"`
	Description string    `xml:"description"`
	Items       []rssItem `xml:"item"`
}

type rssItem struct {
	Title       string `xml:"title"`
	Link        string `xml:"link"`
	GUID        string `xml:"guid"`
	PubDate     string `xml:"pubDate"`
	Description string `xml:"description"`
}

func (h *Handler) showRSS(v *visit) error {
	f, err := h.readFeed(v)
	if err != nil {
		return err
	}
	origin := h.home(v)
	out := rssFeed{Version: "2.0", Channel: rssChannel{
		Title: xmlText(f.title), Link: origin + "/-/changelog", Description: "Changes by people and agents, newest first.",
	}}
	for i, c := range f.commits {
		link := origin + "/-/commit/" + c.ID
		out.Channel.Items = append(out.Channel.Items, rssItem{
			Title: feedTitle(c), Link: link, GUID: link, PubDate: c.Time.UTC().Format(time.RFC1123Z),
			Description: html.EscapeString(xmlText(h.byline(c.Author))+": "+strings.Join(changedNames(c), ", ")) + "\n" + f.changedHTML(origin, i), // feed readers parse it as HTML
		})
	}
	return h.writeXML(v, "application/rss+xml; charset=utf-8", out)
}

func feedTitle(c wiki.Commit) string {
	title := commitSummary(c)
	if names := changedNames(c); c.Message != "" && len(names) == 1 && !strings.Contains(title, names[0]) {
		title = names[0] + ": " + title
	}
	return xmlText(title)
}

// changedNames lists the titles of the pages and files that a commit changed.
func changedNames(c wiki.Commit) []string {
	var names []string
	for _, change := range c.Changes {
		name := change.Path
		if page, ok := wiki.PageOf(change.Path); ok {
			name = wiki.Title(string(page))
		}
		names = append(names, xmlText(name))
	}
	if c.Cut {
		names = append(names, "and more")
	}
	return names
}

// xmlText drops characters that are invalid in XML; encoding/xml would write them
// as U+FFFD.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' {
			return -1
		}
		return r
	}, s)
}
