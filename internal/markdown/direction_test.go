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

// A page's own language counts before the wiki's, and the wiki's before a guess from the
// script, unless the text can't be in it.
func TestLanguageInAWiki(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ source, wiki, want string }{
		{"Plain words.\n", "", ""},
		{"Plain words.\n", "de", "de"},
		{"Plain words.\n", "pt-br", "pt-br"},
		{"Plain words.\n", "ar", ""},
		{"12.5 %\n", "de", "de"},
		{"---\nlang: fr\n---\n\nDes mots.\n", "de", "fr"},
		{"---\nlang: he\n---\n\nWords.\n", "de", "he"},
		{"Погода в саду\n", "de", "ru"},
		{"Погода в саду\n", "bg", "bg"},
		{"محطة طقس في آخر الحديقة [[Home]]\n", "ur", "ur"},
		{"محطة طقس Weather Station\n", "ar", "ar"},
		{"A whole page that is about the one word погода.\n", "bg", ""},
		{"カタカナ\n", "ja", "ja"},
	} {
		page, err := shared.Render(t.Context(), "ada", "Page", []byte(test.source), &world{all: true, self: "Page"})
		if err != nil {
			t.Fatal(err)
		}
		if got := page.LangIn(test.wiki, []byte(test.source)); got != test.want {
			t.Errorf("%q in a wiki in %q is in %q, want %q", test.source, test.wiki, got, test.want)
		}
	}
	for lang, want := range map[string]bool{"ar": true, "ar-eg": true, "he": true, "fa": true, "dv": true, "": false, "de": false, "ru": false, "arn": false} {
		if RightToLeft(lang) != want {
			t.Errorf("%q: %v", lang, !want)
		}
	}
}
