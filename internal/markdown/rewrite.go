package markdown

import (
	"bytes"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"robot.wtf/internal/wiki"
)

var wikiLinkAnywhere = regexp.MustCompile(`!?\[\[([^\[\]\n]{1,400})\]\]`)

// The places where Markdown writes an address: after "](", with or without
// angle brackets, and in a reference definition.
var (
	inlineAddress    = regexp.MustCompile(`\]\([ \t]*(?:<([^<>\n]*)>|([^\s<>()]+(?:\([^\s<>()]*\)[^\s<>()]*)*))`)
	referenceAddress = regexp.MustCompile(`(?m)^ {0,3}\[[^\]\n]+\]:[ \t]*(?:<([^<>\n]*)>|(\S+))`)
)

// An edit replaces source[from:to].
type edit struct {
	from, to int
	text     string
}

// RewriteLinks changes the targets of links to a moved page or file: in
// wikilinks, Markdown links and images, reference definitions and embeds, but
// not in code. rename is called with each target as in Facts and returns the
// new one, or false to leave it. Text and anchors are kept. self is the page's
// name before, and newSelf after the move (mostly the same), for relative links.
func RewriteLinks(self, newSelf wiki.PageName, source []byte, rename func(kind wiki.LinkKind, target string) (string, bool)) ([]byte, bool) {
	if _, rest, _ := cutFrontMatter(source); checkLimits(rest) != nil {
		return source, false // what is not parsed has no links
	}
	code := codeMask(source)
	var edits []edit
	for _, m := range wikiLinkAnywhere.FindAllSubmatchIndex(source, -1) {
		if code.covers(m[0]) || escaped(source, m[0]) {
			continue
		}
		if e, ok := rewriteWikiLink(self, newSelf, source, m, rename); ok {
			edits = append(edits, e)
		}
	}
	for _, form := range []*regexp.Regexp{inlineAddress, referenceAddress} {
		for _, m := range form.FindAllSubmatchIndex(source, -1) {
			if code.covers(m[0]) || escaped(source, m[0]) {
				continue
			}
			from, to, angled := m[2], m[3], true
			if from < 0 {
				from, to, angled = m[4], m[5], false
			}
			if e, ok := rewriteAddress(self, newSelf, source, m[0], from, to, angled, rename); ok {
				edits = append(edits, e)
			}
		}
	}
	return applyEdits(source, edits)
}

