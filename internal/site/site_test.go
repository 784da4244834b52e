package site

import (
	"fmt"
	"html"
	"html/template"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/wiki"
)

const sprite = `<svg><defs><symbol id="tip" viewBox="0 0 16 16"><path d="M0 0"/></symbol></defs></svg>`

// made collects the files of a site.
type made struct {
	*Site
	out map[string]string
}

// newSite plans a site of pages, by their names, and attachments with their contents.
func newSite(t testing.TB, home wiki.PageName, pages []Page, attachments map[string]string) *made {
	t.Helper()
	m := &made{out: map[string]string{}}
	o := Options{Name: "Ada's", Origin: "https://ada.example", Home: home, Made: time.Unix(0, 0), Assets: Assets{Icons: []byte(sprite)}}
	o.Emit = func(name string, _ time.Time, data []byte) error {
		if _, twice := m.out[name]; twice {
			t.Errorf("%s is written twice", name)
		}
		m.out[name] = string(data)
		return nil
	}
	var files []string
	for p := range attachments {
		files = append(files, p)
	}
	for i := range pages {
		pages[i].Path = pages[i].Name.File()
	}
	var err error
	m.Site, err = New(o, pages, files, func(p string) ([]byte, error) { return []byte(attachments[p]), nil })
	if err != nil {
		t.Fatal(err)
	}
	for p, data := range attachments {
		if err := m.WriteFile(p, time.Unix(0, 0), []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *made) page(t testing.TB, name, body string) {
	t.Helper()
	if err := m.WritePage(name+".md", Content{Title: wiki.Title(name), Body: template.HTML(body)}); err != nil {
		t.Fatal(err)
	}
}

func (m *made) finish(t testing.TB) {
	t.Helper()
	if _, err := m.Finish(); err != nil {
		t.Fatal(err)
	}
}

// The wiki's icon, accent color and footer are on every page, and work from a folder.
func TestLooksOfTheWiki(t *testing.T) {
	out := map[string]string{}
	o := Options{
		Name: "Ada's", Home: "Home", Lang: "de", Footer: `<p><a href="/Sub/Page">Kontakt</a> <a href="/Nobody">Niemand</a></p>`,
		Assets: Assets{Icons: []byte(sprite), Accent: []byte("@layer tokens{}"), Icon: []byte("\xff\xd8\xff JPEG")},
		Emit: func(name string, _ time.Time, data []byte) error {
			out[name] = string(data)
			return nil
		},
	}
	s, err := New(o, []Page{{Name: "Home", Path: "Home.md"}, {Name: "Sub/Page", Path: "Sub/Page.md"}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &made{s, out}
	m.page(t, "Home", "<p>x</p>")
	m.page(t, "Sub/Page", "<p>x</p>")
	m.finish(t)
	if out["-/accent.css"] != "@layer tokens{}" || out["-/icon.jpg"] == "" {
		t.Errorf("files: %q, %q", out["-/accent.css"], out["-/icon.jpg"])
	}
	for _, file := range []string{"Sub/Page.html", "-/search.html", "-/index.html"} {
		for _, want := range []string{`<link rel="stylesheet" href="../-/accent.css">`, `<link rel="icon" href="../-/icon.jpg">`, `<img src="../-/icon.jpg" alt=""`, `lang="de"`, `Kontakt</a>`} {
			if !strings.Contains(out[file], want) {
				t.Errorf("%s lacks %s", file, want)
			}
		}
	}
	if !strings.Contains(out["index.html"], `<aside class="foot own" aria-label="Footer of this wiki" lang="de"><p><a href="Sub/Page.html">Kontakt</a>`) {
		t.Error("the first page has no footer")
	}
}

func TestRelocate(t *testing.T) {
	m := newSite(t, "Home", []Page{{Name: "Home"}, {Name: "Sub/Page", Tags: []string{"a/b"}}, {Name: "Odd/100%_#1"}}, map[string]string{"Sub/Page/x.png": "png", "page.html": "<script>", "good.svg": `<svg xmlns="http://www.w3.org/2000/svg"/>`, "bad.svg": `<svg onload="x"/>`})
	for from, want := range map[string]string{
		`<a href="/Home">x</a>`:                                                     `<a href="../index.html">x</a>`,
		`<a href="/">x</a>`:                                                         `<a href="../index.html">x</a>`,
		`<a href="/Sub/Page#user-content-a">x</a>`:                                  `<a href="Page.html#user-content-a">x</a>`,
		`<a href="/Odd/100%25_%231">x</a>`:                                          `<a href="../Odd/100%25_%231.html">x</a>`,
		`<a href="/Sub">x</a>`:                                                      `<a href="../Sub.html">x</a>`,
		`<a class="red" href="/Nobody/edit" title="Nobody">x <b>y</b></a>`:          `<span class="red">x <b>y</b></span>`,
		`<a class="tag" href="/-/search?q=tag:a/b">#a/b</a>`:                        `<a class="tag" href="../-/tag/1.html">#a/b</a>`,
		`<a class="tag" href="/-/search?q=tag:none">#none</a>`:                      `<a class="tag" href="https://ada.example/-/search?q=tag:none">#none</a>`,
		`<a href="/-/index">x</a>`:                                                  `<a href="../-/index.html">x</a>`,
		`<a href="/Home/history">x</a>`:                                             `<a href="https://ada.example/Home/history">x</a>`,
		`<a href="#user-content-a">x</a>`:                                           `<a href="#user-content-a">x</a>`,
		`<a href="?a=b">x</a>`:                                                      `<span>x</span>`,
		`<a class="out" href="https://example.com/?a=1&amp;b" rel="noopener">x</a>`: `<a class="out" href="https://example.com/?a=1&amp;b" rel="noopener">x</a>`,
		`<img src="/Sub/Page/x.png" alt="a &quot;b&quot;" loading="lazy">`:          `<img src="Page/x.png" alt="a &#34;b&#34;" loading="lazy">`,
		`<img src="https://example.com/x.png" alt="x">`:                             `<img alt="x">`,
		`<img src="//example.com/x.png" srcset="/Sub/Page/x.png 2x">`:               `<img>`,
		`<video src="/Sub/Page/x.png" poster="https://example.com/">`:               `<video src="Page/x.png">`,
		`<img src="/good.svg"><img src="/bad.svg">`:                                 `<img src="../good.svg"><img src="../bad_svg.txt">`,
		`<a href="/page.html">x</a>`:                                                `<a href="../page_html.txt">x</a>`,
		`<svg class="icon"><use href="/-/static/icons.1.svg#tip"></use></svg>`:      `<svg class="icon"><svg viewBox="0 0 16 16" width="100%" height="100%"><path d="M0 0"/></svg></svg>`,
		`<p>a &lt;b&gt; &amp; c</p>`:                                                `<p>a &lt;b&gt; &amp; c</p>`,
	} {
		if got, _ := m.relocate("Sub/Page.html", template.HTML(from)); string(got) != want {
			t.Errorf("%s\nbecomes %s\nwant    %s", from, got, want)
		}
	}
	_, text := m.relocate("Sub/Page.html", `<h2>One <a class="anchor" href="#x" aria-label="Link">#</a></h2><p>two<br>three &amp; <a href="/Home">four</a></p><ul><li>five</li></ul>`)
	if want := "One two three & four five"; text != want {
		t.Errorf("text %q, want %q", text, want)
	}
}

var addresses = regexp.MustCompile(`\s(?:href|src|action)="([^"]*)"`)

// checkLinks checks that each link of each page leads to a file of the site.
func (m *made) checkLinks(t *testing.T) {
	t.Helper()
	for from, text := range m.out {
		if path.Ext(from) != ".html" {
			continue
		}
		for _, a := range addresses.FindAllStringSubmatch(text, -1) {
			u, err := url.Parse(html.UnescapeString(a[1]))
			if err != nil {
				t.Errorf("%s: %v", from, err)
				continue
			}
			if u.Scheme == "https" || u.Path == "" {
				continue
			}
			to := path.Join(path.Dir(from), u.Path)
			if _, ok := m.out[to]; !ok {
				t.Errorf("%s: %s leads to %s, which doesn't exist", from, a[1], to)
			}
		}
	}
}

func TestSiteLinks(t *testing.T) {
	names := []wiki.PageName{"Home", "index", "Index", "A/B/C", "A/B", "a:b?", "a:b?/c*", "Ünï/cödé", "100%_#1&'\"", "Con", "-/x", "-/index", "part/1", "tag", "Sub.html", "Sub"}
	for _, home := range []wiki.PageName{"Home", "index", "Missing", ""} {
		var pages []Page
		seen := map[string]bool{}
		for _, n := range names {
			if !seen[n.Key()] {
				seen[n.Key()] = true
				pages = append(pages, Page{Name: n, Tags: []string{"t", "x/y"}, From: []wiki.PageName{"Home", "A/B/C"}})
			}
		}
		m := newSite(t, home, pages, map[string]string{"index.html": "x", "A/B/C/x.png": "png", "a:b?/y.png": "png", "Sub.htm": "x", "Sub_htm.txt": "y", "index_html.txt": "z"})
		for _, p := range pages {
			body := ""
			for _, other := range pages {
				body += `<a href="` + html.EscapeString(other.Name.URL()) + `">x</a>`
			}
			m.page(t, string(p.Name), body+`<img src="`+html.EscapeString(wiki.PathURL("a:b?/y.png"))+`"><a href="/A">folder</a>`)
		}
		m.finish(t)
		m.checkLinks(t)
		for p, data := range map[string]string{"index.html": "x", "Sub.htm": "x", "Sub_htm.txt": "y", "index_html.txt": "z"} {
			if got := m.out[m.FileName(p)]; got != data {
				t.Errorf("%s has %q", p, got)
			}
		}
		if m.out["index.html"] == "" || !strings.Contains(m.out["index.html"], "<!doctype html>") {
			t.Errorf("home %q: no index.html", home)
		}
	}
}

// A wiki of thousands of pages, most of them in one folder, with one tag.
func TestLargeSite(t *testing.T) {
	const n = 2500
	pages := []Page{{Name: "Home"}}
	for i := range n {
		pages = append(pages, Page{Name: wiki.PageName(fmt.Sprintf("Notes/Page_%04d", i)), Tags: []string{"note"}})
	}
	m := newSite(t, "Home", pages, nil)
	m.page(t, "Home", "<p>home</p>")
	for i := range n {
		m.page(t, fmt.Sprintf("Notes/Page_%04d", i), fmt.Sprintf("<p>Words of page number%d</p>", i))
	}
	m.finish(t)
	m.checkLinks(t)
	largest := 0
	for name, text := range m.out {
		if strings.HasSuffix(name, ".html") {
			largest = max(largest, len(text))
		}
	}
	if largest > 150<<10 {
		t.Errorf("the largest page has %d bytes", largest)
	}
	for _, name := range []string{"Notes.html", "-/tag/1.html", "-/index.html"} {
		if !strings.Contains(m.out[name], `aria-label="Parts of this list"`) || strings.Contains(m.out[name], "Page 2400") {
			t.Errorf("%s isn't in parts", name)
		}
	}
	if page := m.out["Notes/Page_1234.html"]; !strings.Contains(page, `aria-current="page"`) || !strings.Contains(page, "2420 more") {
		t.Errorf("the tree of a page: %.3000s", page)
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"Hello, World-wide 2nd x":      "hello world wide 2nd x",
		"Élan ÀÉ straße ΟΔΟΣ":          "elan ae straße οδοσ",
		"東京の天気 ok":                     "東京 京の の天 天気 ok",
		"日":                            "日",
		"v2東京x":                        "v2 東京 x",
		strings.Repeat("a", 33) + " b": "b",
		"":                             "",
	} {
		var got []string
		eachWord(text, func(w string) { got = append(got, w) })
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The index stays within its memory: the text of further pages isn't in it.
func TestWordIndexIsBounded(t *testing.T) {
	x := newWordIndex()
	x.bytes = maxPostings + 1
	x.add("Title", []string{"tag"}, "text")
	if x.words["title"] == nil || x.words["tag"] == nil || x.words["text"] != nil {
		t.Errorf("words %v", x.words)
	}
	x = newWordIndex()
	for i := range 3000 {
		x.add(fmt.Sprint("page ", i), nil, fmt.Sprintf("word%d common", i))
	}
	seen := 0
	shards, err := x.write(func(_ int, script []byte) error {
		seen += strings.Count(string(script), ":[")
		if len(script) > 8*shardBytes {
			t.Errorf("a shard has %d bytes", len(script))
		}
		return nil
	})
	if err != nil || seen != len(x.words) || shards < 2 {
		t.Errorf("%d shards with %d of %d words, %v", shards, seen, len(x.words), err)
	}
}

// Attack: many attachments that get the same harmless name. Each search for a free
// number goes on where the last one ended.
func TestHarmlessNamesAreLinear(t *testing.T) {
	hostile.DoublePrepared(t, "attachments of one name", 4000, func(n int) func() int {
		files := map[string]string{}
		for i := range n {
			var name strings.Builder
			for bit := range 13 {
				name.WriteString([]string{"v.php.", "v_php."}[i>>bit&1])
			}
			files[name.String()+"png"] = ""
		}
		return func() int { return len(newSite(t, "Home", nil, files).out) }
	})
}
