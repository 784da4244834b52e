package web

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// indexPage shows all pages: as a tree, by letter and by tag. It also lists wanted
// pages and pages without incoming links.
type indexPage struct {
	Frame
	Index *pages.Index
	List  *listPart // one of the lists; nil if all are on the page
}

func (h *Handler) showIndex(v *visit) error {
	index, err := h.o.Pages.Index(v.ctx(), v.a)
	if err != nil {
		return err
	}
	p := &indexPage{Frame: h.frame(v, "All pages"), Index: index}
	p.Pages = index.Pages
	if index.Pages > wholeIndex || v.query("by") != "" {
		p.List = v.indexPart(index)
	}
	return h.render(v, http.StatusOK, "index", p)
}

// healthPage lists pages that may need attention.
type healthPage struct {
	Frame
	Health *pages.Health
}

func (h *Handler) showHealth(v *visit) error {
	health, err := h.o.Pages.Health(v.ctx(), v.a)
	if err != nil {
		return err
	}
	p := &healthPage{Frame: h.frame(v, "Health of this wiki"), Health: health}
	p.NoIndex = true
	return h.render(v, http.StatusOK, "health", p)
}

// redirectHealth redirects An Otter Wiki's address of the health page.
func (h *Handler) redirectHealth(v *visit) error {
	return h.redirectWith(v, http.StatusFound, "/-/health")
}

