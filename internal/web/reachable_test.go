package web

import (
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/api"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/server"
	"robot.wtf/internal/wiki"
)

// oddNames are names of files in a repository that wikis can't create, or that are
// hard to address.
var oddNames = []string{
	// With the addresses of the service, of actions, and of other pages.
	"git.md", "git/history.md", "guide/delete.md", "x/edit/y.md", "t/a.md", "history.md", "view/x.md", "Actions/view/x.md", "Actions/edit.md",
	"api/x.md", "mcp.md", "-/x.md", "-.md", "robots.txt.md", "llms.txt.md", "sitemap.xml.md", "token.md", "static/page.md", "repo.git/x.md",
	"LICENSE", "LICENSE.md", "logo.png.md", "logo.png",
	// With other endings.
	"README.MD", "docs/Guide.markdown", "docs/guide.md", "Doubled.md.md", "Doubled.md", "folder.md/page.md", "Twice.md.MD", "UPPER.MARKDOWN",
	// With other characters.
	`back\slash.md`, "ctl\x01.md", "pct%0A.md", "pct%255C.md", "100%.md", "100%25.md", "x?y#z.md", "C++.md", "it's.md", `quote".md`, "a&b<c>.md", "semi;colon.md",
	"plus+ and space.md", " lead.md", "trail .md", "_.md", "__/_.md", "emoji 👩\u200d🚀.md", "nfd e\u0301.md", "zero\u200bwidth.md", "[x](y).md", "a:b.md", "Ünï/Çode.md",
	strings.Repeat("long ", 45) + ".md", strings.Repeat("deep folder/", 20) + "end.md",
}

// importOdd imports a repository with the odd names into the wiki "dan". The text of
// each has a word of its own.
func importOdd(t *testing.T, w *testWiki) (*browser, pages.ImportResult) {
	t.Helper()
	files := map[string]string{}
	for i, name := range oddNames {
		files[name] = fmt.Sprintf("uniqueword%d\n", i)
	}
	return importFiles(t, w, files)
}

