package markdown

import (
	"context"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

// A world is a Resolver with page sources by name, and files.
type world struct {
	pages map[string]string
	all   bool // every target exists
	self  wiki.PageName
	asked []link
}

func (w *world) Resolve(_ context.Context, l wiki.Link, fragment string) Target {
	w.asked = append(w.asked, link{l, fragment})
	kind := l.Kind
	paths := l.Paths(w.self)
	name := strings.ReplaceAll(paths[0], " ", "_")
	for _, p := range paths {
		p = strings.ReplaceAll(p, " ", "_")
		if _, ok := w.pages[p]; ok {
			name = p
			break
		}
	}
	source, ok := w.pages[name]
	switch {
	case !ok && !w.all:
		return Target{URL: wiki.PathURL(name) + "/edit"}
	case strings.HasSuffix(name, ".png"), strings.HasSuffix(name, ".jpg"), w.all && !LooksLikeFile(name) && kind == wiki.LinkFile:
		return Target{URL: wiki.PathURL(name), Exists: true, Image: true}
	case kind == wiki.LinkFile || LooksLikeFile(name):
		return Target{URL: wiki.PathURL(name), Exists: true}
	}
	to := Target{URL: wiki.PathURL(name), Exists: true, Name: wiki.PageName(name)}
	if fragment != "" {
		to.URL += Anchor(fragment)
	}
	if kind == wiki.LinkEmbed {
		to.Source = Excerpt([]byte(source), fragment)
	}
	return to
}

// A detachedWorld is a world whose pages are shown outside of their wiki.
type detachedWorld struct{ *world }

func (detachedWorld) Detached() {}

// ListPages implements PageLister.
func (w *world) ListPages(below wiki.PageName, pattern string) (list []Target, more bool) {
	for _, name := range slices.Sorted(maps.Keys(w.pages)) {
		rest, ok := strings.CutPrefix(name, string(below)+"/")
		if matched, err := path.Match(pattern, rest); ok && err == nil && matched && !strings.Contains(name, ".") {
			list = append(list, Target{URL: wiki.PathURL(name), Exists: true, Name: wiki.PageName(name)})
		}
	}
	return list[:min(len(list), MaxListed)], len(list) > MaxListed
}

// ListFiles implements PageLister.
func (w *world) ListFiles(of wiki.PageName, pattern string) (list []Target, more bool) {
	for _, name := range slices.Sorted(maps.Keys(w.pages)) {
		rest, ok := strings.CutPrefix(name, string(of)+"/")
		if matched, err := path.Match(pattern, rest); ok && err == nil && matched && strings.Contains(rest, ".") {
			list = append(list, Target{URL: wiki.PathURL(name), Exists: true})
		}
	}
	return list, false
}

// QueryPages implements PageQuerier. Pages and values repeat the query, so hostile
// queries have hostile rows.
func (w *world) QueryPages(_ context.Context, q PageQuery) PageRows {
	if w.self == "" && !w.all {
		return PageRows{Bad: true, Note: "In where: " + q.Where + " is wrong."}
	}
	rows := PageRows{Total: 7, Note: q.Tag}
	for _, name := range []string{"Work/First_Plan", "Work/" + q.Where} {
		row := PageRow{Page: Target{URL: wiki.PathURL(name), Exists: true, Name: wiki.PageName(name)}}
		for _, key := range q.Show {
			row.Values = append(row.Values, []ListedValue{{Text: key}, {Text: q.Where, Link: Target{URL: "/Home", Exists: true}}, {Text: "https://x.example/" + key}})
		}
		if len(rows.Rows) < q.Limit {
			rows.Rows = append(rows.Rows, row)
		}
	}
	return rows
}

// ReadTable implements PageLister.
func (w *world) ReadTable(_ context.Context, l wiki.Link) ([]byte, bool) {
	for _, p := range l.Paths(w.self) {
		if text, ok := w.pages[p]; ok {
			return []byte(text), len(text) <= MaxTable
		}
	}
	return nil, false
}

// shared renders for tests of appearance, without a tight timeout.
var shared = rendererWithTimeout(time.Minute)

func rendererWithTimeout(patience time.Duration) *Renderer {
	r := New(Options{Icons: "/icons.svg", OutHosts: []string{"robot.example"}, Patience: patience})
	r.wait = max(20*patience, time.Minute) // patience is processor time, which others can have on a busy machine
	return r
}

// render returns the HTML of a page in a world where all targets exist.
func render(t testing.TB, source string) string {
	t.Helper()
	page, err := shared.Render(t.Context(), "ada", "Design/VPS", []byte(source), &world{all: true, self: "Design/VPS"})
	if err != nil {
		t.Fatalf("%v in %.200q", err, source)
	}
	return string(page.HTML)
}