// showAlive responds to An Otter Wiki's health check.
func (h *Handler) showAlive(v *visit) error {
	h.write(v, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
	return nil
}

// redirectAbout redirects to the front page of the platform.
func (h *Handler) redirectAbout(v *visit) error {
	return h.redirectWith(v, http.StatusFound, h.o.Platform+"/")
}

// redirectSettings redirects An Otter Wiki's addresses of preferences and users.
func (h *Handler) redirectSettings(v *visit) error {
	to := "/-/settings"
	if rest := v.param("rest"); strings.HasPrefix(rest, "user") || strings.HasPrefix(rest, "permissions") || strings.HasPrefix(v.r.URL.Path, "/-/user/") {
		to += "#members"
	}
	return h.redirectWith(v, http.StatusFound, to)
}

// redirectFormerSettings redirects the platform's former addresses of a wiki's
// settings. It does the same for wikis that don't exist.
func (h *Handler) redirectFormerSettings(v *visit) error {
	slug := v.param("slug")
	if err := wiki.CheckHost(slug); err != nil {
		return h.showNotFound(v)
	}
	to := "/-/settings"
	switch part, _, _ := strings.Cut(v.param("rest"), "/"); part {
	case "collaborators":
		to += "#members"
	case "mcp":
		to = "/-/connect"
	}
	return h.redirectWith(v, http.StatusFound, h.o.WikiOrigin(slug)+to)
}

// redirectFormerSignUp redirects the former address of the form for a username.
func (h *Handler) redirectFormerSignUp(v *visit) error {
	return h.redirectWith(v, http.StatusFound, "/app/create")
}

// helpPage is a summary of the Markdown and the keyboard shortcuts.
type helpPage struct{ Frame }

func (h *Handler) showHelp(v *visit) error {
	return h.render(v, http.StatusOK, "help", &helpPage{h.frame(v, "Help")})
}

// showRobots serves robots.txt. Private and nonexistent wikis get the same response.
func (h *Handler) showRobots(v *visit) error {
	body := "User-agent: *\nDisallow: /\n"
	if _, err := h.o.Tenant.Resolve(v.ctx(), v.slug, wiki.Caller{}); err == nil {
		body = "User-agent: *\nDisallow: /-/\n"
		for _, part := range []string{"static", "accent", "icon", "card"} { // parts of pages, and of links to them
			body += "Allow: /-/" + part + "/\n"
		}
		for _, action := range wiki.Actions {
			if action != "a" && action != "t" {
				body += "Disallow: /*/" + action + "\n"
			}
		}
		body += "Disallow: /*?revision=\nSitemap: " + h.home(v) + "/sitemap.xml\n"
	}
	h.write(v, http.StatusOK, "text/plain; charset=utf-8", []byte(body))
	return nil
}

// sitemap is one of the wiki's sitemaps (sitemaps.org).
type sitemap struct {
	XMLName xml.Name     `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
	URLs    []sitemapURL `xml:"url"`
}

// sitemapIndex lists the sitemaps of a large wiki.
type sitemapIndex struct {
	XMLName  xml.Name     `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 sitemapindex"`
	Sitemaps []sitemapURL `xml:"sitemap"`
}

type sitemapURL struct {
	Loc     string `xml:"loc"`
	LastMod string `xml:"lastmod,omitempty"`
}

func (u sitemapURL) size() int {
	return len("<url><loc></loc><lastmod></lastmod></url>") + len(u.Loc) + len(u.LastMod)
}

func (h *Handler) showSitemap(v *visit) error {
	entries, err := h.o.Pages.List(v.ctx(), v.a, pages.ListFilter{})
	if err != nil {
		return err
	}
	var urls []sitemapURL
	for _, e := range entries {
		urls = append(urls, sitemapURL{h.home(v) + e.Name.URL(), e.Modified.UTC().Format(time.RFC3339)})
	}
	starts := partStarts(urls, sitemapURL.size, maxTextPart)
	if len(starts) > 1 && v.query("part") == "" {
		var index sitemapIndex
		for i := range starts {
			index.Sitemaps = append(index.Sitemaps, sitemapURL{Loc: fmt.Sprintf("%s/sitemap.xml?part=%d", h.home(v), i+1)})
		}
		return h.writeXML(v, "application/xml; charset=utf-8", index)
	}
	part, _ := partOf(urls, starts, v.listNumber())
	return h.writeXML(v, "application/xml; charset=utf-8", sitemap{URLs: part})
}

func (h *Handler) writeXML(v *visit, kind string, doc any) error {
	body, err := xml.Marshal(doc)
	if err != nil {
		return fmt.Errorf("web: encode xml: %w", err)
	}
	h.write(v, http.StatusOK, kind, append([]byte(xml.Header), body...))
	return nil
}

// showLLMs lists the wiki for language models (llmstxt.org): each page by the
// address of its Markdown.
func (h *Handler) showLLMs(v *visit) error {
	entries, err := h.o.Pages.List(v.ctx(), v.a, pages.ListFilter{})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	h.llmsHead(&b, v)
	b.WriteString("## Pages\n\n")
	lines := make([]string, len(entries))
	for i, e := range entries {
		lines[i] = fmt.Sprintf("- [%s](%s%s.md)", linkText(wiki.Title(string(e.Name))), h.home(v), e.Name.URL())
		if len(e.Tags) > 0 {
			lines[i] += ": " + strings.Join(e.Tags, ", ")
		}
	}
	starts := partStarts(lines, func(s string) int { return len(s) + 1 }, maxTextPart)
	part, at := partOf(lines, starts, v.listNumber())
	for _, line := range part {
		b.WriteString(line + "\n")
	}
	if at < len(starts) {
		fmt.Fprintf(&b, "\nPart %d of %d. The next: %s/llms.txt?part=%d\n", at, len(starts), h.home(v), at+1)
	}
	h.write(v, http.StatusOK, "text/plain; charset=utf-8", b.Bytes())
	return nil
}

func (h *Handler) llmsHead(b *bytes.Buffer, v *visit) {
	site := v.a.Site()
	fmt.Fprintf(b, "# %s\n\n", site.Name())
	if site.Description != "" {
		fmt.Fprintf(b, "> %s\n\n", site.Description)
	}
	fmt.Fprintf(b, "A wiki at %s. Each page is Markdown at its address with `.md`, or with `Accept: text/markdown`.\n\n", h.home(v))
}

// linkEscapes are for characters that would end a link's text.
var linkEscapes = strings.NewReplacer("[", `\[`, "]", `\]`, "\\", `\\`)

func linkText(title string) string { return linkEscapes.Replace(title) }

// maxFullPart bounds a part of /llms-full.txt, in bytes, unless one page is larger: about
// 250,000 tokens.
const maxFullPart = 1 << 20

// showLLMsFull serves the text of all pages, in parts.
func (h *Handler) showLLMsFull(v *visit) error {
	entries, err := h.o.Pages.List(v.ctx(), v.a, pages.ListFilter{})
	if err != nil {
		return err
	}
	starts := partStarts(entries, func(e pages.Entry) int { return int(e.Size) + 100 + len(e.Name.URL()) }, maxFullPart)
	part, at := partOf(entries, starts, v.listNumber())
	var b bytes.Buffer
	h.llmsHead(&b, v)
	for _, e := range part {
		p, err := h.o.Pages.Page(v.ctx(), v.a, string(e.Name), "")
		if err != nil {
			continue // deleted since the list was read
		}
		fmt.Fprintf(&b, "\n\n<!-- %s%s -->\n\n", h.home(v), e.Name.URL())
		b.Write(p.Source)
	}
	if at < len(starts) {
		fmt.Fprintf(&b, "\n\nPart %d of %d. The next: %s/llms-full.txt?part=%d\n", at, len(starts), h.home(v), at+1)
	}
	h.write(v, http.StatusOK, "text/plain; charset=utf-8", b.Bytes())
	return nil
}
