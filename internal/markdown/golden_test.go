package markdown

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenWorld is what the pages of testdata/golden can link to and embed.
var goldenWorld = map[string]string{
	"Home":         "# Welcome\n",
	"Design/Parts": "---\ntitle: Parts\n---\nThe lead.\n\n## To do\n\nOne[^1].\n\n### Soon\n\nTwo.\n\n## Done\n\nThree.\n\n[^1]: A note.\n",
	"Circle":       "Round and ![[Circle]]\n\n![[Design/Ring]]\n",
	"Design/Ring":  "The ring goes ![[Circle]]\n",
	"Nest":         "> ![[Home]]\n\n- ![[Home]]\n\n| a |\n|---|\n| ![[Home]] |\n",
	"Design/VPS":   "The page itself.\n\n## Own\n\nA part of itself.\n",
	"Blocks": "Text.\n\nA block with **bold**.\nTwo lines. ^one\n\n- item\n- second ^Two-2\n  - deeper ^deep\n- last\n\n| a |\n|---|\n| b |\n\n^table\n\n" +
		"> A quote.\n\n^quote\n\n# A\n\n## B\n\nunder A\n\n# C {#own}\n\n## B\n\nunder C\n\n%%hidden%%\n",
	"Design/VPS/Above":     "",
	"Design/VPS/Among":     "",
	"Design/VPS/Below/One": "",
	"Design/VPS/a.mp4":     "",
	"Design/VPS/c.csv":     "",
	"Design/VPS/d.csv":     "\ufeffName;Score;Note\r\nAda;3;\"a; \"\"b\"\"\nc\"\r\n\r\nBob;4\r\nEve;<b>5</b>;[[Home]];more\r\n",
	"Design/VPS/tabs.csv":  "1\t'a b'\n2\t'c\td'",
	"Node.js":              "",
	"Größe_und_Maß":        "",
	"Design/Other":         "",
	"picture.png":          "",
	"Design/VPS/a.png":     "",
	"Design/b.png":         "",
	"report.pdf":           "",
	"A_(b)":                "",
	"C++_&_\"quotes\"":     "",
}

// TestGolden renders testdata/golden/*.md as page Design/VPS. Review the
// results of -update by hand.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.md")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d goldens, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".md"), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := goldenText(t, source)
			golden := strings.TrimSuffix(file, ".md") + ".html"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
			if crlf := goldenText(t, []byte(strings.ReplaceAll(string(source), "\n", "\r\n"))); crlf != got {
				t.Errorf("with CRLF (-LF +CRLF):\n%s", cmp.Diff(got, crlf))
			}
		})
	}
}

// goldenText is the result of rendering a page, with its facts.
func goldenText(t *testing.T, source []byte) string {
	t.Helper()
	page, err := shared.Render(t.Context(), "ada", "Design/VPS", source, &world{pages: goldenWorld, self: "Design/VPS"})
	if err != nil {
		t.Fatal(err)
	}
	checkSafe(t, string(page.HTML))
	var b strings.Builder
	b.WriteString(string(page.HTML))
	note := func(format string, args ...any) { fmt.Fprintf(&b, "<!-- "+format+" -->\n", args...) }
	if page.Title != "" {
		note("title: %s", page.Title)
	}
	for _, p := range page.Props {
		for _, v := range p.Values {
			checkSafe(t, string(v))
		}
		note("property %s: %s", p.Key, p.Values)
	}
	for _, h := range page.Headings {
		note("heading %d %q #%s line %d", h.Level, h.Text, h.ID, h.Line)
	}
	if page.Math {
		note("math")
	}
	for _, n := range page.Notices {
		note("notice: %s", n)
	}
	facts := ExtractFacts("Design/VPS", source)
	for _, l := range facts.Links {
		written := l.Target
		if l.Label != "" {
			written += "|" + l.Label
		}
		if l.Address {
			written = "](" + written
		}
		note("link %s %q: %s", l.Kind, written, l.Text)
	}
	if facts.Title != page.Title || !cmp.Equal(facts.Tags, page.Tags) {
		t.Errorf("facts have title %q and tags %q, the page %q and %q", facts.Title, facts.Tags, page.Title, page.Tags)
	}
	return b.String()
}
