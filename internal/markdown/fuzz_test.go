package markdown

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark/ast"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/wiki"
)

// fuzzSeeds are the golden pages, the examples of the specs, some XSS
// payloads and small hostile pages.
func fuzzSeeds(f *testing.F) []string {
	f.Helper()
	var list []string
	files, err := filepath.Glob("testdata/golden/*.md")
	if err != nil || len(files) == 0 {
		f.Fatal("no goldens", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, string(data))
	}
	for i, e := range examples(f, "testdata/commonmark/spec.json") {
		if i%5 == 0 {
			list = append(list, e.Markdown)
		}
	}
	for _, shape := range hostile.Pages {
		list = append(list, shape(60))
	}
	for i, p := range payloads() {
		if i%20 == 0 {
			list = append(list, p)
		}
	}
	return list
}

// FuzzRender: no panic and only allowed HTML, whether link targets exist or
// not.
func FuzzRender(f *testing.F) {
	for _, s := range fuzzSeeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		for _, w := range []*world{{all: true}, {pages: map[string]string{"A": source, "Page": source}}} {
			page, err := shared.Render(t.Context(), "ada", "Page", []byte(source), w)
			if err != nil && strings.Contains(err.Error(), "panic") {
				t.Fatal(err)
			}
			if err == nil {
				checkSafe(t, string(page.HTML))
				for _, p := range page.Props {
					for _, v := range p.Values {
						checkSafe(t, string(v))
					}
				}
			}
		}
	})
}

// FuzzRewriteLinks: renaming to the same name changes nothing; another
// rename changes only the targets.
func FuzzRewriteLinks(f *testing.F) {
	f.Add("a <a title='x' href=\"/Old_Page\">x</a>\n\n<div><img src=/Old_Page/>")
	f.Add("[]((\r)")
	for _, s := range fuzzSeeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		page := []byte(source)
		same := func(l wiki.Link, fragment string) (wiki.Link, string) { return l, fragment }
		if got, changed := RewriteLinks("Dir/Self", page, same); changed || !bytes.Equal(got, page) {
			t.Fatalf("%q became %q", source, got)
		}
		before := ExtractFacts("Dir/Self", page)
		if len(before.Links) == 0 || !wikiName(before.Links[0].Target) || before.Links[0].Kind == wiki.LinkTag {
			return
		}
		old := before.Links[0]
		old.Text = ""
		got, _ := RewriteLinks("Dir/Self", page, func(l wiki.Link, fragment string) (wiki.Link, string) {
			if l == old {
				l.Target = "New/Place"
			}
			return l, fragment
		})
		if a, b := tryParse("", page), tryParse("", got); (a == nil) != (b == nil) || a != nil && countNodes(a.root) != countNodes(b.root) {
			t.Fatalf("%q became %q, which has another structure", source, got)
		}
		if a, b := blankLines(page), blankLines(got); a != b && !linkAcrossLines.Match(page) && !hasNestedTargets(source) {
			t.Fatalf("%q became %q, which without targets is %q instead of %q", source, got, b, a)
		}
	})
}

// linkAcrossLines matches the start of a destination on a line of its own, of an
// HTML tag across lines, and of a widget whose lines are addresses.
var linkAcrossLines = regexp.MustCompile(`(?i)\{\{video|(\]\(|\]:|=)\s*[\r\n]|<[^>]*[\r\n]`)

// hasNestedTargets reports whether something that looks like a link has another one in
// its target, as in "]([](a)", so that it depends on other lines which of them is one.
func hasNestedTargets(source string) bool {
	for line := range strings.Lines(source) {
		_, targets := BlankTargets(line)
		for _, target := range targets {
			if strings.Contains(target, "](") || strings.Contains(target, "[[") || strings.Contains(target, "]:") || strings.Contains(target, "=") {
				return true
			}
		}
	}
	return false
}

func blankLines(source []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(source)) {
		blank, _ := BlankTargets(line)
		b.WriteString(blank)
	}
	return b.String()
}

func wikiName(s string) bool {
	_, err := wiki.ParsePageName(s)
	return err == nil
}

// FuzzSections: each line is in exactly one section, and a section with its
// subsections contains them.
func FuzzSections(f *testing.F) {
	for _, s := range fuzzSeeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		list := Sections([]byte(source))
		lines := max(1, strings.Count(source, "\n"))
		if source != "" && !strings.HasSuffix(source, "\n") {
			lines = strings.Count(source, "\n") + 1
		}
		next := 1
		for i, s := range list {
			if s.StartLine != next || s.EndLine < s.StartLine-1 || i > 0 && (s.EndLine < s.StartLine || len(s.Path) == 0) {
				t.Fatalf("%q: section %d of %+v", source, i, list)
			}
			next = s.EndLine + 1
			deep := s.EndLine
			for _, below := range list[i+1:] {
				if below.Level <= s.Level {
					break
				}
				if i > 0 && !slices.Equal(below.Path[:len(s.Path)], s.Path) {
					t.Fatalf("%q: %+v is not below %+v", source, below, s)
				}
				deep = below.EndLine
			}
			if s.DeepEnd != deep {
				t.Fatalf("%q: %+v ends at %d", source, s, deep)
			}
		}
		if next != lines+1 {
			t.Fatalf("%q has %d lines; sections end at %d: %+v", source, lines, next-1, list)
		}
		PlainText([]byte(source))
		if _, err := FrontMatter([]byte(source)); err != nil && err.Error() == "" {
			t.Fatal("an error without a message")
		}
	})
}

func countNodes(n ast.Node) int {
	count := 1
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		count += countNodes(c)
	}
	return count
}
