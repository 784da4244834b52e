package api

import (
	"net/http"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

type change struct {
	Path     string          `json:"path"`
	From     string          `json:"from,omitempty"`
	Kind     wiki.ChangeKind `json:"kind"`
	Revision string          `json:"revision"`
}

type logEntry struct {
	Revision string `json:"revision"` // the commit id, under the name that An Otter Wiki uses
	Commit   string `json:"commit"`
	author
	Date     time.Time `json:"date"`
	Message  string    `json:"message"`
	Affected []string  `json:"pages_affected"`
	Changes  []change  `json:"changes"`
	Cut      bool      `json:"more_changes,omitempty"` // than these
}

type changelogAnswer struct {
	Entries []logEntry `json:"entries"`
	Total   int64      `json:"total"`            // number of the wiki's commits
	Before  int64      `json:"before,omitempty"` // send it to get the next part; 0 at the end
}

// filter reads the parameters limit, before, author (a username, an agent's name, or
// "agent for username") and by ("people" or "agents").
func (c *call) filter() (pages.LogFilter, error) {
	limit, err := c.number("limit", 50, 1, 500)
	if err != nil {
		return pages.LogFilter{}, err
	}
	before, err := c.number("before", 0, 1, 1<<53)
	if err != nil {
		return pages.LogFilter{}, err
	}
	q := c.URL.Query()
	f := pages.LogFilter{Before: before, Limit: int(limit), Author: q.Get("author")}
	switch by := q.Get("by"); by {
	case "":
	case "people", "agents":
		agents := by == "agents"
		f.Agents = &agents
	default:
		return f, wiki.Problemf(wiki.ErrInvalid, "by", "The parameter by must be people or agents, not %q.", by)
	}
	return f, nil
}

func (h *Handler) changelog(c *call) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	filter.PathPrefix = c.URL.Query().Get("prefix")
	log, err := h.o.Pages.Changelog(c.Context(), c.access, filter)
	if err != nil {
		return err
	}
	out := make([]logEntry, len(log))
	for i, commit := range log {
		e := logEntry{commit.ID, commit.ID, h.author(c, commit.Author), commit.Time.UTC(), commit.Message, []string{}, []change{}, commit.Cut}
		for _, ch := range commit.Changes {
			if wiki.Hidden(ch.Path) {
				continue
			}
			e.Affected = append(e.Affected, filePage(ch.Path))
			e.Changes = append(e.Changes, change{filePage(ch.Path), filePage(ch.From), ch.Kind, ch.New})
		}
		out[i] = e
	}
	head, err := h.o.Pages.Head(c.Context(), c.access)
	if err != nil {
		return err
	}
	answer := changelogAnswer{Entries: out, Total: head}
	if len(log) == filter.Limit {
		answer.Before = log[len(log)-1].Seq
	}
	return c.respond(http.StatusOK, answer)
}

type hit struct {
	Name     string    `json:"name"`
	Path     string    `json:"path"`
	Snippet  string    `json:"snippet"`
	Score    float64   `json:"score"`
	Heading  string    `json:"heading,omitempty"`
	Line     int       `json:"line,omitempty"`
	Revision string    `json:"revision"`
	Matched  []string  `json:"matched"`            // how the page was found: "words", "meaning"
	Missing  []string  `json:"missing,omitempty"`  // words of the query that the page lacks
	Sections []section `json:"sections,omitempty"` // other matching sections of the page
}

type section struct {
	Heading string `json:"heading"`
	Line    int    `json:"line"`
	Snippet string `json:"snippet"`
}

func spansText(spans []pages.Span) string {
	var b strings.Builder
	for _, span := range spans {
		b.WriteString(span.Text)
	}
	return b.String()
}

func newHit(f pages.Hit) hit {
	h := hit{
		Name: f.Page.Title(), Path: string(f.Page), Snippet: spansText(f.Snippet), Score: f.Score,
		Heading: f.Heading, Line: f.Line, Revision: f.Blob, Matched: []string{}, Missing: f.Missing,
	}
	if f.ByWords {
		h.Matched = append(h.Matched, "words")
	}
	if f.ByMeaning {
		h.Matched = append(h.Matched, "meaning")
	}
	for _, s := range f.More {
		h.Sections = append(h.Sections, section{s.Heading, s.Line, spansText(s.Snippet)})
	}
	return h
}

