package markdown

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// Pages have the structure and the text that cmark-gfm, GitHub's renderer, gives
// them: the examples of the CommonMark and GFM specifications, and the Markdown
// files of the modules in go.sum. The comparison leaves out:
//   - attributes, and elements that only group others (div, span, thead)
//   - anchors of headings, icons and arrows of footnotes
//   - front matter, which GitHub shows as a table before cmark-gfm sees the rest
//   - alerts and emoji names, which GitHub replaces after cmark-gfm
//   - pictures of other hosts, which are links here, and captions
//   - tags of raw HTML that pages can't contain: they are text here
//   - elements without content, which a browser makes from tags that aren't closed
//
// What still differs is in differsFromCmark for the specifications' examples; the
// files differ where they use a dialect that GitHub doesn't know, such as {#id}
// after a heading.
func TestAsCmark(t *testing.T) {
	slow.Test(t)
	if _, err := exec.LookPath("cmark-gfm"); err != nil {
		t.Skip("cmark-gfm isn't installed (apt-get install cmark-gfm): nothing to compare with")
	}
	t.Run("specifications", compareExamples)
	t.Run("modules", compareModules)
}

// differsFromCmark lists the specifications' examples that pages show otherwise,
// and why.
var differsFromCmark = map[string]string{
	"spec 28": olderCmark, "spec 354": olderCmark, "spec 626": olderCmark,
	"spec 96": "front matter", "spec 98": "front matter",
	"spec 156": rawText, "spec 157": rawText, "spec 158": rawText, "spec 171": rawText,
	"spec 548": "a wikilink", "spec 559": "a wikilink", "spec 590": "a wikilink",
	"spec 606": "an address with a backslash isn't one",
	"gfm 653":  "the blockquote ends tags that its raw HTML leaves open",
}

const (
	olderCmark = "cmark-gfm implements an older CommonMark"
	rawText    = "raw HTML that isn't allowed is shown as text"
)

// minEqual is the share of texts that are as in cmark-gfm, in percent.
const minEqual = 98

// compareExamples compares the specifications' examples. One that differs because
// cmark-gfm is older counts as equal if it is as the specification says.
func compareExamples(t *testing.T) {
	equal, all := 0, 0
	for _, file := range []string{"spec", "gfm"} {
		for _, e := range examples(t, "testdata/commonmark/"+file+".json") {
			ours := shapeOf(t, renderAll(t, e.Markdown), false)
			difference := firstDifference(shapeOf(t, cmark(t, e.Markdown), true), ours)
			if all++; difference == "" || firstDifference(shapeOf(t, e.HTML, true), ours) == "" {
				equal++
			}
			name := fmt.Sprintf("%s %d", file, e.Example)
			switch why, listed := differsFromCmark[name]; {
			case listed && difference == "":
				t.Errorf("%s is listed as different (%s) but isn't", name, why)
			case !listed && difference != "":
				t.Errorf("%s (%s): %q\n%s", name, e.Section, e.Markdown, difference)
			}
		}
	}
	checkShare(t, "examples", equal, all)
}

// asEmoji returns the emoji of a name such as ":star:", or the text as it is.
func asEmoji(text string) string {
	if e, ok := emojis().Get(strings.Trim(text, ":")); ok && e.IsUnicode() {
		return string(e.Unicode)
	}
	return text
}

func checkShare(t *testing.T, what string, equal, all int) {
	t.Helper()
	t.Logf("%s: %d of %d are as in cmark-gfm", what, equal, all)
	if all == 0 || equal*100 < minEqual*all {
		t.Errorf("%s: %d of %d are as in cmark-gfm, want %d %%", what, equal, all, minEqual)
	}
}

func compareModules(t *testing.T) {
	files := moduleFiles(t)
	equal := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := yamlFront.ReplaceAllString(string(source), "")
		theirs := alertStart.ReplaceAllStringFunc(cmark(t, emojiName.ReplaceAllStringFunc(text, asEmoji)), asAlert)
		if d := firstDifference(shapeOf(t, theirs, true), shapeOf(t, renderAll(t, string(source)), false)); d != "" {
			t.Logf("%s\n%s", file, d)
			continue
		}
		equal++
	}
	checkShare(t, "files", equal, len(files))
}

var (
	emojiName  = regexp.MustCompile(`:[a-z0-9_+-]+:`)
	yamlFront  = regexp.MustCompile(`(?s)^---\n.*?\n---\n`)
	alertStart = regexp.MustCompile(`<blockquote>\n<p>\[!(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\n`)
	capitals   = regexp.MustCompile(`[A-Z]`)
	anyTag     = regexp.MustCompile(`(?s)<!--.*?-->|</?[a-zA-Z][^<>]*>`)
)

// asAlert replaces the start of a quote by that of an alert.
func asAlert(quote string) string {
	kind := strings.ToLower(strings.Trim(quote[strings.Index(quote, "!"):], "!]\n"))
	return "<p><b>" + strings.ToUpper(kind[:1]) + kind[1:] + "</b></p><p>"
}

// moduleFiles lists the Markdown files of the modules in go.sum that are in the
// module cache.
func moduleFiles(t *testing.T) (files []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache := strings.TrimSpace(string(out))
	sums, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sums)) {
		f := strings.Fields(line)
		if len(f) != 3 || strings.HasSuffix(f[1], "/go.mod") {
			continue
		}
		dir := capitals.ReplaceAllStringFunc(f[0]+"@"+f[1], func(c string) string { return "!" + strings.ToLower(c) })
		_ = filepath.WalkDir(filepath.Join(cache, dir), func(file string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && filepath.Ext(file) == ".md" {
				files = append(files, file)
			}
			return nil
		})
	}
	return files
}

