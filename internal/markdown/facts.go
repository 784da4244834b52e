package markdown

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"robot.wtf/internal/wiki"
)

// Facts are what the rest of the house needs to know of a page's source.
type Facts struct {
	Links []wiki.Link // pages, embeds, files and tags, each once, in order of appearance
	Title string
	Tags  []string
}

// ExtractFacts reads a page's links and tags. It never fails: what cannot be
// parsed has no links.
func ExtractFacts(name wiki.PageName, source []byte) (f Facts) {
	_, rest, _ := cutFrontMatter(source)
	if checkLimits(rest) != nil {
		return Facts{}
	}
	defer func() {
		if recover() != nil {
			f = Facts{}
		}
	}()
	items, err := frontItems(source)
	if err != nil {
		rest = source
	}
	p := &page{name: name, source: rest}
	var tags []string
	f.Title, tags, _ = p.splitProps(items)
	seen := map[string]bool{}
	around := &surroundings{source: rest}
	add := func(kind wiki.LinkKind, target string, n ast.Node) {
		key := string(kind) + "\x00" + target
		if target == "" || len(target) > wiki.MaxNameBytes || seen[key] || len(f.Links) >= maxNotes {
			return
		}
		seen[key] = true
		l := wiki.Link{Kind: kind, Target: target}
		if n != nil {
			l.Text = around.of(n)
		}
		f.Links = append(f.Links, l)
	}
	for _, item := range items {
		for _, m := range wikiLinkAnywhere.FindAllStringSubmatch(valueText(item.Value), 100) {
			target, _, _ := wikiTarget(name, m[1])
			add(wiki.LinkPage, target, nil)
		}
	}
	doc := syntax.Parse(text.NewReader(rest))
	ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *wikiLink:
			target, _, _ := wikiTarget(name, n.inside)
			kind := wiki.LinkPage
			if n.embed {
				kind = wiki.LinkEmbed
			}
			add(kind, target, n)
		case *ast.Link:
			local(name, n.Destination, false, func(kind wiki.LinkKind, target string) { add(kind, target, n) })
		case *ast.Image:
			local(name, n.Destination, true, func(kind wiki.LinkKind, target string) { add(kind, target, n) })
		case *tag:
			tags = append(tags, n.name)
		}
		return ast.WalkContinue, nil
	})
	f.Tags = sortedUnique(tags)
	for _, t := range f.Tags {
		add(wiki.LinkTag, t, nil)
	}
	return f
}

// local calls back for a Markdown address that leads to a page or file here.
func local(name wiki.PageName, dest []byte, image bool, found func(wiki.LinkKind, string)) {
	d := string(util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences(dest))))
	if d == "" || d[0] == '#' || strings.HasPrefix(d, "//") || schemeForm.MatchString(d) || strings.Contains(d, `\`) {
		return
	}
	switch to := localTarget(name, d, image); to.kind {
	case linkPage:
		found(wiki.LinkPage, to.path)
	case linkFile:
		found(wiki.LinkFile, to.path)
	}
}

// surroundings gives the words around a link, of its block, once a block.
type surroundings struct {
	source []byte
	block  ast.Node
	text   string
}

func (s *surroundings) of(n ast.Node) string {
	block := n.Parent()
	for block != nil && block.Type() == ast.TypeInline {
		block = block.Parent()
	}
	if block == nil {
		return ""
	}
	if block != s.block {
		s.block, s.text = block, nodeText(block, s.source)
	}
	const before, width = 80, 200 // bytes
	if len(s.text) <= width {
		return s.text
	}
	at := max(0, strings.Index(s.text, nodeText(n, s.source)))
	from := max(0, min(at-before, len(s.text)-width))
	return strings.TrimSpace(strings.ToValidUTF8(s.text[from:from+width], ""))
}

// PlainText is the page as words, for search and snippets: no markup, code
// kept, headings on lines of their own, no front matter.
func PlainText(source []byte) string {
	_, rest, _ := cutFrontMatter(source)
	if checkLimits(rest) != nil {
		return string(rest)
	}
	doc := syntax.Parse(text.NewReader(rest))
	var b strings.Builder
	ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering || n.Type() != ast.TypeBlock {
			return ast.WalkContinue, nil
		}
		switch n.Kind() {
		case ast.KindFencedCodeBlock, ast.KindCodeBlock:
			b.Write(linesOf(n, rest))
			b.WriteByte('\n')
			return ast.WalkSkipChildren, nil
		case ast.KindHTMLBlock:
			return ast.WalkSkipChildren, nil
		}
		if n.FirstChild() != nil && n.FirstChild().Type() == ast.TypeInline {
			b.WriteString(nodeText(n, rest))
			b.WriteByte('\n')
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// A Section is a heading with what stands below it.
type Section struct {
	Path      []string // titles from the top heading down to this one; empty for the lead
	Level     int      // 0 for the lead
	StartLine int      // of the heading, from 1
	EndLine   int      // the last line, subsections not included
	DeepEnd   int      // the last line, subsections included
}

// Sections splits a page at its headings (not those in code), the lead first.
func Sections(source []byte) []Section {
	_, rest, skipped := cutFrontMatter(source)
	total := lineCount(source)
	list := []Section{{StartLine: 1, EndLine: total, DeepEnd: total}}
	if checkLimits(rest) != nil {
		return list
	}
	doc := syntax.Parse(text.NewReader(rest))
	var titles []string
	var levels []int
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		h, ok := n.(*ast.Heading)
		if !ok || h.Lines().Len() == 0 {
			continue
		}
		line := skipped + 1 + bytes.Count(rest[:h.Lines().At(0).Start], []byte("\n"))
		for len(levels) > 0 && levels[len(levels)-1] >= h.Level {
			titles, levels = titles[:len(titles)-1], levels[:len(levels)-1]
		}
		titles, levels = append(titles, nodeText(h, rest)), append(levels, h.Level)
		list[len(list)-1].EndLine = line - 1
		list = append(list, Section{Path: append([]string(nil), titles...), Level: h.Level, StartLine: line, EndLine: total, DeepEnd: total})
	}
	for i := range list {
		for j := i + 1; j < len(list); j++ {
			if list[j].Level <= list[i].Level {
				list[i].DeepEnd = list[j].StartLine - 1
				break
			}
		}
	}
	return list
}

func lineCount(source []byte) int {
	n := bytes.Count(source, []byte("\n"))
	if len(source) > 0 && source[len(source)-1] != '\n' {
		n++
	}
	return max(n, 1)
}
