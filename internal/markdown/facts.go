package markdown

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"robot.wtf/internal/wiki"
)

// Facts are what other packages need to know about a page's source.
type Facts struct {
	Links []wiki.Link // pages, embeds, files, tags and aliases, each once, in order of appearance
	Title string
	Tags  []string
}

// factTimeout limits the processor time of a parse for facts, which the other
// limits bound to about 2 s. It leaves room for slow machines, because a page whose
// parse ends early has no links until it is saved again.
const factTimeout = 10 * time.Second

// maxLinks limits the links listed for a page.
const maxLinks = 5000

// ExtractFacts returns a page's links and tags. It never fails: a page that
// can't be parsed has no links.
func ExtractFacts(name wiki.PageName, source []byte) (f Facts) {
	d := tryParse(name, source)
	if d == nil {
		return Facts{}
	}
	defer func() {
		if recover() != nil {
			f = Facts{}
		}
	}()
	c := collector{doc: d, seen: map[wiki.Link]bool{}, facts: &f}
	for _, a := range slices.Concat(d.front.aliases(), outlineAliases(source)) {
		c.add(linkTarget{Link: wiki.Link{Kind: wiki.LinkAlias, Target: a}}, nil)
	}
	for _, item := range d.front.items {
		for _, m := range propLink.FindAllString(yamlText(item.Value), 100) {
			if inside, ok := strings.CutPrefix(m, "[["); ok {
				if n := newWikilink(strings.TrimSuffix(inside, "]]")); n != nil {
					c.add(n.wikilinkTarget(name), nil)
				}
			}
		}
	}
	f.Title, f.Tags = d.front.title(), d.front.tags()
	_ = ast.Walk(d.root, c.visit)
	f.Tags = sortedTags(f.Tags)
	for _, t := range f.Tags {
		c.add(linkTarget{Link: wiki.Link{Kind: wiki.LinkTag, Target: t}}, nil)
	}
	return f
}

// outlineAliases returns the other names of a page in Logseq's syntax: lines such as
// "alias:: a, [[b]]" among the properties at its start.
func outlineAliases(source []byte) (list []string) {
	for line := range bytes.Lines(source) {
		text := strings.TrimSpace(strings.TrimPrefix(string(line[:min(len(line), 4*wiki.MaxNameBytes)]), "- "))
		key, value, ok := strings.Cut(text, ":: ")
		if !ok || strings.ContainsAny(key, " \t[") {
			return list
		}
		if key = strings.ToLower(key); key != "alias" && key != "title" {
			continue
		}
		for a := range strings.SplitSeq(value, ",") {
			a = strings.Map(printableRune, strings.Trim(strings.TrimSpace(a), "[]"))
			if a != "" && len(a) <= wiki.MaxNameBytes && len(list) < maxAliases {
				list = append(list, a)
			}
		}
	}
	return list
}

func sortedTags(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// tryParse parses a page. It returns nil if the page is over a limit.
func tryParse(name wiki.PageName, source []byte) (d *document) {
	defer func() {
		if recover() != nil {
			d = nil
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d, err := parse(name, source, newClock(factTimeout))
	if err != nil {
		return nil
	}
	return d
}

// A collector lists the links of a document.
type collector struct {
	doc   *document
	seen  map[wiki.Link]bool
	facts *Facts
	block ast.Node // block whose text is in words
	words string   // all of its text, or the beginning
	asked int      // number of bytes requested
	whole bool     // words is all of its text
}

func (c *collector) visit(n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	if t, ok := n.(*tag); ok {
		c.facts.Tags = append(c.facts.Tags, t.name)
	}
	c.doc.linksOf(n, func(p linkTarget) { c.add(p, n) })
	return ast.WalkContinue, nil
}

func (c *collector) add(p linkTarget, n ast.Node) {
	key := p.Link
	if p.Kind == "" || p.Target == "" || len(p.Target) > 4*wiki.MaxNameBytes || c.seen[key] || len(c.facts.Links) >= maxLinks {
		return
	}
	c.seen[key] = true
	p.Text = c.contextOf(n)
	c.facts.Links = append(c.facts.Links, p.Link)
}

// contextOf is the text of the block that contains a link, or the part of it
// around the link.
func (c *collector) contextOf(link ast.Node) string {
	n := link
	for n != nil && n.Type() == ast.TypeInline {
		n = n.Parent()
	}
	if n == nil {
		return ""
	}
	if n != c.block {
		c.block, c.asked = n, 1<<10
		c.words, c.whole = c.doc.plainTextPrefix(n, c.asked)
	}
	const before, width = 80, 200 // bytes
	words := c.doc.plainText(link)
	at := strings.Index(c.words, words)
	for (at < 0 || at+width > len(c.words)) && !c.whole {
		c.asked *= 4
		c.words, c.whole = c.doc.plainTextPrefix(n, c.asked)
		at = strings.Index(c.words, words)
	}
	if len(c.words) <= width {
		return c.words
	}
	from := max(0, min(at-before, len(c.words)-width))
	return strings.TrimSpace(strings.ToValidUTF8(c.words[from:from+width], ""))
}

// PlainText returns a page's text for search and snippets: no markup, with
// code, headings on their own lines, without front matter.
func PlainText(source []byte) string {
	d := tryParse("", source)
	if d == nil {
		return strings.ToValidUTF8(string(source), "\ufffd")
	}
	var b strings.Builder
	_ = ast.Walk(d.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering || n.Type() == ast.TypeInline {
			return ast.WalkContinue, nil
		}
		switch n.Kind() {
		case ast.KindFencedCodeBlock, ast.KindCodeBlock, kindSource:
			b.Write(d.raw(n))
			writeLineEnd(&b)
			return ast.WalkSkipChildren, nil
		case ast.KindHTMLBlock:
			b.WriteString(d.htmlText(n))
			writeLineEnd(&b)
			return ast.WalkSkipChildren, nil
		case kindExplanation:
			e := n.(*explanation)
			b.WriteString(e.short + ": " + e.long + "\n")
			return ast.WalkSkipChildren, nil
		case kindWidgetOption:
			d.writeOptionText(&b, n.(*widgetOption))
			return ast.WalkSkipChildren, nil
		case ast.KindLinkReferenceDefinition, kindHiddenBlock:
			return ast.WalkSkipChildren, nil
		case kindBox:
			b.WriteString(n.(*box).title)
			writeLineEnd(&b)
			return ast.WalkContinue, nil
		case extast.KindTableRow, extast.KindTableHeader:
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				b.WriteString(d.plainText(c))
				b.WriteByte(' ')
			}
			writeLineEnd(&b)
			return ast.WalkSkipChildren, nil
		}
		if n.FirstChild() != nil && n.FirstChild().Type() == ast.TypeInline {
			b.WriteString(d.plainText(n))
			writeLineEnd(&b)
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

func writeLineEnd(b *strings.Builder) {
	if s := b.String(); s != "" && s[len(s)-1] != '\n' {
		b.WriteByte('\n')
	}
}
