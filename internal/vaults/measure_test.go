package vaults_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"robot.wtf/internal/incoming"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/vaults"
	"robot.wtf/internal/wiki"
)

// A library is a wiki with an imported vault.
type library struct {
	t       testing.TB
	w       *testworld.World
	owner   wiki.Access
	sources map[string]string
	names   map[string]string // name in the wiki by file of the vault, if it was renamed
	files   map[string]string // file of the vault by key of its address
	bodies  map[string]*html.Node
	anchors map[string]map[string]string // text of elements by id, by page
}

// zipped are the tools whose vaults people bring as a zip, not as a repository.
var zipped = map[string]bool{"Obsidian": true, "Logseq": true, "Notion": true}

// open imports a tool's vault into a wiki of its own.
func open(t testing.TB, tool string, files map[string]string) *library {
	t.Helper()
	l := &library{
		t: t, w: testworld.New(t, testworld.Options{Mirror: true}), sources: files,
		names: map[string]string{}, files: map[string]string{}, bodies: map[string]*html.Node{}, anchors: map[string]map[string]string{},
	}
	if err := l.w.Store.SetLimits(t.Context(), "operator", "ada", wiki.Limits{Pages: 5000}); err != nil {
		t.Fatal(err)
	}
	l.owner = l.w.Access("ada", "ada")
	var in io.Reader
	if zipped[tool] {
		in = l.zip()
	} else {
		in = bundle(t, files)
	}
	upload, err := l.w.Pages.Receive(t.Context(), l.owner, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer upload.Close()
	preview, err := l.w.Pages.Examine(t.Context(), l.owner, upload, pages.ImportRequest{}, nil)
	if err != nil {
		t.Fatal(err, pages.ImportProblems(err))
	}
	done, err := l.w.Pages.Import(t.Context(), l.owner, upload, pages.ImportRequest{Wikilinks: preview.Wikilinks}, nil)
	if err != nil {
		t.Fatal(err, pages.ImportProblems(err))
	}
	if preview.Wikilinks != "" {
		if err := l.w.Tenant.ChooseWikilinks(t.Context(), l.owner, preview.Wikilinks); err != nil {
			t.Fatal(err)
		}
		l.owner = l.w.Access("ada", "ada")
	}
	for _, r := range done.Renamed {
		if old, now, ok := strings.Cut(r, " -> "); ok && !zipped[tool] {
			l.names[old] = now
		}
	}
	for file := range files {
		l.files[addressKey(l.nameOf(file))] = file
	}
	return l
}

// nameOf is the path that a file of the vault has in the wiki.
func (l *library) nameOf(file string) string {
	if now := l.names[file]; now != "" {
		return now
	}
	return file
}

func addressKey(file string) string { return wiki.Key(strings.TrimSuffix(file, ".md")) }

// zip returns a zip of the vault, and notes the names that its files get.
func (l *library) zip() io.Reader {
	l.t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(l.sources)) {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, l.sources[name])
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		l.t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		l.t.Fatal(err)
	}
	in, err := incoming.OpenZip(archive, incoming.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	defer in.Close()
	list, err := in.List(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range list.Files {
		l.names[f.From] = f.Path
	}
	return &out
}

// bundle returns a git bundle with one commit of the files.
func bundle(t testing.TB, files map[string]string) *os.File {
	t.Helper()
	var in bytes.Buffer
	in.WriteString("commit refs/heads/main\ncommitter Ada <ada@example.com> 1764500000 +0000\ndata 6\nVault\n\n")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", quote(name), len(files[name]), files[name])
	}
	dir := t.TempDir()
	git(t, dir, nil, "init", "-q", "--bare", "-b", "main", ".")
	git(t, dir, &in, "fast-import", "--quiet")
	git(t, dir, nil, "bundle", "create", "-q", "bundle", "main", "HEAD")
	f, err := os.Open(filepath.Join(dir, "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// quote quotes a path as fast-import reads it.
func quote(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(name) + `"`
}

func git(t testing.TB, dir string, in *bytes.Buffer, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	if in != nil {
		cmd.Stdin = in
	}
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
}

// body returns a page's HTML, with its properties in front.
func (l *library) body(file string) *html.Node {
	l.t.Helper()
	if b := l.bodies[file]; b != nil {
		return b
	}
	v, err := l.w.Pages.View(l.t.Context(), l.owner, strings.TrimSuffix(l.nameOf(file), ".md"), "")
	if err != nil {
		l.t.Errorf("view %s: %v", file, err)
		v = &pages.View{}
	}
	l.bodies[file] = parseView(l.t, v)
	return l.bodies[file]
}

func parseView(t testing.TB, v *pages.View) *html.Node {
	t.Helper()
	var text strings.Builder
	for _, p := range v.Properties {
		fmt.Fprintf(&text, "<p>%s: ", html.EscapeString(p.Key))
		for _, value := range p.Values {
			text.WriteString(string(value) + " ")
		}
		text.WriteString("</p>")
	}
	text.WriteString(string(v.Body))
	root := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(text.String()), root)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	return root
}

// A lead is where a page shows that a link leads.
type lead struct {
	address string // "" if there is no link
	red     bool
}

var mark = regexp.MustCompile(`link[0-9]+:`)

// shownLeads returns the leads of a page's links by the marks that the page shows. A link
// shown as text has none, or that of the next link without a mark in the same block.
func shownLeads(root *html.Node) map[string]lead {
	found := map[string]lead{}
	pending := ""
	take := func(address string, red bool) {
		if pending != "" && found[pending].address == "" {
			found[pending] = lead{address, red}
		}
		pending = ""
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			for _, pending = range mark.FindAllString(n.Data, -1) {
				found[pending] = cmp.Or(found[pending], lead{})
			}
		case n.Data == "a" && attribute(n, "href") != "" && attribute(n, "class") != "anchor" && attribute(n, "class") != "tag":
			take(attribute(n, "href"), attribute(n, "class") == "red")
		case n.Data == "img":
			take(attribute(n, "src"), false)
		case n.Data == "section" && attribute(n, "class") == "embed":
			if from := lastLink(n); from != nil {
				take(attribute(from, "href"), false)
			}
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		if n.Type == html.ElementNode && cells[n.Data] {
			pending = ""
		}
	}
	walk(root)
	return found
}

// cells are elements whose end ends the search for a mark's link.
var cells = map[string]bool{"li": true, "td": true, "th": true, "h4": true, "summary": true, "blockquote": true}

// lastLink returns an embed's link to its page.
func lastLink(n *html.Node) (last *html.Node) {
	for c := range n.Descendants() {
		if c.Data == "a" && c.Parent.Data == "small" {
			last = c
		}
	}
	return last
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// An outcome is how a link's lead compares with where it should lead.
type outcome struct {
	misses int    // 0, 1, or 2 if it leads elsewhere
	why    string // of misses
}

// judge compares where a link leads with where its tool leads.
func (l *library) judge(link vaults.Link, shown map[string]lead) outcome {
	got, visible := shown[link.Mark]
	alive := got.address != "" && !got.red
	switch {
	case link.Hidden && visible:
		return outcome{2, "should be hidden"}
	case link.Plain && got.address != "":
		return outcome{2, "should be text, leads to " + got.address}
	case link.Want == "" && !alive:
		return outcome{}
	case !alive:
		return outcome{1, "dead"}
	}
	address, fragment, _ := strings.Cut(got.address, "#")
	address, _, _ = strings.Cut(address, "?")
	file := link.Page
	if address != "" {
		decoded, _ := url.PathUnescape(strings.TrimPrefix(address, "/"))
		file = l.files[addressKey(decoded)]
	}
	switch {
	case link.Want == "":
		return outcome{2, "should be dead, leads to " + got.address}
	case file != link.Want:
		return outcome{2, "leads to " + got.address}
	case link.Anchor != "" && !l.hasAnchor(file, fragment, link.Anchor):
		return outcome{1, "no such place: #" + fragment}
	}
	return outcome{}
}

// hasAnchor reports whether a page has an element with an id and a text.
func (l *library) hasAnchor(file, fragment, text string) bool {
	if l.anchors[file] == nil {
		l.anchors[file] = map[string]string{}
		for n := range l.body(file).Descendants() {
			if id := attribute(n, "id"); id != "" {
				l.anchors[file][id] = textOf(n)
			}
		}
	}
	id, _ := url.PathUnescape(fragment)
	found, ok := l.anchors[file][id]
	return ok && strings.Contains(found, text)
}

// textOf returns an element's text, that of its parent if it has none.
func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	if b.Len() == 0 && n.Parent != nil && n.Parent.Data != "div" {
		return textOf(n.Parent)
	}
	return b.String()
}
