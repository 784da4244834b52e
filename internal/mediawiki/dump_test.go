package mediawiki

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"robot.wtf/internal/hostile"
)

const siteInfo = `<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">
  <siteinfo><sitename>Vogelwiki</sitename><base>https://vogel.example/index.php/Haupt_seite</base><case>first-letter</case>
    <namespaces><namespace key="-2" case="first-letter">Medium</namespace><namespace key="0" case="first-letter" /><namespace key="4">Vogelwiki</namespace>
    <namespace key="6">Datei</namespace><namespace key="14">Kategorie</namespace></namespaces></siteinfo>
`

func page(title, redirect string, revisions ...string) string {
	b := "  <page>\n    <title>" + title + "</title>\n    <ns>0</ns><id>1</id>\n"
	if redirect != "" {
		b += `    <redirect title="` + redirect + `" />`
	}
	return b + strings.Join(revisions, "") + "  </page>\n"
}

func revision(at, text string) string {
	return fmt.Sprintf("<revision><id>7</id><timestamp>%s</timestamp><contributor><username>A</username></contributor><model>wikitext</model><format>text/x-wiki</format><text bytes=\"5\" xml:space=\"preserve\">%s</text><sha1>x</sha1></revision>", at, text)
}

// readAll returns the pages of an export with their texts.
func readAll(export string) (pages []*Page, texts []string, site *Site, err error) {
	r := NewReader(strings.NewReader(export))
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return pages, texts, r.Site(), nil
		}
		if err != nil {
			return pages, texts, r.Site(), err
		}
		text, err := p.Text.Read(strings.NewReader(export))
		if err != nil {
			return pages, texts, r.Site(), err
		}
		pages, texts = append(pages, p), append(texts, text)
	}
}

func TestReader(t *testing.T) {
	export := siteInfo +
		page("Taube", "", revision("2020-01-01T00:00:00Z", "old"), revision("2024-01-01T00:00:00Z", "a &lt;b&gt; &amp;amp; &quot;x&quot; &#228;&nbsp;<!-- gone --><![CDATA[<raw>]]>"), revision("2022-01-01T00:00:00Z", "older")) +
		page("Tauben", "Taube", revision("2020-01-01T00:00:00Z", "#WEITERLEITUNG [[Taube#Arten &amp; Namen]]")) +
		page("Datei:Bild.png", "", revision("2020-01-01T00:00:00Z", "")) +
		page("Was once a redirect", "", revision("2020-01-01T00:00:00Z", "#REDIRECT [[Taube]]"), revision("2021-01-01T00:00:00Z", "text")) +
		page("Deleted", "", `<revision><timestamp>2020-01-01T00:00:00Z</timestamp><text deleted="deleted" /></revision>`) +
		"</mediawiki>\n"
	pages, texts, site, err := readAll(export)
	if err != nil || len(pages) != 5 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	if site.Name != "Vogelwiki" || site.Main != "Haupt seite" || site.ParseTitle("kategorie:tauben") != (Title{14, "Tauben"}) || site.ParseTitle("file:a_b.png") != (Title{6, "A b.png"}) || site.String(Title{4, "X"}) != "Vogelwiki:X" {
		t.Errorf("%+v", site)
	}
	if p := pages[0]; p.Title.Text != "Taube" || p.Redirect != "" || p.Revisions != 3 || p.Model != "wikitext" || texts[0] != `a <b> &amp; "x" ä&nbsp;<raw>` {
		t.Errorf("%+v %q", p, texts[0])
	}
	if pages[1].Redirect != "Taube#Arten & Namen" || pages[2].Title != (Title{6, "Bild.png"}) || pages[3].Redirect != "" || texts[3] != "text" || texts[4] != "" {
		t.Errorf("%+v %+v %+v", pages[1], pages[2], pages[3])
	}
}

// Attack: XML that expands, refers to files, nests without end or stops in the middle.
func TestReaderRefuses(t *testing.T) {
	whole := siteInfo + page("A", "", revision("2020", "text")) + "</mediawiki>"
	for name, export := range map[string]string{
		"document type":  `<!DOCTYPE mediawiki [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>` + whole,
		"external":       `<!DOCTYPE mediawiki SYSTEM "file:///etc/passwd">` + whole,
		"depth":          "<mediawiki>" + strings.Repeat("<a>", 1000),
		"long tag":       "<mediawiki><page " + strings.Repeat("a", 1<<20) + ">",
		"cut":            whole[:len(whole)-20],
		"cut in a text":  whole[:strings.Index(whole, "text</text>")+2],
		"wrong end":      strings.Replace(whole, "</page>", "</pages>", 1),
		"another format": "<html><body></body></html>",
		"element inside": strings.Replace(whole, "text</text>", "te<b>x</b>t</text>", 1),
		"nothing":        "",
	} {
		if _, _, _, err := readAll(export); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	entities := strings.Replace(whole, "text</text>", "&xxe; &#0; &#x110000; &#38;lt;</text>", 1)
	if _, texts, _, err := readAll(entities); err != nil || texts[0] != "&xxe; \uFFFD \uFFFD &lt;" {
		t.Errorf("entities: %q %v", texts, err)
	}
}

func TestReaderTakesLinearTime(t *testing.T) {
	for name, unit := range map[string]string{"open": "<a>", "ends": "</", "text": "x", "comments": "<!--", "sections": "<![CDATA[]]>", "marks": ">", "entities": "&#1", "attributes": "<a b='", "pages": page("A", "", revision("2020", "x"))} {
		t.Run(name, func(t *testing.T) {
			hostile.Double(t, name, 500_000, func(n int) int {
				pages, _, _, _ := readAll(siteInfo + strings.Repeat(unit, n/len(unit)))
				return len(pages)
			})
		})
	}
}

func TestIsExport(t *testing.T) {
	for head, want := range map[string]bool{
		siteInfo: true,
		"\uFEFF<?xml version='1.0'?>\n<!-- x -->\n<mediawiki>": true,
		"<?xml <?xml":       false,
		"# v2 git bundle\n": false,
		"":                  false,
	} {
		if got := IsExport([]byte(head)); got != want {
			t.Errorf("%.40q: %v", head, got)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(siteInfo + page("A", "B", revision("2020", "a &lt;b")) + "</mediawiki>"))
	f.Add([]byte("<mediawiki><!-- --><page><![CDATA[>]]></page></mediawiki>"))
	f.Fuzz(func(t *testing.T, export []byte) {
		r := NewReader(bytes.NewReader(export))
		for {
			p, err := r.Next()
			if err != nil {
				return
			}
			if p.Text.Offset < 0 || p.Text.Offset+p.Text.Size > int64(len(export)) {
				t.Fatalf("%+v of %d bytes", p.Text, len(export))
			}
			if _, err := p.Text.Read(bytes.NewReader(export)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
