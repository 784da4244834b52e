// Package markdown turns Markdown source into safe HTML and into facts about a
// page: headings, outgoing links, front matter, plain text, sections.
//
// It knows nothing of storage: a Resolver answers what a link leads to. Nothing
// that it returns can run script in a browser, whatever the source says: the
// renderer writes each tag itself, and a second, independent wall lets only
// those tags through.
package markdown

import (
	"context"
	"fmt"
	"html/template"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/microcosm-cc/bluemonday"

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
	Blocks   []Block       // what HTML is made of, in order; together they are all of it
	Title    string        // front matter's title, or "" (An Otter Wiki: an h1 if the page has none)
	Headings []Heading
	Props    []Prop   // front matter without tags and title
	Tags     []string // of front matter `tags:` and `category:`, and #tags in text; lower case, sorted
	Math     bool     // shows formulas as source
	Notices  []string // what could not be shown as asked, in plain words, e.g. front matter that is not YAML
}

// Options of a Renderer.
type Options struct {
	// Icons is the address of the icon sprite; "/static/icons.svg" if empty.
	Icons string
	// OutHosts are hosts besides the wiki's own whose links need no rel=nofollow.
	OutHosts []string
}

// A Renderer is safe for concurrent use.
type Renderer struct {
	o     Options
	wall  *bluemonday.Policy
	slots chan struct{} // one for each render under way

	patience time.Duration
}

// New makes a Renderer.
func New(o Options) *Renderer {
	if o.Icons == "" {
		o.Icons = "/static/icons.svg"
	}
	return &Renderer{o: o, wall: secondWall(o.Icons), slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0)), patience: patience}
}

// patience is how long a page may take. A render that takes longer goes on
// until it ends by itself, and keeps its slot, so that hostile pages cannot
// pile up; it no longer calls its Resolver.
const patience = 2 * time.Second

// Render renders a page. It fails with a wiki.Problem of kind ErrTooLarge when
// the source is over a limit (the caller then shows the source), and returns
// within 2 s whatever the source is.
func (r *Renderer) Render(ctx context.Context, name wiki.PageName, source []byte, res Resolver) (*Page, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ended(caller, name)
	}
	gate := &gate{resolver: res}
	defer gate.shut()
	type answer struct {
		page *Page
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-r.slots }()
		page, err := r.render(ctx, name, source, gate)
		done <- answer{page, err}
	}()
	select {
	case a := <-done:
		return a.page, a.err
	case <-ctx.Done():
		return nil, ended(caller, name)
	}
}

// ended is why a render ended early: the caller left, or it took too long.
func ended(caller context.Context, name wiki.PageName) error {
	if err := caller.Err(); err != nil {
		return fmt.Errorf("markdown: render %s: %w", name, err)
	}
	return errSlow
}

// A gate stands between a render and its Resolver, which may be gone when its
// caller no longer waits.
type gate struct {
	mu       sync.Mutex
	resolver Resolver
}

func (g *gate) Resolve(ctx context.Context, kind wiki.LinkKind, target, fragment string) Target {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.resolver == nil || ctx.Err() != nil {
		return Target{}
	}
	return g.resolver.Resolve(ctx, kind, target, fragment)
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resolver = nil
}

// render does the work of Render. A parser of strangers' text must not take the
// service down, so a panic is an error.
func (r *Renderer) render(ctx context.Context, name wiki.PageName, source []byte, res Resolver) (page *Page, err error) {
	defer func() {
		if v := recover(); v != nil {
			page, err = nil, fmt.Errorf("markdown: render %s: panic: %v", name, v)
		}
	}()
	until, _ := ctx.Deadline()
	doc, err := parse(name, source, until)
	if err != nil {
		return nil, err
	}
	w := newWriter(ctx, r, doc, res)
	page = &Page{Title: doc.front.title(), Props: w.props()}
	if doc.front.bad != "" {
		page.Notices = append(page.Notices, doc.front.bad+" It is shown as it is written.")
		w.code("", []byte(doc.front.text))
	}
	if err := w.page(); err != nil {
		return nil, err
	}
	safe := r.wall.SanitizeReader(&w.out)
	if safe.Len() > maxOutput {
		return nil, errOutput
	}
	page.HTML, page.Blocks = w.cut.pieces(strings.ToValidUTF8(safe.String(), "\ufffd"))
	page.Headings, page.Math = w.headings, w.math
	page.Tags = sortedTags(append(doc.front.tags(), w.tags...))
	page.Notices = append(page.Notices, w.notices...)
	return page, nil
}
