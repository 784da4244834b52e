package web

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/slow"
)

// maxPage is the largest page of a large wiki, in bytes.
const maxPage = 150_000

// manyPages are n pages: a third at the root, a third in one folder, and a third in
// folders of 20. Each links to a missing page.
func manyPages(n int) map[string]string {
	files := map[string]string{"Home.md": "Home\n"}
	for i := range n {
		text := fmt.Sprintf("Text %d, see [[Missing %d]]. #tag%d\n", i, i, i%500)
		name := fmt.Sprintf("Ein Name von üblicher Länge %d.md", i)
		switch i % 3 {
		case 1:
			name = "Große Mappe/" + name
		case 2:
			name = fmt.Sprintf("Projects/%03d/%s", i/60, name)
		}
		files[name] = text
	}
	return files
}

// The lists of a large wiki come in parts of at most 150 kB, without script, and
// together they lead to every page.
func TestLargeWiki(t *testing.T) {
	t.Parallel()
	n := 1200
	if slow.Enabled() {
		n = 6500
	}
	w := newTestWiki(t)
	b, _ := importFiles(t, w, manyPages(n))
	largest, sizes := "", map[string]int{}
	get := func(at string) string {
		t.Helper()
		body := b.get(on("dan", at)).want(http.StatusOK).body
		sizes[at] = len(body)
		if len(body) > maxPage {
			t.Errorf("%s has %d bytes", at, len(body))
		}
		if len(body) > sizes[largest] {
			largest = at
		}
		return body
	}
	next := regexp.MustCompile(`rel="next" href="([^"]*)"`)
	all := func(at string) string {
		t.Helper()
		whole := ""
		for range 100 {
			body := get(at)
			_, main, _ := strings.Cut(body, "<main")
			whole += main
			m := next.FindStringSubmatch(body)
			if m == nil {
				return whole
			}
			at = html.UnescapeString(m[1])
		}
		t.Fatalf("%s has no end", at)
		return ""
	}
	name := regexp.MustCompile(`href="/[^"]*%C3%BCblicher_L%C3%A4nge_[0-9]+"|href="/[^"]*%C3%BCblicher%20L%C3%A4nge%20[0-9]+"`)
	count := func(text string, form *regexp.Regexp) int {
		found := map[string]bool{}
		for _, s := range form.FindAllString(text, -1) {
			found[s] = true
		}
		return len(found)
	}
	if got := count(all("/-/index?by=name"), name); got != n {
		t.Errorf("A to Z leads to %d of %d pages", got, n)
	}
	tree := all("/-/index")
	for _, folder := range regexp.MustCompile(`href="(/-/index\?in=[^"]*)"`).FindAllStringSubmatch(tree, -1) {
		level := all(html.UnescapeString(folder[1]))
		tree += level
		for _, below := range regexp.MustCompile(`href="(/-/index\?in=Projects%2F[^"]*)"`).FindAllStringSubmatch(level, -1) {
			tree += all(html.UnescapeString(below[1]))
		}
	}
	if got := count(tree, name); got != n {
		t.Errorf("the tree leads to %d of %d pages", got, n)
	}
	if got := count(all("/-/index?by=orphans"), name); got != n {
		t.Errorf("%d pages without incoming links, want %d", got, n)
	}
	all("/-/index?by=wanted")
	all("/-/index?by=tags")
	all("/Gro%C3%9Fe%20Mappe")
	all("/Projects")
	for _, at := range []string{"/-/health", "/", "/Projects/003", "/Nothing", "/-/index?part=999", "/-/index?in=Nothing"} {
		if at == "/Nothing" {
			if got := len(b.get(on("dan", at)).want(http.StatusNotFound).body); got > maxPage {
				t.Errorf("%s has %d bytes", at, got)
			}
			continue
		}
		get(at)
	}
	maps := ""
	for _, m := range regexp.MustCompile(`<loc>[^<]*(/sitemap\.xml\?part=[0-9]+)</loc>`).FindAllStringSubmatch(get("/sitemap.xml"), -1) {
		maps += get(m[1])
	}
	if got := count(maps, regexp.MustCompile(`<url><loc>[^<]*</loc>`)); got != n+1 {
		t.Errorf("the sitemaps have %d of %d pages", got, n+1)
	}
	llms := get("/llms.txt")
	for m := []string{"", "2"}; m != nil; {
		part := get("/llms.txt?part=" + m[1])
		llms += part
		m = regexp.MustCompile(`The next: [^\s]*part=([0-9]+)`).FindStringSubmatch(part)
	}
	if got := count(llms, regexp.MustCompile(`(?m)^- \[[^\]]*\]`)); got < n-n/3 {
		t.Errorf("llms.txt has %d of %d pages", got, n)
	}
	full, parts := "", 0
	for m := []string{"", "1"}; m != nil; parts++ {
		part := b.get(on("dan", "/llms-full.txt?part="+m[1])).want(http.StatusOK).body
		if full += part; len(part) > maxFullPart+200 {
			t.Errorf("part %s of llms-full.txt has %d bytes", m[1], len(part))
		}
		m = regexp.MustCompile(`The next: [^\s]*/llms-full.txt\?part=([0-9]+)`).FindStringSubmatch(part)
	}
	if got := strings.Count(full, "see [[Missing "); got != n || slow.Enabled() && parts < 2 {
		t.Errorf("llms-full.txt has %d of %d pages in %d parts", got, n, parts)
	}
	t.Logf("the largest of %d pages: %s with %d bytes", len(sizes), largest, sizes[largest])
}

// The index of a large wiki costs under 100 ms of processor time after a new page, which
// changes where links lead.
func TestIndexAfterNewPage(t *testing.T) {
	slow.Test(t)
	w := newTestWiki(t)
	b, _ := importFiles(t, w, manyPages(6500))
	b.get(on("dan", "/-/index")).want(http.StatusOK)
	best := time.Hour
	for i := range 5 {
		w.put("dan", fmt.Sprintf("Missing %d", i), "no longer")
		best = min(best, hostile.Measure(func() int { return len(b.get(on("dan", "/-/index")).want(http.StatusOK).body) }).CPU)
	}
	if t.Logf("%v", best); best > 100*time.Millisecond {
		t.Errorf("the index took %v", best)
	}
}
