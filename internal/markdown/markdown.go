// Package markdown turns Markdown source into safe HTML and into facts about a
// page: headings, outgoing links, front matter, plain text, sections.
//
// It knows nothing of storage: a Resolver answers what a link leads to. Nothing
// that it returns can run script in a browser, whatever the source says.
package markdown

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"runtime"
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
	Title    string        // front matter's title, or "" (An Otter Wiki: an h1 if the page has none)
	Headings []Heading
	Props    []Prop   // front matter without tags and title
	Tags     []string // of front matter `tags:` and `category:`, and #tags in text; lower case, sorted
	Math     bool     // shows formulas as source
	Notices  []string // what could not be shown as asked, in plain words, e.g. front matter that is not YAML
}

// Options of a Renderer.
type Options struct {
	// Icons is the address of the icon sprite, "" for no icons.
	Icons string
}

// A Renderer is safe for concurrent use.
type Renderer struct {
	o      Options
	policy *bluemonday.Policy
	slots  chan struct{} // bounds renders under way
}

// New makes a Renderer.
func New(o Options) *Renderer {
	return &Renderer{o: o, policy: secondWall(o.Icons), slots: make(chan struct{}, 2*runtime.NumCPU())}
}

// watchdog bounds a render. What goes on after it is left to end by itself and
// keeps its slot, so that hostile pages cannot pile up.
const watchdog = 2 * time.Second

var errSlow = wiki.Problemf(wiki.ErrTooLarge, "content", "This page takes too long to render, so its source is shown.")

// Render renders a page. It fails with a wiki.Problem of kind ErrTooLarge when
// the source is over a limit (the caller then shows the source), and returns
// within 2 s whatever the source is.
func (r *Renderer) Render(ctx context.Context, name wiki.PageName, source []byte, res Resolver) (*Page, error) {
	_, rest, _ := cutFrontMatter(source)
	if err := checkLimits(rest); err != nil {
		return nil, err
	}
	timer := time.NewTimer(watchdog)
	defer timer.Stop()
	select {
	case r.slots <- struct{}{}:
	case <-timer.C:
		return nil, errSlow
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type answer struct {
		page *Page
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-r.slots }()
		defer func() {
			if v := recover(); v != nil {
				done <- answer{nil, fmt.Errorf("markdown: render %s: %v", name, v)}
			}
		}()
		page, err := r.render(ctx, name, source, res)
		done <- answer{page, err}
	}()
	select {
	case a := <-done:
		return a.page, a.err
	case <-timer.C:
		return nil, errSlow
	}
}

func (r *Renderer) render(ctx context.Context, name wiki.PageName, source []byte, res Resolver) (*Page, error) {
	_, rest, skipped := cutFrontMatter(source)
	p := &page{r: r, ctx: ctx, name: name, resolver: res, source: rest, skipped: skipped, targets: map[string]Target{}, ids: map[string]int{}}
	out := &Page{}
	items, err := frontItems(source)
	if err != nil {
		out.Notices = append(out.Notices, "Not shown as properties: "+err.Error()+".")
		p.source, p.skipped = source, 0
	}
	out.Title, p.tags, out.Props = p.splitProps(items)
	body, err := p.body()
	if errors.Is(err, errOutput) {
		return nil, wiki.Problemf(wiki.ErrTooLarge, "content", "This page would be larger than %d MB when rendered, so its source is shown.", maxOutput>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("markdown: render %s: %w", name, err)
	}
	balanced, err := balance([]byte(body))
	if err != nil {
		return nil, fmt.Errorf("markdown: render %s: %w", name, err)
	}
	out.HTML = template.HTML(r.policy.SanitizeBytes(balanced))
	out.Headings, out.Tags, out.Math = p.headings, sortedUnique(p.tags), p.math
	return out, nil
}

func queryEscape(s string) string { return url.QueryEscape(s) }