func applyEdits(source []byte, edits []edit) ([]byte, bool) {
	if len(edits) == 0 {
		return source, false
	}
	sortEdits(edits)
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		if e.from < at {
			continue // inside a link that was rewritten already
		}
		out.Write(source[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(source[at:])
	return out.Bytes(), !bytes.Equal(out.Bytes(), source)
}

func sortEdits(edits []edit) {
	for i := 1; i < len(edits); i++ {
		for j := i; j > 0 && edits[j].from < edits[j-1].from; j-- {
			edits[j], edits[j-1] = edits[j-1], edits[j]
		}
	}
}

func rewriteWikiLink(self, newSelf wiki.PageName, source []byte, m []int, rename func(wiki.LinkKind, string) (string, bool)) (edit, bool) {
	inside := string(source[m[2]:m[3]])
	target, _, _ := wikiTarget(self, inside)
	if target == "" {
		return edit{}, false
	}
	kind := wiki.LinkPage
	if source[m[0]] == '!' {
		kind = wiki.LinkEmbed
	}
	to, ok := rename(kind, target)
	written, _, _ := strings.Cut(inside, "|")
	written, _, _ = strings.Cut(written, "#")
	relative := strings.HasPrefix(strings.TrimSpace(written), ".")
	switch {
	case !ok && !(relative && self != newSelf):
		return edit{}, false
	case !ok:
		to = target // a relative link of a page that moves: name its target from the root
	}
	if !strings.Contains(written, "_") || strings.Contains(written, " ") {
		to = strings.ReplaceAll(to, "_", " ") // as the writer spelled it
	}
	return edit{m[2], m[2] + len(written), to}, true
}

func rewriteAddress(self, newSelf wiki.PageName, source []byte, start, from, to int, angled bool, rename func(wiki.LinkKind, string) (string, bool)) (edit, bool) {
	dest := string(source[from:to])
	image := isImage(source, start)
	var kind wiki.LinkKind
	var target string
	local(self, []byte(dest), image, func(k wiki.LinkKind, t string) { kind, target = k, t })
	if target == "" {
		return edit{}, false
	}
	next, ok := rename(kind, target)
	if !ok {
		if self == newSelf || strings.HasPrefix(dest, "/") {
			return edit{}, false
		}
		next = target
	}
	tail := dest[min(len(dest), endOfPath(dest)):]
	if kind == wiki.LinkPage && strings.HasSuffix(dest[:len(dest)-len(tail)], ".md") {
		next += ".md"
	}
	written := spell(newSelf, dest, next)
	if angled {
		return edit{from, to, written + tail}, true
	}
	escapedPath := (&url.URL{Path: written}).EscapedPath()
	escapedPath = strings.NewReplacer("(", "%28", ")", "%29").Replace(strings.TrimPrefix(escapedPath, "./"))
	if strings.HasPrefix(written, "./") {
		escapedPath = "./" + escapedPath
	}
	return edit{from, to, escapedPath + tail}, true
}

func endOfPath(dest string) int {
	if i := strings.IndexAny(dest, "?#"); i >= 0 {
		return i
	}
	return len(dest)
}

// spell writes a path as the writer wrote the former one: from the root, below
// the page, or from its folder.
func spell(self wiki.PageName, dest, target string) string {
	switch {
	case strings.HasPrefix(dest, "/"):
		return "/" + target
	case strings.HasPrefix(dest, "./"):
		if below, ok := strings.CutPrefix(target, string(self)+"/"); ok {
			return "./" + below
		}
		return "/" + target
	}
	if parent := self.Parent(); parent != "" {
		if near, ok := strings.CutPrefix(target, parent+"/"); ok && !strings.HasPrefix(near, ".") && !schemeForm.MatchString(near) {
			return near
		}
		return "/" + target
	}
	if path.Dir(target) == "." && schemeForm.MatchString(target) {
		return "/" + target
	}
	return target
}

// isImage reports whether the link whose "](" is there began with "![".
func isImage(source []byte, bracket int) bool {
	depth := 0
	for i := bracket; i >= 0 && bracket-i < 2000; i-- {
		switch source[i] {
		case ']':
			depth++
		case '[':
			if depth--; depth == 0 {
				return i > 0 && source[i-1] == '!' && !escaped(source, i-1)
			}
		}
	}
	return false
}

func escaped(source []byte, at int) bool {
	n := 0
	for at-n-1 >= 0 && source[at-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// A mask holds the stretches of a source that are code, sorted.
type mask []edit

func (m mask) covers(at int) bool {
	for _, e := range m {
		if at >= e.from && at < e.to {
			return true
		}
		if e.from > at {
			return false
		}
	}
	return false
}

// codeMask finds code spans, code blocks and raw HTML.
func codeMask(source []byte) mask {
	_, rest, _ := cutFrontMatter(source)
	offset := len(source) - len(rest)
	doc := syntax.Parse(text.NewReader(rest))
	var m mask
	cover := func(from, to int) { m = append(m, edit{from: from + offset, to: to + offset}) }
	ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.CodeSpan:
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				if t, ok := c.(*ast.Text); ok {
					cover(t.Segment.Start, t.Segment.Stop)
				}
			}
		case *ast.RawHTML:
			for i := range n.Segments.Len() {
				s := n.Segments.At(i)
				cover(s.Start, s.Stop)
			}
		case *ast.FencedCodeBlock, *ast.CodeBlock, *ast.HTMLBlock:
			for i := range n.Lines().Len() {
				s := n.Lines().At(i)
				cover(s.Start, s.Stop)
			}
		}
		return ast.WalkContinue, nil
	})
	sortEdits(m)
	return m
}
