package markdown

import (
	"regexp"
	"strings"
	"testing"
)

func TestDirection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ source, want string }{
		{"Left to right.\n", "<p>Left to right.</p>"},
		{"محطة طقس\n", `<p dir="auto">محطة طقس</p>`},
		{"> > محطة\n", "<blockquote dir=\"auto\">\n<blockquote>\n<p>محطة</p>"},
		{"- אחת\n- two\n", "<ul dir=\"auto\">\n<li>אחת</li>"},
		{"# שלום\n", `<h1 dir="auto" id=`},
		{"| אחת |\n|---|\n| 1 |\n", `<div dir="auto" class="scroll"`},
		{"> [!NOTE]\n> שלום\n", `<bdi lang="en">Note</bdi>`},
		{"```\nשלום\n```\n", `<pre class="chroma"`},
		{"<p dir=\"rtl\">שלום</p>\n", `<p dir="rtl">שלום</p>`},
		{"[TOC]\n\nשלום\n\n## אחת\n\n[TOC]\n\n## שתיים\n", `dir="auto"`},
	} {
		html := render(t, test.source)
		if !strings.Contains(html, test.want) {
			t.Errorf("%q is\n%s, want %s", test.source, html, test.want)
		}
		if n := len(regexp.MustCompile(`(?m)^<ul class="outline">$`).FindAllString(html, -1)); n != strings.Count(test.source, "[TOC]") {
			t.Errorf("%q: %d lists of contents begin a line in\n%s", test.source, n, html)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"Plain words.\n":                       "",
		"---\nlang: de-AT\n---\n\nWörter.\n":   "de-at",
		"---\nlang: \"x y\"\n---\n\nWörter.\n": "",
		"محطة طقس في آخر الحديقة [[Home]]\n":   "ar",
		"این یک ایستگاه هواشناسی است که گزارش می\u200cدهد\n": "fa",
		"Погода в саду\n":                 "ru",
		"Погода в саду її\n":              "uk",
		"気象観測所のページです。\n":                  "ja",
		"气象站的页面\n":                        "zh",
		"날씨\n":                            "ko",
		"A page about the word погода.\n": "",
	} {
		page, err := shared.Render(t.Context(), "ada", "Page", []byte(source), &world{all: true, self: "Page"})
		if err != nil || page.Lang != want {
			t.Errorf("%q is in %q, want %q, %v", source, page.Lang, want, err)
		}
	}
}
