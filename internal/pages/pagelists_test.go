package pages

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// shown returns the body of a page from both caches and freshly rendered, which must be
// the same.
func (w *world) shown(name string) string {
	w.t.Helper()
	v, err := w.View(w.t.Context(), w.reader, name, "")
	w.must(err)
	fresh, err := w.Preview(w.t.Context(), w.editor, name, v.Source)
	w.must(err)
	if v.Body != fresh.Body {
		w.t.Errorf("%s is cached as\n%s\nbut is now\n%s", name, v.Body, fresh.Body)
	}
	return string(v.Body)
}

func TestPageLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Work/A", "---\nstatus: draft\ndue: 2026-12-09\nlead: \"[[Eve|E]]\"\n---\n#x")
	w.put("Work/Deep_Dive/B_b", "---\nstatus: Draft\nsite: https://b.example/x\n---\n")
	w.put("Eve", "---\nstatus: done\n---\n")
	w.put("List", "::: pages where: status = draft, show: status, due, lead, site, updated\n")
	for _, want := range []string{
		`<tr><td><a href="/Work/A">Work/A</a></td><td>draft</td><td>2026-12-09</td><td><a href="/Eve">E</a></td><td></td><td>2026-11-01</td></tr>`,
		`<a href="/Work/Deep_Dive/B_b">Work/Deep Dive/B b</a></td><td>Draft</td><td></td><td></td><td><a href="https://b.example/x" class="out" rel="nofollow ugc noopener">`,
	} {
		if got := w.shown("List"); !strings.Contains(got, want) {
			t.Errorf("%s\nhas no %s", got, want)
		}
	}
	for block, want := range map[string]string{
		"folder: work":           "<ul>\n<li><a href=\"/Work/A\">A</a></li>\n<li><a href=\"/Work/Deep_Dive/B_b\">Deep Dive/B b</a></li>\n</ul>",
		"folder: Work/Deep Dive": "<ul>\n<li><a href=\"/Work/Deep_Dive/B_b\">B b</a></li>\n</ul>",
		"tag: x":                 "<ul>\n<li><a href=\"/Work/A\">Work/A</a></li>\n</ul>",
		"where: status exists, sort: -status, limit: 1": "<li><a href=\"/Work/A\">Work/A</a></li>\n</ul>\n<p><small>Showing 1 of 3 pages.",
		"where: status = none":                          "<p><small>No pages match.</small></p>",
		"where: stats = draft":                          "No page&#39;s front matter has stats.",
		"where: status ~ draft":                         "<figcaption>In where, at character 8: expected an operator after the key, found &#34;~&#34;. Write key = value",
	} {
		w.put("Other", "::: pages "+block+"\n")
		if got := w.shown("Other"); !strings.Contains(got, want) {
			t.Errorf("%s:\n%s", block, got)
		}
	}
}

// The list is never stale, whatever changes it.
func TestPageListsFollowTheWiki(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("List", "::: pages where: status = draft, show: status, lead\n")
	w.put("Embedding", "![[List]]\n")
	steps := []struct {
		change func()
		want   string
	}{
		{func() {}, "No pages match"},
		{func() { w.put("A", "---\nstatus: draft\nlead: \"[[B]]\"\n---\n") }, `<td>B</td>`},
		{func() { w.put("B", "no front matter") }, `<a href="/B">B</a>`},
		{func() { w.put("A", "---\nstatus: Draft\nlead: \"[[B]]\"\n---\n") }, "<td>Draft</td>"},
		{func() { w.rename("A", "C") }, `<a href="/C">C</a>`},
		{func() { w.put("C", "---\nstatus: done\n---\n") }, "No pages match"},
		{func() { w.put("C", "---\nstatus: draft\n---\n") }, "/C"},
		{func() { w.remove("C") }, "No pages match"},
	}
	state, err := w.State(w.t.Context(), w.reader)
	w.must(err)
	before := ""
	v, err := w.View(w.t.Context(), w.reader, "List", "")
	w.must(err)
	for i, step := range steps {
		step.change()
		same, _, err := w.IsCurrent(w.t.Context(), w.reader, v.Basis, state)
		w.must(err)
		state, err = w.State(w.t.Context(), w.reader)
		w.must(err)
		for _, page := range []string{"List", "Embedding"} {
			if got := w.shown(page); !strings.Contains(got, step.want) {
				t.Errorf("step %d: %s is\n%s", i, page, got)
			}
		}
		v, err = w.View(w.t.Context(), w.reader, "List", "")
		w.must(err)
		if changed := string(v.Body) != before; i > 0 && same == changed {
			t.Errorf("step %d: same %v, changed %v", i, same, changed)
		}
		before = string(v.Body)
	}
}

// A page as large as the ones that are worked on one at a time lists pages that aren't
// indexed yet, and so waits for work of the same kind.
func TestPageListInALargePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	large := strings.Repeat("Words of a large page.\n\n", 1500)
	w.put("List", "::: pages where: status = draft\n\n"+large)
	for i := range 3 {
		w.put(fmt.Sprint("Page", i), "---\nstatus: draft\n---\n"+large)
		if got := w.shown("List"); strings.Count(got, `href="/Page`) != i+1 {
			t.Errorf("after %d pages: %.300s", i+1, got)
		}
	}
	if site := w.unzipped(ExportSite); !strings.Contains(site[w.site.Slug+"/List.html"], `href="Page2.html"`) {
		t.Errorf("exported: %.3000s", site[w.site.Slug+"/List.html"])
	}
}

// Attack: a page lists the pages of another wiki, more of its own than anybody reads, or
// more often than one query is worth.
func TestPageListsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.another("other", wiki.DefaultLimits)
	other.put("Secret", "---\nstatus: secret\n---\n")
	for i := range 30 {
		w.put(fmt.Sprintf("Page%02d", i), "---\nlong: ["+strings.Repeat(`"`+strings.Repeat("x", 490)+`",`, 30)+"]\n---\n")
	}
	w.put("List", strings.Repeat("::: pages where: status = secret\n\n", 12)+"::: pages folder: ../other\n\n::: pages folder: /, where: title = Secret\n")
	got := w.shown("List")
	if strings.Contains(got, `href="/Secret"`) || strings.Count(got, "No pages match") != 10 || strings.Count(got, "Only the first 10 lists") != 4 {
		t.Error(got)
	}
	w.put("List", "::: pages show: long, sort: long\n")
	w.shown("List")
	if v, err := w.View(w.t.Context(), w.reader, "List", ""); err != nil || strings.Count(string(v.Body), strings.Repeat("x", 200)) != 30*maxListedValues || strings.Contains(string(v.Body), strings.Repeat("x", 201)) {
		t.Errorf("%v, %d bytes", err, len(v.Body))
	}
	began := time.Now()
	if w.put("List", "::: pages where: "+strings.Repeat("(", 900)+"\n"); time.Since(began) > 10*time.Second {
		t.Error("slow")
	}
}
