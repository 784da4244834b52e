// Package markdown turns Markdown source into safe HTML and into facts about a
// page: headings, outgoing links, front matter, plain text, sections.
//
// It knows nothing of storage: a Resolver answers what a link leads to. Nothing
// that it returns can run script in a browser, whatever the source says.
package markdown

import (
	"context"
	"html/template"

	"robot.wtf/internal/wiki"
)

// A Target is what a link in a page leads to.
type Target struct {
	URL    string // escaped, with fragment if the link had one
	Exists bool   // otherwise the link is red and URL offers to create the page
	// For embeds of pages and sections: the source, "" when it is not text.
	Source string
	Name   wiki.PageName // the page, when it is one
	Image  bool          // a file that can be shown as an image
}

// A Resolver finds the targets of a page's links. Its second implementation is
// a map in tests; it must be safe for one render at a time.
type Resolver interface {
	// Resolve is called once for each distinct link: kind LinkPage, LinkEmbed
	// or LinkFile, and its target as Facts would list it.
	Resolve(ctx context.Context, kind wiki.LinkKind, target, fragment string) Target
}

// A Heading is one entry of the table of contents.
type Heading struct {
	Level int    // 1 to 6
	ID    string // the anchor in the page, with its prefix
	Text  string // plain
	Line  int    // in the source, from 1
}

// A Prop is one entry of the front matter as it is shown.
type Prop struct {
	Key    string
	Values []template.HTML // links in values are rendered; several for a list
}

// A Page is a rendered page.
type Page struct {
	HTML     template.HTML // the body, without front matter
	Title    string        // front matter's title, or "" (An Otter Wiki: an h1 if the page has none)
	Headings []Heading
	Props    []Prop   // front matter without tags and title
	Tags     []string // of front matter `tags:` and `category:`, and #tags in text; lower case, sorted
	Math     bool     // shows formulas as source
	Notices  []string // what could not be shown as asked, in plain words, e.g. front matter that is not YAML
}

// Options of a Renderer.
type Options struct {
	// OutHosts are hosts besides the wiki's own whose links need no rel=nofollow.
	OutHosts []string
}

// A Renderer is safe for concurrent use.
type Renderer struct{}

// New makes a Renderer.
func New(o Options) *Renderer { panic("contract") }

// Render renders a page. It fails with a wiki.Problem of kind ErrTooLarge when
// the source is over a limit (the caller then shows the source), and returns
// within 2 s whatever the source is.
func (r *Renderer) Render(ctx context.Context, name wiki.PageName, source []byte, res Resolver) (*Page, error) {
	panic("contract")
}

// Facts are what the rest of the house needs to know of a page's source.
type Facts struct {
	Links []wiki.Link // pages, embeds, files and tags, each once, in order of appearance
	Title string
	Tags  []string
}

// ExtractFacts reads a page's links and tags. It never fails: what cannot be
// parsed has no links.
func ExtractFacts(name wiki.PageName, source []byte) Facts { panic("contract") }

// PlainText is the page as words, for search and snippets: no markup, code
// kept, headings on lines of their own, no front matter.
func PlainText(source []byte) string { panic("contract") }

// A Section is a heading with what stands below it.
type Section struct {
	Path      []string // titles from the top heading down to this one; empty for the lead
	Level     int      // 0 for the lead
	StartLine int      // of the heading, from 1
	EndLine   int      // the last line, subsections not included
	DeepEnd   int      // the last line, subsections included
}

// Sections splits a page at its headings (not those in code), the lead first.
func Sections(source []byte) []Section { panic("contract") }

// RewriteLinks changes the targets of links to a moved page or file: in
// wikilinks, Markdown links and images, reference definitions and embeds, but
// not in code. rename is called with each distinct target as in Facts and
// returns the new one, or false to leave it. Text and anchors are kept. self is
// the page's name before, and newSelf after the move (mostly the same), for
// relative links.
func RewriteLinks(self, newSelf wiki.PageName, source []byte, rename func(kind wiki.LinkKind, target string) (string, bool)) ([]byte, bool) {
	panic("contract")
}
