package vaults

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// A Reference is a link found in a page's source.
type Reference struct {
	At     int    // offset in the source
	Source string // as written
	Wiki   bool   // [[...]]; else a Markdown link or HTML
	HTML   bool
	Image  bool   // an image or embed
	Hugo   bool   // with the shortcode ref or relref
	Target string // path without fragment, with percent codes decoded unless Wiki
	First  string // of [[First|Second]], without fragment
	Second string // "" if there is no bar
}

// References finds the links of a tool's page, but no links to other hosts and none
// within the page. It looks for them by their syntax, with goldmark's help to leave
// out code.
func References(tool, source string) []Reference {
	source, start := withoutFront(source)
	original := source
	if tool == "Hugo" {
		source = shortcodeSyntax.ReplaceAllStringFunc(source, bracketPath)
	}
	masked := maskCode(source, tool != "MkDocs") // whose blocks are indented
	var found []Reference
	for _, m := range wikilinkSyntax.FindAllStringSubmatchIndex(masked, -1) {
		found = append(found, wikiReference(m[0], source[m[0]:m[1]]))
	}
	noWiki := wikilinkSyntax.ReplaceAllStringFunc(masked, blank)
	noHTML := htmlTag.ReplaceAllStringFunc(noWiki, func(tag string) string {
		if destination := strings.IndexByte(tag, '<'); destination > 0 {
			return tag
		}
		return blank(tag)
	})
	found = append(found, inlineLinks(source, noHTML)...)
	found = append(found, referenceLinks(source, noHTML)...)
	for _, m := range htmlLink.FindAllStringSubmatchIndex(noWiki, -1) {
		r := Reference{At: m[0], Source: source[m[0]:m[1]], HTML: true, Image: strings.HasPrefix(strings.ToLower(source[m[0]:]), "<img")}
		r.Target = destinationPath(strings.Trim(source[m[2]:m[3]], `"'`))
		found = append(found, r)
	}
	var inside []Reference
	for _, r := range found {
		if r.Target != "" {
			r.Source = original[r.At : r.At+len(r.Source)]
			r.Hugo = tool == "Hugo" && shortcodeSyntax.MatchString(r.Source)
			r.At += start
			inside = append(inside, r)
		}
	}
	return inside
}

// bracketPath writes the path of a shortcode in angle brackets, in as many bytes.
func bracketPath(shortcode string) string {
	m := shortcodeSyntax.FindStringSubmatchIndex(shortcode)
	return "](" + blank(shortcode[len("]("):m[2]-1]) + "<" + shortcode[m[2]:m[3]] + ">" + blank(shortcode[m[3]+1:])
}

var (
	shortcodeSyntax = regexp.MustCompile(`\]\(\{\{[<%] *(?:rel)?ref +"([^"<>\n]*)" *[%>]\}\}`)
	wikilinkSyntax  = regexp.MustCompile(`!?\[\[[^\[\]\n]+\]\]`)
	htmlTag         = regexp.MustCompile(`(?s)(?:\]\(|\]:\s*)?<[a-zA-Z/][^<>]*>`)
	htmlLink        = regexp.MustCompile(`(?is)<(?:a|img)\s(?:[^<>]*\s)?(?:href|src)\s*=\s*("[^"<>]*"|'[^'<>]*')[^<>]*>`)
	definition      = regexp.MustCompile(`(?m)^ {0,3}\[([^\]\n^][^\]\n]*)\]:[ \t]*\n?[ \t]*(<[^>\n]*>|[^\s<]\S*)(?:[ \t]+(?:"[^"\n]*"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*$`)
	bracketed       = regexp.MustCompile(`!?\[([^\[\]\n]+)\](?:\[([^\[\]\n]*)\])?`)
	schemeSyntax    = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)
	frontSyntax     = regexp.MustCompile(`(?s)^(---\n.*?\n---|\+\+\+\n.*?\n\+\+\+)\n`)
)

func withoutFront(source string) (string, int) {
	n := len(frontSyntax.FindString(source))
	return source[n:], n
}

// blank replaces a text by as many spaces.
func blank(s string) string { return strings.Repeat(" ", len(s)) }

// maskCode blanks code, comments and, except for their tags, blocks of HTML.
func maskCode(source string, indented bool) string {
	masked := []byte(source)
	hide := func(from, to int) {
		for i := from; i < to && i < len(masked); i++ {
			if masked[i] != '\n' {
				masked[i] = ' '
			}
		}
	}
	src := []byte(source)
	root := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(src))
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Kind() == ast.KindCodeBlock && !indented {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			for i := range n.Lines().Len() {
				hide(n.Lines().At(i).Start, n.Lines().At(i).Stop)
			}
		case *ast.HTMLBlock:
			for i := range n.Lines().Len() {
				l := n.Lines().At(i)
				hideText(masked, l.Start, l.Stop, hide)
			}
		case *ast.CodeSpan:
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				if t, ok := c.(*ast.Text); ok {
					hide(t.Segment.Start, t.Segment.Stop)
				}
			}
		}
		return ast.WalkContinue, nil
	})
	for _, m := range htmlComment.FindAllIndex(masked, -1) {
		hide(m[0], m[1])
	}
	return string(masked)
}

