package markdown

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"strings"

	"github.com/alecthomas/chroma/v2"
	chromahtml "github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/alecthomas/chroma/v2/styles"
	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	ghtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"robot.wtf/internal/wiki"
)

// A page is one render under way.
type page struct {
	r        *Renderer
	ctx      context.Context
	name     wiki.PageName
	resolver Resolver
	source   []byte
	targets  map[string]Target
	ids      map[string]int
	headings []Heading
	tags     []string
	math     bool
	lines    []int // offsets of line starts
	skipped  int   // lines of front matter before the source
	depth    int   // of embeds
	embedded []wiki.PageName
}

func (p *page) resolve(kind wiki.LinkKind, target, fragment string) Target {
	key := string(kind) + "\x00" + target + "\x00" + fragment
	if t, ok := p.targets[key]; ok {
		return t
	}
	t := p.resolver.Resolve(p.ctx, kind, target, fragment)
	p.targets[key] = t
	return t
}

var errOutput = errors.New("markdown: output too large")

// A bounded writer fails once it holds more than maxOutput bytes.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, errOutput
	}
	return b.Buffer.Write(p)
}

// body parses and renders a source without front matter.
func (p *page) body() (string, error) {
	doc := syntax.Parse(text.NewReader(p.source))
	p.headingIDs(doc)
	rd := renderer.NewRenderer(renderer.WithNodeRenderers(
		util.Prioritized(ghtml.NewRenderer(), 1000),
		util.Prioritized(p, 100)))
	var out bounded
	if err := rd.Render(&out, p.source, doc); err != nil {
		return "", err
	}
	return out.String(), nil
}

// headingIDs gives headings their anchors, and lists them.
func (p *page) headingIDs(doc ast.Node) {
	ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		h, ok := n.(*ast.Heading)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		words := nodeText(h, p.source)
		id := anchor(words)
		n2 := p.ids[id]
		p.ids[id]++
		if n2 > 0 {
			id = fmt.Sprintf("%s-%d", id, n2)
			p.ids[id]++
		}
		h.SetAttributeString("id", idPrefix+id)
		if _, boxed := h.Parent().(*box); !boxed && p.depth == 0 {
			p.headings = append(p.headings, Heading{Level: h.Level, ID: idPrefix + id, Text: words, Line: p.line(h)})
		}
		return ast.WalkContinue, nil
	})
}

// line is where a block begins in the page's source, from 1.
func (p *page) line(n ast.Node) int {
	if n.Lines() == nil || n.Lines().Len() == 0 {
		return 0
	}
	return p.skipped + 1 + bytes.Count(p.source[:n.Lines().At(0).Start], []byte("\n"))
}