// cmark renders a text with cmark-gfm.
func cmark(t *testing.T, source string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "cmark-gfm", "--unsafe", "-e", "table", "-e", "strikethrough", "-e", "autolink", "-e", "tagfilter", "-e", "tasklist", "-e", "footnotes")
	cmd.Stdin = bytes.NewReader([]byte(source))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cmark-gfm: %v", err)
	}
	return string(out)
}

// everything is a Resolver of a wiki in which every target exists.
type everything struct{}

func (everything) Resolve(_ context.Context, l wiki.Link, _ string) Target {
	return Target{URL: wiki.PathURL(l.Paths("Design/VPS")[0]), Exists: true, Image: l.Kind == wiki.LinkFile}
}

func renderAll(t *testing.T, source string) string {
	t.Helper()
	page, err := shared.Render(t.Context(), "ada", "Design/VPS", []byte(source), everything{})
	if err != nil {
		t.Fatal(err)
	}
	return string(page.HTML)
}

// firstDifference describes where two shapes differ, "" if they don't.
func firstDifference(theirs, ours []string) string {
	for i := range max(len(theirs), len(ours)) {
		if i < len(theirs) && i < len(ours) && theirs[i] == ours[i] {
			continue
		}
		around := func(lines []string) []string { return lines[min(len(lines), max(0, i-2)):min(i+3, len(lines))] }
		return fmt.Sprintf("cmark-gfm: %.300q\nours:      %.300q", around(theirs), around(ours))
	}
	return ""
}

// A shaper lists a page's structure and text as indented lines.
type shaper struct {
	theirs bool // of cmark-gfm
	lines  []string
	inLink int
}

func shapeOf(t *testing.T, source string, theirs bool) []string {
	t.Helper()
	nodes, err := xhtml.ParseFragment(strings.NewReader(source), &xhtml.Node{Type: xhtml.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		t.Fatal(err)
	}
	s := &shaper{theirs: theirs}
	for _, n := range nodes {
		s.walk(n, "")
	}
	var lines []string
	for _, l := range s.lines {
		indent, words, isText := strings.Cut(l, "“")
		if !isText {
			lines = append(lines, l)
			continue
		}
		words = strings.ReplaceAll(anyTag.ReplaceAllString(words, ""), "\ufe0e", "")
		if words = strings.Join(strings.Fields(words), " "); words != "" {
			lines = append(lines, indent+"“"+words)
		}
	}
	return withoutEmpty(lines)
}

// withoutEmpty drops elements without content, except for those that never have any.
func withoutEmpty(lines []string) (kept []string) {
	below := 0 // depth of the line below
	for _, l := range slices.Backward(lines) {
		words := strings.TrimLeft(l, " ")
		depth := len(l) - len(words)
		if below > depth || strings.HasPrefix(words, "“") || leaves[words] {
			kept = append(kept, l)
			below = depth
		}
	}
	slices.Reverse(kept)
	return kept
}

var (
	leaves      = wordSet("img hr br input td wbr")
	transparent = wordSet("span div label section tbody thead")
	renamed     = map[string]string{"figure": "p", "th": "td"} // a figure is a picture with a title
)

func (s *shaper) walk(n *xhtml.Node, indent string) {
	inner := indent
	name := cmp.Or(renamed[n.Data], n.Data)
	class := attributeOf(n, "class")
	switch {
	case n.Type == xhtml.TextNode:
		s.text(indent, n.Data)
		return
	case n.Type != xhtml.ElementNode, name == "a" && class == "anchor", name == "figcaption", name == "svg":
		return
	case name == "img":
		s.image(n, indent)
		return
	case name == "a" && (class == "tag" || !s.isLink(n)):
	case transparent[name], name == "p" && n.Parent != nil && n.Parent.Data == "li":
	case !blockTags[name] && !inlineTags[name] && name != "input":
	default:
		s.lines = append(s.lines, indent+name)
		inner += " "
	}
	if name == "a" {
		s.inLink++
		defer func() { s.inLink-- }()
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		s.walk(c, inner)
	}
}

func (s *shaper) text(indent, words string) {
	if last := len(s.lines) - 1; last >= 0 && strings.HasPrefix(s.lines[last], indent+"“") {
		s.lines[last] += words
	} else if strings.TrimFunc(words, unicode.IsSpace) != "" {
		s.lines = append(s.lines, indent+"“"+words)
	}
}

// isLink reports whether an <a> has an address that a page may lead to.
func (s *shaper) isLink(n *xhtml.Node) bool {
	address := attributeOf(n, "href")
	if address == "" {
		return false
	}
	scheme := strings.ToLower(scheme(address))
	return !s.theirs || scheme == "" || slices.Contains(schemes, scheme)
}

// image shows an image as this package does: one of another host is a link.
func (s *shaper) image(n *xhtml.Node, indent string) {
	src := attributeOf(n, "src")
	if !s.theirs || scheme(src) == "" && !strings.HasPrefix(src, "//") && src != "" {
		s.lines = append(s.lines, indent+"img")
		return
	}
	if s.inLink == 0 && src != "" {
		s.lines = append(s.lines, indent+"a")
		indent += " "
	}
	s.text(indent, cmp.Or(attributeOf(n, "alt"), src))
}