var htmlComment = regexp.MustCompile(`(?s)<!--.*?-->`)

// hideText hides what isn't a tag.
func hideText(masked []byte, from, to int, hide func(from, to int)) {
	inTag := false
	for i := from; i < to; i++ {
		switch masked[i] {
		case '<':
			inTag = true
		case '>':
			inTag = false
			continue
		}
		if !inTag {
			hide(i, i+1)
		}
	}
}

// wikiReference reads [[...]].
func wikiReference(at int, source string) Reference {
	inside := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(source, "!"), "[["), "]]")
	inside = strings.ReplaceAll(inside, `\|`, "|")
	first, second, _ := strings.Cut(inside, "|")
	r := Reference{At: at, Source: source, Wiki: true, Image: source[0] == '!', First: withoutFragment(first), Second: withoutFragment(second)}
	if r.Target = strings.TrimSpace(inside); schemeSyntax.MatchString(r.Target) && !strings.HasPrefix(r.Target, "dendron:") {
		r.Target = ""
	}
	return r
}

func withoutFragment(s string) string {
	s, _, _ = strings.Cut(s, "#")
	return strings.TrimSpace(s)
}

// destinationPath is the path of a destination, "" if it leads to another host or
// within the page.
func destinationPath(dest string) string {
	dest = strings.TrimSpace(dest)
	if strings.HasPrefix(dest, "<") {
		dest = strings.Trim(dest, "<>")
	}
	if schemeSyntax.MatchString(dest) || strings.HasPrefix(dest, "//") || strings.HasPrefix(dest, "?") {
		return ""
	}
	dest, _, _ = strings.Cut(dest, "#")
	dest, _, _ = strings.Cut(dest, "?")
	if decoded, err := url.PathUnescape(dest); err == nil {
		dest = decoded
	}
	return dest
}

// inlineLinks finds [text](destination "title") and images.
func inlineLinks(source, masked string) (found []Reference) {
	for at := 0; ; {
		i := strings.Index(masked[at:], "](")
		if i < 0 {
			return found
		}
		at += i + 2
		open := openingBracket(masked, at-3)
		dest, end := inlineDestination(masked, at)
		if open < 0 || end < 0 {
			continue
		}
		r := Reference{At: open, Target: destinationPath(source[at : at+len(dest)])}
		if open > 0 && masked[open-1] == '!' {
			r.At, r.Image = open-1, true
		}
		r.Source = source[r.At:end]
		found = append(found, r)
	}
}

// openingBracket finds the bracket that opens a link's text, which ends at an
// offset.
func openingBracket(s string, end int) int {
	for depth, i := 0, end; i >= 0; i-- {
		switch {
		case i > 0 && s[i-1] == '\\':
		case strings.HasSuffix(s[:i+1], "\n\n"):
			return -1
		case s[i] == ']':
			depth++
		case s[i] == '[' && depth == 0:
			return i
		case s[i] == '[':
			depth--
		}
	}
	return -1
}

// inlineDestination reads a destination, with the spaces before it, and an optional
// title up to the closing parenthesis, after which end is.
func inlineDestination(s string, at int) (dest string, end int) {
	start := at
	rest := strings.TrimLeft(s[at:], " ")
	at = len(s) - len(rest)
	n := 0
	if strings.HasPrefix(rest, "<") {
		if n = strings.IndexAny(rest[1:], ">\n") + 2; n < 2 || rest[n-1] != '>' {
			return "", -1
		}
	} else {
		for depth := 0; n < len(rest); n++ {
			c := rest[n]
			if c == '(' {
				depth++
			}
			if c == ')' {
				if depth == 0 {
					break
				}
				depth--
			}
			if c <= ' ' {
				break
			}
			if c == '\\' {
				n++
			}
		}
	}
	n = min(n, len(rest))
	m := linkEnd.FindString(rest[n:])
	if m == "" {
		return "", -1
	}
	return s[start : at+n], at + n + len(m)
}

var linkEnd = regexp.MustCompile(`^\s*(?:\s(?:"[^"]*"|'[^']*'|\([^()]*\))\s*)?\)`)

// referenceLinks finds [text][id], [id][] and [id] whose id is defined.
func referenceLinks(source, masked string) (found []Reference) {
	definitions := map[string]string{}
	for _, m := range definition.FindAllStringSubmatchIndex(masked, -1) {
		id := normalLabel(source[m[2]:m[3]])
		if _, twice := definitions[id]; !twice {
			definitions[id] = destinationPath(source[m[4]:m[5]])
		}
	}
	masked = definition.ReplaceAllStringFunc(masked, blank)
	for _, m := range bracketed.FindAllStringSubmatchIndex(masked, -1) {
		if m[1] < len(masked) && (masked[m[1]] == '(' || masked[m[1]] == ':') && m[4] < 0 || m[0] > 0 && masked[m[0]-1] == '\\' {
			continue
		}
		id := source[m[2]:m[3]]
		if m[4] >= 0 && m[5] > m[4] {
			id = source[m[4]:m[5]]
		}
		if to := definitions[normalLabel(id)]; to != "" {
			found = append(found, Reference{At: m[0], Source: source[m[0]:m[1]], Target: to, Image: source[m[0]] == '!'})
		}
	}
	return found
}

func normalLabel(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
