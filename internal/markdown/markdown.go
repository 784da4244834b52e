// Package markdown turns Markdown source into safe HTML and into facts about
// a page: headings, outgoing links, front matter, plain text, sections.
//
// The dialect is CommonMark with GitHub's tables, task lists, strikethrough,
// autolinks, footnotes and alerts; definition lists; wikilinks ([[Page]],
// [[Page|text]], [[Page#Heading]]) and embeds (![[Page]]); ==marks==, #tags
// and front matter; lists of pages (::: pages where: status = draft); An Otter Wiki's ::: blocks, >! spoilers and >| folds; and
// what other tools add: Obsidian's callouts, %%comments%% and block ids, the
// admonitions and tabs of MkDocs, titles of ::: blocks, {#id} of headings and
// [TOC], An Otter Wiki's widgets ({{InfoBox}}), names of emoji, abbreviations and
// TOML front matter. Each is triggered by its syntax alone.
// Raw HTML is limited to harmless tags. Code is highlighted with chroma's
// classes. Formulas become MathML. Mermaid diagrams are returned as source, because
// drawing them takes a script; package web draws them in a frame without rights.
//
// It does no storage: a Resolver answers what a link leads to.
//
// Invariant: nothing it returns can run script in a browser, whatever the
// source is. The renderer writes each tag itself, and a second, independent
// sanitizer allows only those tags.
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

	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/wiki"
)

// A Target is what a link leads to.
type Target struct {
	URL    string // escaped, with the link's fragment if any
	Exists bool   // if false, the link is red and URL offers to create the page
	// The source of an embedded page or section; "" if it isn't text.
	Source string
	Name   wiki.PageName // the page, if it is one
	Image  bool          // it can be shown as an image
	// Width and Height are those of an image, in pixels; 0 if unknown. Smaller is the
	// address of a smaller copy to show instead; "" for the image itself.
	Width, Height int
	Smaller       string
	// Swapped says that the wikilink has its text before the bar and its target,
	// with Fragment, after it.
	Swapped  bool
	Fragment string
}

// A Resolver finds the targets of a page's links. It needn't be safe for
// concurrent use.
type Resolver interface {
	// Resolve is called once for each distinct link, as in Facts but without its
	// text. l.Kind is LinkPage, LinkEmbed or LinkFile.
	Resolve(ctx context.Context, l wiki.Link, fragment string) Target
}

// A DetachedResolver is a Resolver for a page that is shown to people who can't read its
// wiki. Nothing in the page leads into the wiki except the pictures that it resolves.
type DetachedResolver interface{ Detached() }

// A PageLister is a Resolver that can also list pages of the wiki and read its files.
type PageLister interface {
	// ListPages returns the pages below one whose titles below it, or their last
	// parts, match a pattern as of path.Match in any case, in order of their names.
	// It returns at most MaxListed of them, and whether there are more.
	ListPages(below wiki.PageName, pattern string) (pages []Target, more bool)
	// ListFiles returns the attachments of a page whose names match a pattern in the
	// same way, with at most MaxListed of them.
	ListFiles(of wiki.PageName, pattern string) (files []Target, more bool)
	// ReadTable returns the text of the file to which a link leads, if there is one of
	// at most MaxTable bytes.
	ReadTable(ctx context.Context, l wiki.Link) (text []byte, ok bool)
}

// A Heading is an entry of the table of contents.
type Heading struct {
	Level int    // 1 to 6
	ID    string // anchor in the page, with prefix
	Text  string // plain text
	Line  int    // in the source, from 1
}

// A Prop is an entry of the front matter for display.
type Prop struct {
	Key    string
	Values []template.HTML // with links; several values for a list
}

// A Page is a rendered page.
type Page struct {
	HTML     template.HTML // body, without front matter
	Blocks   []Block       // parts of HTML, in order; together they are all of it
	Title    string        // front matter's title, or "" (An Otter Wiki: an h1 if the page has none)
	Headings []Heading
	Props    []Prop   // front matter without tags and title
	Lang     string   // language (BCP 47) in the front matter or told by the script, or ""; see LangIn
	OwnLang  bool     // it is in the front matter
	Tags     []string // from `tags:` and `category:` in the front matter, and #tags in text; lowercase, sorted
	Math     bool     // has formulas
	Tasks    int      // number of tasks that can be ticked
	Diagrams int      // number of diagrams, as source in a figure of class "diagram"
	Notices  []string // what couldn't be shown as intended, in words for people
}

// Options of a Renderer.
type Options struct {
	// Icons is the URL of the icon sprite; "" means "/static/icons.svg".
	Icons string
	// OutHosts are hosts, other than the wiki's, whose links need no
	// rel=nofollow.
	OutHosts []string
	// Patience limits the processor time of a render; 0 means 2 s.
	Patience time.Duration
}

// A Renderer is safe for concurrent use.
type Renderer struct {
	o     Options
	wall  *bluemonday.Policy
	slots *budget.Slots // running renders, by wiki
	wait  time.Duration // time that a caller waits for a render
}

