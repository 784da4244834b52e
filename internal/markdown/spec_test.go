package markdown

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	ghtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

type example struct {
	Markdown string `json:"markdown"`
	HTML     string `json:"html"`
	Example  int    `json:"example"`
	Section  string `json:"section"`
}

func examples(t testing.TB, file string) []example {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []example
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return list
}

// plainHTML renders a tree as the specification does: goldmark's own
// renderer, with raw HTML and XHTML slashes.
func plainHTML(t *testing.T, p parser.Parser, source string) string {
	t.Helper()
	pc := parser.NewContext()
	pc.Set(guardKey, &guard{})
	src := []byte(source)
	doc := p.Parse(text.NewReader(src[:len(src):len(src)]), parser.WithContext(pc))
	var out bytes.Buffer
	rd := renderer.NewRenderer(renderer.WithNodeRenderers(util.Prioritized(ghtml.NewRenderer(ghtml.WithUnsafe(), ghtml.WithXHTML()), 1000)))
	if err := rd.Render(&out, src, doc); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// CommonMark byte for byte, with goldmark's renderer and our parser without
// extensions. It tests that our guards and limits break nothing.
func TestCommonMark(t *testing.T) {
	p := newParser()
	list := examples(t, "testdata/commonmark/spec.json")
	if len(list) != 652 {
		t.Fatalf("%d examples, want 652", len(list))
	}
	for _, e := range list {
		if diff := cmp.Diff(e.HTML, plainHTML(t, p, e.Markdown)); diff != "" {
			t.Errorf("example %d (%s):\n%s\n%s", e.Example, e.Section, e.Markdown, diff)
		}
	}
}

// GFM's extension examples, through the whole renderer. It compares the
// browser's tree without the parts that we add.
func TestGFM(t *testing.T) {
	for _, e := range examples(t, "testdata/commonmark/gfm.json") {
		if e.Example == 653 { // about tags that aren't closed
			e.HTML = strings.Replace(e.HTML, "<em></p>", "<em></em></strong></p>", 1)
		}
		got := htmlShape(t, render(t, e.Markdown), true)
		if diff := cmp.Diff(htmlShape(t, e.HTML, true), got); diff != "" {
			t.Errorf("example %d (%s):\n%s\n%s", e.Example, e.Section, e.Markdown, diff)
		}
	}
}

// CommonMark examples that wikis show differently, and why.
var otherwise = map[string][]int{
	"a tag":        {64},
	"front matter": {96, 98},
	"a tag of raw HTML is closed where its block ends, and its end elsewhere is dropped": {148, 187, 344, 476, 477, 494, 630, 631, 642, 643},
	"raw HTML that is not allowed is shown as text":                                      {150, 156, 157, 158, 163, 170, 171, 172, 173, 176, 178, 201, 491, 524, 536, 613, 614, 615, 617, 623},
	"a raw table ends where a block begins outside of its cells":                         {191},
	"a link that leads nowhere is text":                                                  {200, 485, 486, 487, 567, 616},
	"a wikilink":                                                                         {548, 559, 590},
	"an image with a title is a figure":                                                  {572, 573, 576, 577, 584, 585, 586, 588, 589, 591},
	"an unknown scheme":                                                                  {598, 599, 601},
	"an address in text is a link, as in GFM":                                            {602, 608, 611, 612},
}

// CommonMark's examples with all extensions and the whole renderer: elements
// and text match the specification, except for those listed above.
func TestCommonMarkAsShown(t *testing.T) {
	differ := map[int]string{}
	for why, list := range otherwise {
		for _, n := range list {
			differ[n] = why
		}
	}
	for _, e := range examples(t, "testdata/commonmark/spec.json") {
		want, got := htmlShape(t, e.HTML, false), htmlShape(t, render(t, e.Markdown), false)
		switch why, ok := differ[e.Example]; {
		case ok && cmp.Equal(want, got):
			t.Errorf("example %d is listed as different (%s) but isn't", e.Example, why)
		case !ok && !cmp.Equal(want, got):
			t.Errorf("example %d (%s):\n%s\n%s", e.Example, e.Section, e.Markdown, cmp.Diff(want, got))
		}
	}
}

// htmlShape is the tree of a page as indented lines, without invisible white
// space and without what the renderer adds: anchors, scrolling regions,
// labels, and all attributes except (if requested) those in GFM's examples.
func htmlShape(t *testing.T, source string, attributes bool) []string {
	t.Helper()
	nodes, err := xhtml.ParseFragment(strings.NewReader(source), &xhtml.Node{Type: xhtml.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		t.Fatalf("%v in %q", err, source)
	}
	var lines []string
	add := func(indent, line string) { lines = append(lines, indent+line) }
	var walk func(n *xhtml.Node, indent string)
	walk = func(n *xhtml.Node, indent string) {
		if n.Type == xhtml.TextNode {
			if last := len(lines) - 1; last >= 0 && strings.HasPrefix(lines[last], indent+"“") {
				lines[last] += n.Data
			} else if strings.TrimSpace(n.Data) != "" {
				add(indent, "“"+n.Data)
			}
			return
		}
		inner := indent + " "
		switch {
		case n.Type != xhtml.ElementNode, n.Data == "a" && attributeOf(n, "class") == "anchor":
			return
		case slices.Contains([]string{"label", "span", "div"}, n.Data), n.Data == "p" && n.Parent != nil && n.Parent.Data == "li":
			inner = indent
		default:
			line := n.Data
			for _, key := range []string{"href", "align", "checked", "disabled"} {
				if hasAttribute(n, key) && attributes {
					line += " " + key + "=" + attributeOf(n, key)
				}
			}
			add(indent, line)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, inner)
		}
	}
	for _, n := range nodes {
		walk(n, "")
	}
	for i, l := range lines {
		if indent, words, ok := strings.Cut(l, "“"); ok {
			lines[i] = indent + "“" + strings.Join(strings.Fields(words), " ")
		}
	}
	return lines
}

func hasAttribute(n *xhtml.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a xhtml.Attribute) bool { return a.Key == key })
}

func attributeOf(n *xhtml.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