// RegisterFuncs names the renderer of each node that goldmark's own would not
// render as this wiki shows it.
func (p *page) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	type simple func(w util.BufWriter, n ast.Node) error
	whole := func(kind ast.NodeKind, f simple) {
		reg.Register(kind, func(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
			if !entering {
				return ast.WalkContinue, nil
			}
			return ast.WalkSkipChildren, f(w, n)
		})
	}
	around := func(kind ast.NodeKind, f func(n ast.Node) (open, end string)) {
		reg.Register(kind, func(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
			open, end := f(n)
			if entering {
				_, err := w.WriteString(open)
				return ast.WalkContinue, err
			}
			_, err := w.WriteString(end)
			return ast.WalkContinue, err
		})
	}
	fixed := func(open, end string) func(ast.Node) (string, string) {
		return func(ast.Node) (string, string) { return open, end }
	}
	whole(ast.KindRawHTML, p.rawHTML)
	whole(ast.KindHTMLBlock, p.htmlBlock)
	whole(ast.KindFencedCodeBlock, p.fencedCode)
	whole(ast.KindCodeBlock, p.codeBlock)
	whole(ast.KindImage, p.imageNode)
	whole(ast.KindAutoLink, p.autoLink)
	whole(kindWikiLink, p.wikiLink)
	whole(kindTag, p.tagNode)
	whole(kindMath, p.mathNode)
	whole(extast.KindFootnoteLink, p.footnoteLink)
	whole(extast.KindFootnoteBacklink, p.footnoteBacklink)
	around(ast.KindLink, p.linkTags)
	around(ast.KindHeading, p.headingTags)
	around(kindMark, fixed("<mark>", "</mark>"))
	around(kindBox, p.boxTags)
	around(extast.KindTable, fixed(`<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>`, "</tbody></table></div>\n"))
	around(extast.KindTableHeader, fixed("<thead><tr>", "</tr></thead><tbody>"))
	around(extast.KindTableRow, fixed("<tr>", "</tr>"))
	around(extast.KindTableCell, cellTags)
	around(extast.KindFootnoteList, fixed(`<section class="notes" aria-label="Notes"><ol>`, "</ol></section>"))
	around(extast.KindFootnote, func(n ast.Node) (string, string) {
		return fmt.Sprintf(`<li id="%sfn-%d">`, idPrefix, n.(*extast.Footnote).Index), "</li>"
	})
	around(ast.KindList, p.listTags)
	around(ast.KindListItem, itemTags)
	whole(extast.KindTaskCheckBox, func(w util.BufWriter, n ast.Node) error {
		checked := ""
		if n.(*extast.TaskCheckBox).IsChecked {
			checked = " checked"
		}
		_, err := w.WriteString(`<input type="checkbox" disabled` + checked + `> `)
		return err
	})
	around(ast.KindParagraph, p.paragraphTags)
	around(ast.KindTextBlock, func(n ast.Node) (string, string) {
		if taskItem(n.Parent()) && n.Parent().FirstChild() == n {
			return "<label>", "</label>"
		}
		if n.NextSibling() != nil && n.FirstChild() != nil {
			return "", "\n"
		}
		return "", ""
	})
}

func cellTags(n ast.Node) (string, string) {
	c := n.(*extast.TableCell)
	name, attrs := "td", ""
	if _, ok := c.Parent().(*extast.TableHeader); ok {
		name, attrs = "th", ` scope="col"`
	}
	if c.Alignment != extast.AlignNone {
		attrs += ` align="` + c.Alignment.String() + `"`
	}
	return "<" + name + attrs + ">", "</" + name + ">"
}

func (p *page) listTags(n ast.Node) (string, string) {
	l := n.(*ast.List)
	class := ""
	if taskItem(l.FirstChild()) {
		class = ` class="tasks"`
	}
	if !l.IsOrdered() {
		return "<ul" + class + ">\n", "</ul>\n"
	}
	if l.Start != 1 {
		class += fmt.Sprintf(` start="%d"`, l.Start)
	}
	return "<ol" + class + ">\n", "</ol>\n"
}

func taskItem(n ast.Node) bool {
	if n == nil || n.FirstChild() == nil || n.FirstChild().FirstChild() == nil {
		return false
	}
	return n.FirstChild().FirstChild().Kind() == extast.KindTaskCheckBox
}

func itemTags(n ast.Node) (string, string) {
	if fc := n.FirstChild(); fc != nil && !taskItem(n) {
		if _, tight := fc.(*ast.TextBlock); !tight {
			return "<li>\n", "</li>\n"
		}
	}
	return "<li>", "</li>\n"
}

// paragraphTags leaves the paragraph off where an image alone becomes a figure,
// and puts the text of a task into its label.
func (p *page) paragraphTags(n ast.Node) (string, string) {
	if figureOf(n) != nil {
		return "", ""
	}
	if taskItem(n.Parent()) && n.Parent().FirstChild() == n {
		return "<p><label>", "</label></p>\n"
	}
	return "<p>", "</p>\n"
}