// New returns a Renderer.
func New(o Options) *Renderer {
	if o.Icons == "" {
		o.Icons = "/static/icons.svg"
	}
	if o.Patience == 0 {
		o.Patience = renderTimeout
	}
	return &Renderer{o: o, wall: newSanitizer(o.Icons), slots: newSlots(), wait: maxWait}
}

// newSlots returns the slots for running renders. A wiki gets half of them, so its
// slow pages leave the other half to everyone else.
func newSlots() *budget.Slots {
	share := int64(runtime.GOMAXPROCS(0))
	return budget.NewSlots(2*share, share)
}

const (
	// renderTimeout limits the processor time of a page's rendering.
	renderTimeout = 2 * time.Second
	// maxWait is how long a caller waits for a render on a busy machine. A slower
	// render runs on in the background and keeps its slot, so that a wiki never has
	// more than its share of them, but no longer calls its Resolver.
	maxWait = 10 * time.Second
)

// Render renders a page of a wiki. It returns within maxWait. If the source is over
// a limit, it fails with a wiki.Problem of kind ErrTooLarge, and if the service is
// too busy, with one of kind ErrUnavailable; the caller shows the source. OutOfTime
// says whether another try can succeed.
func (r *Renderer) Render(ctx context.Context, wikiSlug string, name wiki.PageName, source []byte, res Resolver) (*Page, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	release, err := r.slots.Acquire(ctx, wikiSlug)
	if err != nil {
		return nil, renderTimeoutError(caller, name)
	}
	gate := &resolverGate{resolver: res}
	defer gate.close()
	type answer struct {
		page *Page
		err  error
	}
	rendering := background.Start(func() answer {
		defer release()
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		page, err := r.render(ctx, name, source, gate, newClock(r.o.Patience))
		return answer{page, err}
	})
	select {
	case <-rendering.Done():
		a := rendering.Wait()
		return a.page, a.err
	case <-ctx.Done():
		return nil, renderTimeoutError(caller, name)
	}
}

// renderTimeoutError says why a caller stopped waiting: canceled, or too long.
func renderTimeoutError(caller context.Context, name wiki.PageName) error {
	if err := caller.Err(); err != nil {
		return fmt.Errorf("markdown: render %s: %w", name, err)
	}
	return errBusy
}

// A resolverGate separates a render from its Resolver, which must not be
// used after the caller stops waiting.
type resolverGate struct {
	mu       sync.Mutex
	resolver Resolver
}

func (g *resolverGate) Resolve(ctx context.Context, l wiki.Link, fragment string) Target {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.resolver == nil || ctx.Err() != nil {
		return Target{}
	}
	return g.resolver.Resolve(ctx, l, fragment)
}

// ListPages implements PageLister. It returns nothing if the Resolver doesn't.
func (g *resolverGate) ListPages(below wiki.PageName, pattern string) (pages []Target, more bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l, ok := g.resolver.(PageLister); ok {
		return l.ListPages(below, pattern)
	}
	return nil, false
}

// ListFiles implements PageLister, as ListPages does.
func (g *resolverGate) ListFiles(of wiki.PageName, pattern string) (files []Target, more bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l, ok := g.resolver.(PageLister); ok {
		return l.ListFiles(of, pattern)
	}
	return nil, false
}

// isDetached reports whether the Resolver is a DetachedResolver.
func (g *resolverGate) isDetached() bool {
	_, detached := g.resolver.(DetachedResolver)
	return detached
}

func (g *resolverGate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resolver = nil
}

// render does the work of Render. It recovers from panics: a parser bug must
// not take the service down.
func (r *Renderer) render(ctx context.Context, name wiki.PageName, source []byte, res Resolver, clock *clock) (page *Page, err error) {
	defer func() {
		if v := recover(); v != nil {
			page, err = nil, fmt.Errorf("markdown: render %s: panic: %v", name, v)
		}
	}()
	doc, err := parse(name, source, clock)
	if err != nil {
		return nil, err
	}
	w := newWriter(ctx, r, doc, res, clock)
	w.rightToLeft = hasRightToLeft(source)
	page = &Page{Title: doc.front.title(), Props: w.renderProperties()}
	page.Lang, page.OwnLang = languageOf(&doc.front, source)
	if doc.front.bad != "" {
		page.Notices = append(page.Notices, doc.front.bad+" It is shown as it is written.")
		w.writeCode("", []byte(doc.front.text))
	}
	if err := w.writePage(); err != nil {
		return nil, err
	}
	safe := r.wall.SanitizeReader(&w.out)
	if safe.Len() > maxOutput {
		return nil, errOutput
	}
	page.HTML, page.Blocks = w.cut.splitBlocks(strings.ToValidUTF8(safe.String(), "\ufffd"))
	page.Headings, page.Math, page.Tasks, page.Diagrams = w.headings, w.math, w.tasks, w.diagrams
	page.Tags = sortedTags(append(doc.front.tags(), w.tags...))
	page.Notices = append(page.Notices, w.notices...)
	return page, nil
}