// importFiles imports a repository with some files into the new wiki "dan", and
// returns its owner's browser.
func importFiles(t *testing.T, w *testWiki, files map[string]string) (*browser, pages.ImportResult) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repository")
	git := func(stdin string, args ...string) {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin = filepath.Dir(dir), strings.NewReader(stdin)
		cmd.Env = append(cmd.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	in := "commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"
	for name, text := range files {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x01", `\001`).Replace(name)
		in += fmt.Sprintf("M 100644 inline \"%s\"\ndata %d\n%s\n", quoted, len(text), text)
	}
	git("", "init", "-q", "-b", "main", dir)
	git(in, "-C", dir, "fast-import", "--quiet")
	git("", "-C", dir, "bundle", "create", "-q", dir+".bundle", "--all")
	bundle, err := os.Open(dir + ".bundle")
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	b := w.freshWiki("dan")
	if len(files) > 400 {
		if err := w.Store.SetLimits(t.Context(), "operator", "dan", wiki.Limits{Pages: 10_000}); err != nil {
			t.Fatal(err)
		}
	}
	a := w.Access("dan", "dan")
	u, err := w.Pages.Receive(t.Context(), a, bundle, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	done, err := w.Pages.Import(t.Context(), a, u, pages.ImportRequest{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b, done
}

var hrefForm = regexp.MustCompile(`href="(/[^"]*)"`)

// hrefs returns the addresses of links in a part of a page.
func hrefs(page, from, to string) (list []string) {
	_, part, _ := strings.Cut(page, from)
	part, _, _ = strings.Cut(part, to)
	for _, m := range hrefForm.FindAllStringSubmatch(part, -1) {
		list = append(list, html.UnescapeString(m[1]))
	}
	return list
}

// Whatever the names in a repository are, each page opens from the tree, the index,
// the sitemap, llms.txt, search and the API, and each file by its address.
func TestImportedNamesOpen(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b, done := importOdd(t, w)
	if len(done.Renamed) < 20 || slices.ContainsFunc(done.Renamed, func(s string) bool { return strings.HasPrefix(s, "static/") || strings.HasPrefix(s, "it's") }) {
		t.Errorf("renamed:\n%s", strings.Join(done.Renamed, "\n"))
	}
	pageCount := len(oddNames) - 2 // two are other files
	if done.Pages != pageCount {
		t.Errorf("%d pages, want %d", done.Pages, pageCount)
	}
	wordForm := regexp.MustCompile(`uniqueword[0-9]+`)
	opens := func(where string, addresses []string) {
		t.Helper()
		found := map[string]bool{}
		for _, at := range addresses {
			a := b.get(on("dan", at))
			if a.status != http.StatusOK {
				t.Errorf("%s: %s answers %d, to %q", where, at, a.status, a.header.Get("Location"))
				continue
			}
			_, main, _ := strings.Cut(a.body, "<article")
			main, _, _ = strings.Cut(main, "</article>")
			if strings.HasSuffix(at, ".md") && !strings.Contains(a.body, "<article") {
				main = a.body
			}
			if word := wordForm.FindString(main); word != "" {
				found[word] = true
			}
		}
		if len(found) != pageCount {
			t.Errorf("%s: leads to %d of %d pages", where, len(found), pageCount)
		}
	}
	index := b.get(on("dan", "/-/index")).want(http.StatusOK).body
	opens("index", hrefs(index, `aria-label="Tree"`, "</section>"))
	opens("A to Z", hrefs(index, `aria-label="A to Z"`, "</section>"))

	// The tree beside a page lists only open folders; follow it down.
	seen, queue := map[string]bool{}, []string{"/git"}
	for len(queue) > 0 {
		a := b.get(on("dan", queue[0]))
		queue = queue[1:]
		for _, at := range hrefs(a.body, `<nav class="tree"`, "</nav>") {
			if !seen[at] && !strings.HasPrefix(at, "/-/") {
				seen[at] = true
				queue = append(queue, at)
			}
		}
	}
	var tree []string
	for at := range seen {
		tree = append(tree, at)
	}
	opens("tree", tree)

	var sitemap []string
	for _, m := range regexp.MustCompile(`<loc>([^<]*)</loc>`).FindAllStringSubmatch(b.get(on("dan", "/sitemap.xml")).want(http.StatusOK).body, -1) {
		sitemap = append(sitemap, strings.TrimPrefix(html.UnescapeString(m[1]), testOrigin("dan")))
	}
	opens("sitemap", sitemap)
	var llms []string
	for _, m := range regexp.MustCompile(`\]\(`+testOrigin("dan")+`([^)\s]*)\)`).FindAllStringSubmatch(b.get(on("dan", "/llms.txt")).want(http.StatusOK).body, -1) {
		llms = append(llms, m[1])
	}
	opens("llms.txt", llms)
	var search []string
	for i := range oddNames {
		page := b.get(on("dan", fmt.Sprintf("/-/search?q=uniqueword%d", i))).want(http.StatusOK).body
		if list := hrefs(page, `<ol`, "</ol>"); len(list) > 0 {
			search = append(search, list[0])
		}
	}
	opens("search", search)
	apiOpens(t, w, pageCount)
}

// apiOpens reads each page that the API lists.
func apiOpens(t *testing.T, w *testWiki, pageCount int) {
	t.Helper()
	get := w.apiGet(t)
	var list struct{ Pages []struct{ Path string } }
	get("/api/v1/pages", &list)
	texts := map[string]bool{}
	for _, p := range list.Pages {
		var page struct{ Content string }
		get("/api/v1/pages/"+(&url.URL{Path: p.Path}).EscapedPath(), &page)
		texts[page.Content] = true
	}
	if len(texts) != pageCount {
		t.Errorf("the API lists %d of %d pages", len(texts), pageCount)
	}
}

// apiGet returns a function that reads from the API as the owner of the wiki "dan".
func (w *testWiki) apiGet(t *testing.T) func(path string, into any) {
	t.Helper()
	token, _, err := w.Session.NewToken(t.Context(), w.Access("dan", "dan"), "test", wiki.ModeRead)
	if err != nil {
		t.Fatal(err)
	}
	door := api.New(api.Options{Pages: w.Pages, Tenant: w.Tenant, Session: w.Session, OAuth: w.OAuth, WikiOrigin: testOrigin, Now: w.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	handler := server.New(server.Options{
		Host: "robot.localhost", Platform: http.NotFound, API: door.ServeWiki, Manage: door.ServePlatform,
		Wiki: func(rw http.ResponseWriter, r *http.Request, _ string) { http.NotFound(rw, r) }, Log: slog.New(slog.DiscardHandler),
	})
	return func(path string, into any) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, on("dan", path), nil)
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, rec.Code, rec.Body)
			return
		}
		if err := json.Unmarshal(rec.Body.Bytes(), into); err != nil {
			t.Error(err)
		}
	}
}

// Attack: a name whose key is a page's led from its address to the home page.
func TestUppercaseEndingDoesNotLeadHome(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b, _ := importOdd(t, w)
	for _, at := range []string{"/README", "/UPPER", "/readme", "/upper", "/README.MD"} {
		a := b.get(on("dan", at))
		if to := a.header.Get("Location"); to == "/" || a.status != http.StatusOK && b.follow(a).status != http.StatusOK {
			t.Errorf("%s: %d, to %q", at, a.status, to)
		}
	}
}

// The root of a wiki without a page Home shows its README.
func TestReadmeIsHome(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b, done := importOdd(t, w)
	if !done.HasHome {
		t.Error("an import with a README has no home page")
	}
	a := b.get(on("dan", "/")).want(http.StatusOK)
	a.has("uniqueword", `<link rel="canonical" href="`+testOrigin("dan")+`/">`)
	if first := hrefs(a.body, `<nav class="tree"`, "</nav>"); len(first) == 0 || first[0] != "/README" {
		t.Errorf("the tree begins with %q", first[:min(3, len(first))])
	}
}

// Links keep leading to files that an import gave another name.
func TestLinksToRenamedFiles(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b, _ := importFiles(t, w, map[string]string{
		"Home.md":             "[a](docs/Guide.markdown) [b](README.MD) [c](git/history.md) ![d](api/x.png) [e](guide/delete.md#part)\n",
		"docs/Guide.markdown": "x\n", "README.MD": "x\n", "git/history.md": "x\n", "api/x.png": "x", "guide/delete.md": "# Part\n",
	})
	page := b.get(on("dan", "/Home")).want(http.StatusOK)
	_, page.body, _ = strings.Cut(page.body, "<article")
	page.has(`href="/docs/Guide">a`, `href="/README">b`, `href="/git/History">c`, `src="/Api/x.png"`, `href="/guide/Delete#user-content-part">e`).lacks(`class="red"`)
	b.get(on("dan", "/docs/Guide")).want(http.StatusOK).has("Linked from")
}