// figureOf is the image that stands alone, with a title, in a paragraph.
func figureOf(n ast.Node) *ast.Image {
	if img, ok := n.FirstChild().(*ast.Image); ok && n.ChildCount() == 1 && len(img.Title) > 0 && n.Kind() == ast.KindParagraph {
		return img
	}
	return nil
}

func (p *page) headingTags(n ast.Node) (string, string) {
	h := n.(*ast.Heading)
	id, _ := h.AttributeString("id")
	words := nodeText(h, p.source)
	return fmt.Sprintf(`<h%d id="%s">`, h.Level, html.EscapeString(id.(string))),
		fmt.Sprintf(" <a class=\"anchor\" href=\"#%s\" aria-label=\"Link to %s\">#</a></h%d>\n", html.EscapeString(escapeFragment(id.(string))), html.EscapeString(words), h.Level)
}

var boxIcons = map[string]string{"info": "info", "success": "check", "warning": "warning", "danger": "warning", "none": ""}

var boxClasses = map[string]string{"info": "notice", "success": "notice good", "warning": "notice warning", "danger": "notice warning", "none": "notice"}

func (p *page) boxTags(n ast.Node) (string, string) {
	b := n.(*box)
	switch b.kind {
	case "spoiler":
		return `<details class="spoiler"><summary>Hidden: show</summary>`, "</details>\n"
	case "fold":
		title := b.title
		if title == "" {
			title = "…"
		}
		return `<details class="fold"><summary>` + html.EscapeString(title) + "</summary>", "</details>\n"
	}
	open := `<div class="` + boxClasses[b.kind] + `" role="note">`
	if icon := boxIcons[b.kind]; icon != "" && p.r.o.Icons != "" {
		open += `<svg class="icon" aria-hidden="true"><use href="` + p.r.o.Icons + "#" + icon + `"></use></svg>`
	}
	open += "<div>"
	if b.title != "" {
		open += "<p><b>" + html.EscapeString(b.title) + "</b></p>"
	}
	return open, "</div></div>\n"
}

func (p *page) rawHTML(w util.BufWriter, n ast.Node) error {
	raw := n.(*ast.RawHTML)
	var b bytes.Buffer
	for i := range raw.Segments.Len() {
		s := raw.Segments.At(i)
		b.Write(s.Value(p.source))
	}
	_, err := w.WriteString(p.cleanTags(b.Bytes()))
	return err
}

func (p *page) htmlBlock(w util.BufWriter, n ast.Node) error {
	block := n.(*ast.HTMLBlock)
	raw := linesOf(block, p.source)
	if block.HasClosure() {
		raw = append(raw, block.ClosureLine.Value(p.source)...)
	}
	_, err := w.WriteString(p.cleanTags(raw))
	return err
}

func linesOf(n ast.Node, source []byte) []byte {
	var b bytes.Buffer
	for i := range n.Lines().Len() {
		s := n.Lines().At(i)
		b.Write(s.Value(source))
	}
	return b.Bytes()
}

func (p *page) codeBlock(w util.BufWriter, n ast.Node) error {
	_, err := w.WriteString(plainCode(linesOf(n, p.source)))
	return err
}

func plainCode(code []byte) string {
	return `<pre class="chroma" tabindex="0"><code>` + html.EscapeString(string(code)) + "</code></pre>\n"
}

func (p *page) fencedCode(w util.BufWriter, n ast.Node) error {
	code := linesOf(n, p.source)
	language := strings.ToLower(string(n.(*ast.FencedCodeBlock).Language(p.source)))
	language, _, _ = strings.Cut(strings.TrimPrefix(language, "lang="), ",")
	var err error
	switch language {
	case "math":
		p.math = true
		_, err = w.WriteString(`<figure class="math">` + plainCode(code) + "<figcaption>A formula, shown as its source.</figcaption></figure>\n")
	case "mermaid":
		_, err = w.WriteString("<figure>" + plainCode(code) + "<figcaption>A Mermaid diagram, shown as its source.</figcaption></figure>\n")
	default:
		_, err = w.WriteString(highlight(language, code))
	}
	return err
}