type searchAnswer struct {
	Query    string   `json:"query"`
	Results  []hit    `json:"results"`
	Total    int      `json:"total"`
	Partial  int      `json:"partial"`  // pages that lack a word; they come last
	Loosened string   `json:"loosened"` // "beginnings" or "any" if no page had all the words
	Ignored  []string `json:"ignored"`  // parts of the query that were not used
	Mode     string   `json:"mode"`     // "hybrid", "keyword" or "semantic"
	Waiting  int      `json:"waiting"`  // sections not yet searchable by meaning
}

func (h *Handler) search(c *call) error {
	asked := c.URL.Query()
	q := asked.Get("q")
	if strings.TrimSpace(q) == "" {
		return wiki.Problemf(wiki.ErrInvalid, "q", "The parameter q is required: ?q=…")
	}
	limit, err := c.number("limit", 20, 1, 100)
	if err != nil {
		return err
	}
	offset, err := c.number("offset", 0, 0, 10_000)
	if err != nil {
		return err
	}
	mode, err := pages.ParseMode(asked.Get("mode"))
	if err != nil {
		return err
	}
	found, err := h.o.Pages.Search(c.Context(), c.access, pages.Query{
		Text: q, Tag: asked.Get("tag"), Path: asked.Get("path"), Author: asked.Get("author"), Limit: int(limit), Offset: int(offset), Mode: mode,
	})
	if err != nil {
		return err
	}
	out := make([]hit, len(found.Hits))
	for i, f := range found.Hits {
		out[i] = newHit(f)
	}
	return c.respond(http.StatusOK, searchAnswer{q, out, found.Total, found.Partial, string(found.Loosened), notNil(found.Ignored), string(found.Mode), found.Waiting})
}

// formerHit is a hit in the form of the predecessor's API, as far as there is an
// equivalent.
type formerHit struct {
	Name        string  `json:"name"`
	Path        string  `json:"path"`
	Text        string  `json:"text"`
	Snippet     string  `json:"snippet"`
	Distance    float64 `json:"distance"` // orders the results; not a measure
	Section     string  `json:"section"`
	SectionPath string  `json:"section_path"`
}

type formerSearchAnswer struct {
	Query   string      `json:"query"`
	Results []formerHit `json:"results"`
	Total   int         `json:"total"`
}

// formerSearch is search under the address, parameters and form of the predecessor's
// API.
func (h *Handler) formerSearch(c *call) error {
	q := c.URL.Query().Get("q")
	if strings.TrimSpace(q) == "" {
		return wiki.Problemf(wiki.ErrInvalid, "q", "The parameter q is required: ?q=…")
	}
	n, err := c.number("n", 5, 1, 50)
	if err != nil {
		return err
	}
	each, err := c.number("max_chunks_per_page", 2, 1, 5)
	if err != nil {
		return err
	}
	mode, err := pages.ParseMode("semantic")
	if err != nil {
		return err
	}
	found, err := h.o.Pages.Search(c.Context(), c.access, pages.Query{Text: q, Limit: int(n), Mode: mode})
	if err != nil {
		return err
	}
	out := []formerHit{}
	for i, f := range found.Hits {
		add := func(heading, snippet string) {
			out = append(out, formerHit{f.Page.Title(), string(f.Page), snippet, snippet, 1 - 1/float64(i+2), heading, heading})
		}
		add(f.Heading, spansText(f.Snippet))
		for _, s := range f.More[:min(len(f.More), int(each)-1)] {
			add(s.Heading, spansText(s.Snippet))
		}
	}
	out = out[:min(len(out), int(n))]
	return c.respond(http.StatusOK, formerSearchAnswer{q, out, len(out)})
}

type edge struct {
	Source wiki.PageName `json:"source"`
	Target wiki.PageName `json:"target"`
}

type graphAnswer struct {
	Nodes []wiki.PageName `json:"nodes"`
	Edges []edge          `json:"edges"`
}

func (h *Handler) graph(c *call) error {
	g, err := h.o.Pages.Graph(c.Context(), c.access)
	if err != nil {
		return err
	}
	edges := make([]edge, len(g.Edges))
	for i, e := range g.Edges {
		edges[i] = edge{e[0], e[1]}
	}
	return c.respond(http.StatusOK, graphAnswer{notNil(g.Nodes), edges})
}

type linksAnswer struct {
	Path       string          `json:"path"`
	LinksTo    []wiki.PageName `json:"links_to"`
	LinkedFrom []wiki.PageName `json:"linked_from"`
}

func (h *Handler) pageLinks(c *call) error {
	links, err := h.o.Pages.Links(c.Context(), c.access, c.page)
	if err != nil {
		return err
	}
	return c.respond(http.StatusOK, linksAnswer{c.page, notNil(links.To), notNil(links.From)})
}
