package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Bounds of a message.
const (
	maxPages     = 20   // of a session, by name
	maxSessions  = 20   // in a message for people
	maxChatBytes = 1800 // Discord takes 2,000 characters
)

// A message is about commits.
type message struct {
	wiki     site
	sessions []session
	more     bool // there are more commits, which another message will have
	bare     *counts
	now      time.Time
}

// The payload of a message, as docs/webhooks.md describes it.
type (
	payload struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      data      `json:"data"`
	}
	data struct {
		Wiki     site      `json:"wiki"`
		Sessions []session `json:"sessions,omitempty"`
		Changes  *counts   `json:"changes,omitempty"` // instead of Sessions, of a bare webhook
		More     bool      `json:"more,omitempty"`
	}
	counts struct {
		Commits int `json:"commits"`
		Pages   int `json:"pages"` // and other files
	}
	site struct {
		Slug string `json:"slug"`
		Name string `json:"name"`
		URL  string `json:"url"`
	}
	// A session is a run of commits by one person or agent.
	session struct {
		By      string    `json:"by"`
		Agent   string    `json:"agent,omitempty"`
		URL     string    `json:"url"`
		Started time.Time `json:"started"`
		Ended   time.Time `json:"ended"`
		Commits int       `json:"commits"`
		Message string    `json:"message,omitempty"` // of its first commit
		Pages   []page    `json:"pages"`
		More    int       `json:"more_pages,omitempty"`

		author wiki.Author
	}
	page struct {
		Name   string `json:"name"`
		URL    string `json:"url"`
		Change string `json:"change"` // of the last commit: added, modified, moved or deleted
	}
)

// count returns how much commits changed.
func count(commits []wiki.Commit) *counts {
	n, files := &counts{}, map[string]bool{}
	for _, c := range commits {
		for _, ch := range c.Changes {
			files[wiki.Key(ch.Path)] = true
		}
		if len(c.Changes) > 0 {
			n.Commits++
		}
	}
	n.Pages = len(files)
	return n
}

// message groups commits, oldest first, by who made them. Commits of hidden files only are
// left out. A bare message has numbers in place of names.
func (s *Service) message(ctx context.Context, a wiki.Access, bare bool, commits []wiki.Commit) message {
	origin := s.o.WikiOrigin(a.Site().Slug)
	m := message{wiki: site{a.Site().Slug, a.Site().Name(), origin + "/"}, more: len(commits) == maxCommits, now: s.o.Now().UTC()}
	if bare {
		m.bare, m.wiki.Name = count(commits), m.wiki.Slug
	}
	for _, c := range commits {
		if len(c.Changes) == 0 {
			continue
		}
		i := slices.IndexFunc(m.sessions, func(s session) bool { return sameAuthor(s.author, c.Author) })
		if i < 0 {
			i = len(m.sessions)
			m.sessions = append(m.sessions, session{
				By: s.o.Tenant.Byline(ctx, c.Author), Agent: c.Author.Agent, URL: origin + "/-/session/" + c.ID,
				Started: c.Time, Message: firstLine(c.Message), author: c.Author, Pages: []page{},
			})
		}
		m.sessions[i].add(origin, c)
	}
	return m
}

func sameAuthor(a, b wiki.Author) bool {
	return a.DID == b.DID && a.Username == b.Username && a.Agent == b.Agent && a.Grant == b.Grant && a.Imported == b.Imported
}

// add adds a commit. A page has the kind of its last change.
func (s *session) add(origin string, c wiki.Commit) {
	s.Ended, s.Commits = c.Time, s.Commits+1
	for _, ch := range c.Changes {
		name, isPage := wiki.PageOf(ch.Path)
		if !isPage {
			name = wiki.PageName(ch.Path)
		}
		p := page{string(name), origin + wiki.PathURL(string(name)), string(ch.Kind)}
		switch i := slices.IndexFunc(s.Pages, func(q page) bool { return q.Name == p.Name }); {
		case i >= 0:
			s.Pages[i] = p
		case len(s.Pages) < maxPages:
			s.Pages = append(s.Pages, p)
		default:
			s.More++
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return cut(line, 200)
}

// cut shortens a text to at most max bytes.
func cut(text string, max int) string {
	if len(text) <= max {
		return text
	}
	text = text[:max]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}

// body returns a message in the form that a webhook takes.
func (m message) body(form, kind string) ([]byte, error) {
	switch form {
	case tenant.DiscordForm:
		// allowed_mentions keeps names and messages from notifying everybody.
		return json.Marshal(map[string]any{"content": m.chat(kind, discordText, discordLink), "allowed_mentions": map[string]any{"parse": []string{}}})
	case tenant.SlackForm:
		return json.Marshal(map[string]any{"text": m.chat(kind, slackText, slackLink)})
	}
	d := data{Wiki: m.wiki, Sessions: m.sessions, More: m.more}
	if m.bare != nil {
		d.Sessions, d.Changes = nil, m.bare
	}
	if kind == testKind {
		d.Changes = nil
	}
	return json.Marshal(payload{kind, m.now, d})
}

// chat writes a message for people, a line for each session.
func (m message) chat(kind string, text func(string) string, link func(name, url string) string) string {
	if kind == testKind {
		return text("This is a test of ") + link(m.wiki.Name, m.wiki.URL) + text(". From now on, changes are announced here.")
	}
	if m.bare != nil {
		return link(m.wiki.Name, m.wiki.URL) + text(": "+plural(m.bare.Commits, "change")+" to "+plural(m.bare.Pages, "page"))
	}
	var out strings.Builder
	for i, s := range m.sessions {
		names := make([]string, 0, len(s.Pages))
		for _, p := range s.Pages {
			names = append(names, p.Name)
		}
		listed := cut(strings.ReplaceAll(strings.Join(names[:min(len(names), 5)], ", "), "_", " "), 300)
		if n := len(names) + s.More - 5; n > 0 {
			listed += fmt.Sprintf(" and %d more", n)
		}
		line := link(m.wiki.Name, m.wiki.URL) + text(": "+s.By+" changed "+listed) + " (" + link("see what", s.URL) + ")\n"
		if i == maxSessions || out.Len()+len(line) > maxChatBytes {
			out.WriteString(text(fmt.Sprintf("and %d more sessions", len(m.sessions)-i)))
			break
		}
		out.WriteString(line)
	}
	return strings.TrimSpace(out.String())
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// discordText escapes Markdown as Discord reads it.
func discordText(text string) string {
	var out strings.Builder
	for _, r := range strings.ReplaceAll(text, "\n", " ") {
		if strings.ContainsRune("\\*_~`|>#[]()<@", r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func discordLink(name, url string) string { return "[" + discordText(name) + "](<" + url + ">)" }

var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", " ")

// slackText escapes what Slack reads as links and mentions.
func slackText(text string) string { return slackEscapes.Replace(text) }

func slackLink(name, url string) string {
	return "<" + slackText(url) + "|" + strings.ReplaceAll(slackText(name), "|", "¦") + ">"
}
