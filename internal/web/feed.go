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

// feedCommits returns the newest commits of a feed's scope, with the scope's title and
// query.
func (h *Handler) feedCommits(v *visit) (commits []wiki.Commit, title, query string, err error) {
	filter, title, query, err := feedScope(v)
	if err != nil {
		return nil, "", "", err
	}
	commits, err = h.o.Pages.Changelog(v.ctx(), v.a, filter)
	return commits, title, query, err
}

func (h *Handler) showAtom(v *visit) error {
	commits, title, query, err := h.feedCommits(v)
	if err != nil {
		return err
	}
	origin := h.o.WikiOrigin(v.slug)
	feed := atomFeed{
		ID: origin + "/" + query, Title: xmlText(title), Updated: v.a.Site().Created.UTC().Format(time.RFC3339),
		Links: []atomLink{{"self", origin + "/-/changelog/feed.atom" + query}, {"alternate", origin + "/-/changelog"}},
	}
	for i, c := range commits {
		at := c.Time.UTC().Format(time.RFC3339)
		if i == 0 {
			feed.Updated = at
		}
		link := origin + "/-/commit/" + c.ID
		feed.Entries = append(feed.Entries, atomEntry{
			ID: link, Title: feedTitle(c), Updated: at, Author: xmlText(h.byline(c.Author)),
			Link: atomLink{"alternate", link}, Summary: strings.Join(changedNames(c), ", "),
		})
	}
	return h.writeXML(v, "application/atom+xml; charset=utf-8", feed)
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
	commits, title, _, err := h.feedCommits(v)
	if err != nil {
		return err
	}
	origin := h.o.WikiOrigin(v.slug)
	feed := rssFeed{Version: "2.0", Channel: rssChannel{
		Title: xmlText(title), Link: origin + "/-/changelog", Description: "Changes by people and agents, newest first.",
	}}
	for _, c := range commits {
		link := origin + "/-/commit/" + c.ID
		feed.Channel.Items = append(feed.Channel.Items, rssItem{
			Title: feedTitle(c), Link: link, GUID: link, PubDate: c.Time.UTC().Format(time.RFC1123Z),
			Description: html.EscapeString(xmlText(h.byline(c.Author)) + ": " + strings.Join(changedNames(c), ", ")), // feed readers parse it as HTML
		})
	}
	return h.writeXML(v, "application/rss+xml; charset=utf-8", feed)
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