// maxHighlight bounds the code that is coloured; longer blocks stay plain.
const maxHighlight = 200 << 10

var formatter = chromahtml.New(chromahtml.WithClasses(true), chromahtml.PreventSurroundingPre(true))

func highlight(language string, code []byte) string {
	if language == "" || len(code) > maxHighlight {
		return plainCode(code)
	}
	lexer := lexers.Get(language)
	if lexer == nil {
		return plainCode(code)
	}
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, string(code))
	if err != nil {
		return plainCode(code)
	}
	var b bytes.Buffer
	if err := formatter.Format(&b, styles.Fallback, tokens); err != nil {
		return plainCode(code)
	}
	return `<pre class="chroma" tabindex="0"><code>` + b.String() + "</code></pre>\n"
}

// anchorTag opens a link to where it leads.
func anchorTag(l link, title string) string {
	attrs := ` href="` + html.EscapeString(l.url) + `"`
	switch {
	case l.kind == linkOut:
		attrs += ` class="out" rel="nofollow ugc noopener"`
	case (l.kind == linkPage || l.kind == linkFile) && !l.target.Exists:
		attrs += ` class="red"`
		if title == "" {
			title = "This page does not exist yet"
		}
	}
	if title != "" {
		attrs += ` title="` + html.EscapeString(title) + `"`
	}
	return "<a" + attrs + ">"
}

func (p *page) linkTags(n ast.Node) (string, string) {
	l := n.(*ast.Link)
	to := p.destination(string(util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences(l.Destination)))), false)
	if to.url == "" {
		return "", ""
	}
	return anchorTag(to, plainTitle(l.Title)), "</a>"
}

func plainTitle(title []byte) string {
	return html.UnescapeString(string(util.UnescapePunctuations(title)))
}

func (p *page) autoLink(w util.BufWriter, n ast.Node) error {
	l := n.(*ast.AutoLink)
	dest := string(l.URL(p.source))
	if l.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(dest), "mailto:") {
		dest = "mailto:" + dest
	}
	label := html.EscapeString(string(l.Label(p.source)))
	if to := p.destination(dest, false); to.url != "" {
		label = anchorTag(to, "") + label + "</a>"
	}
	_, err := w.WriteString(label)
	return err
}

func (p *page) imageNode(w util.BufWriter, n ast.Node) error {
	img := n.(*ast.Image)
	title := plainTitle(img.Title)
	picture := p.image(string(util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences(img.Destination)))), nodeText(img, p.source), title)
	if figureOf(n.Parent()) == img {
		picture = "<figure>" + picture + "<figcaption>" + html.EscapeString(title) + "</figcaption></figure>\n"
	}
	_, err := w.WriteString(picture)
	return err
}

// image shows a picture of this wiki; one from elsewhere becomes a link, so
// that reading a page asks nobody else for anything.
func (p *page) image(src, alt, title string) string {
	to := p.destination(src, true)
	label := alt
	if label == "" {
		label = src
	}
	switch {
	case to.kind == linkFile && to.target.Exists && to.target.Image:
		out := `<img src="` + html.EscapeString(to.url) + `" alt="` + html.EscapeString(alt) + `" loading="lazy"`
		if title != "" {
			out += ` title="` + html.EscapeString(title) + `"`
		}
		return out + ">"
	case to.url == "":
		return html.EscapeString(alt)
	}
	return anchorTag(to, title) + html.EscapeString(label) + "</a>"
}

func (p *page) tagNode(w util.BufWriter, n ast.Node) error {
	name := n.(*tag).name
	p.tags = append(p.tags, name)
	_, err := w.WriteString(`<a class="tag" href="/-/search?q=` + html.EscapeString(queryEscape("tag:"+name)) + `">#` + html.EscapeString(name) + "</a>")
	return err
}

func (p *page) mathNode(w util.BufWriter, n ast.Node) error {
	p.math = true
	m := n.(*math)
	_, err := w.WriteString(`<code class="math">` + html.EscapeString(m.formula) + "</code>")
	return err
}

func (p *page) footnoteLink(w util.BufWriter, n ast.Node) error {
	f := n.(*extast.FootnoteLink)
	id := fmt.Sprintf("%sref-%d", idPrefix, f.Index)
	if f.RefIndex > 0 {
		id = fmt.Sprintf("%s-%d", id, f.RefIndex)
	}
	_, err := fmt.Fprintf(w, `<sup><a href="#%sfn-%d" id="%s" aria-label="Note %d">%d</a></sup>`, idPrefix, f.Index, id, f.Index, f.Index)
	return err
}

func (p *page) footnoteBacklink(w util.BufWriter, n ast.Node) error {
	f := n.(*extast.FootnoteBacklink)
	id := fmt.Sprintf("%sref-%d", idPrefix, f.Index)
	if f.RefIndex > 0 {
		id = fmt.Sprintf("%s-%d", id, f.RefIndex)
	}
	_, err := fmt.Fprintf(w, ` <a href="#%s" aria-label="Back to the text">&#8617;&#xFE0E;</a>`, id)
	return err
}

// maxEmbeds is how deep pages may embed pages, and how many a page may embed.
const (
	maxEmbedDepth = 3
	maxEmbeds     = 50
)

func (p *page) wikiLink(w util.BufWriter, n ast.Node) error {
	l := n.(*wikiLink)
	target, fragment, label := wikiTarget(p.name, l.inside)
	if l.embed && target != "" {
		return p.embed(w, target, fragment, label)
	}
	to := link{url: "#" + idPrefix + escapeFragment(anchor(fragment)), kind: linkAnchor}
	if target != "" {
		t := p.resolve(wiki.LinkPage, target, fragment)
		to = link{url: t.URL, kind: linkPage, target: t}
	}
	words := html.EscapeString(l.words())
	if to.url != "" {
		words = anchorTag(to, "") + words + "</a>"
	}
	_, err := w.WriteString(words)
	return err
}

func (p *page) embed(w util.BufWriter, target, fragment, label string) error {
	t := p.resolve(wiki.LinkEmbed, target, fragment)
	if t.Image {
		_, err := w.WriteString(`<img src="` + html.EscapeString(t.URL) + `" alt="` + html.EscapeString(label) + `" loading="lazy">`)
		return err
	}
	words := (&wikiLink{inside: target + "|" + label}).words()
	if !t.Exists || t.Source == "" || p.depth >= maxEmbedDepth || len(p.embedded) >= maxEmbeds || contains(p.embedded, t.Name) || t.Name == p.name {
		_, err := w.WriteString(anchorTag(link{url: t.URL, kind: linkPage, target: t}, "") + html.EscapeString(words) + "</a>")
		return err
	}
	_, source, _ := cutFrontMatter([]byte(t.Source))
	if checkLimits(source) != nil {
		_, err := w.WriteString(anchorTag(link{url: t.URL, kind: linkPage, target: t}, "") + html.EscapeString(words) + "</a>")
		return err
	}
	inner := &page{r: p.r, ctx: p.ctx, name: t.Name, resolver: p.resolver, source: source, targets: p.targets, ids: p.ids,
		depth: p.depth + 1, embedded: append(p.embedded, t.Name)}
	body, err := inner.body()
	if err != nil {
		return err
	}
	p.math = p.math || inner.math
	p.embedded = inner.embedded
	_, err = w.WriteString(`</p><section class="embed" aria-label="From ` + html.EscapeString(words) + `">` + body +
		`<p><small>From ` + anchorTag(link{url: t.URL, kind: linkPage, target: t}, "") + html.EscapeString(words) + `</a></small></p></section><p>`)
	return err
}

func contains(list []wiki.PageName, name wiki.PageName) bool {
	for _, n := range list {
		if n == name {
			return true
		}
	}
	return false
}
