package edit

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/slow"
)

func TestFoldedMatch(t *testing.T) {
	for _, test := range []struct{ page, old, text, want, ignored string }{
		{"It costs 5\u00a0€ today.\n", "costs 5 € today", "is free", "It is free.\n", "spaces"},
		{"She said “no”.\n", `"no"`, `"yes"`, "She said \"yes\".\n", "quotes"},
		{"It’s 3–5 days\n", "It's 3-5 days", "x", "x\n", "quotes, dashes"},
		{"a \"b\"\n", "a “b”", "x", "x\n", "quotes"},
		{"zero\u200bwidth, zero\n", "zerowidth", "x", "x, zero\n", "zero-width characters"},
		{"one  \ntwo\t\nthree\n", "one\ntwo\nthree", "x", "x\n", "blanks at line ends"},
		{"Cafe\u0301 au lait\n", "Café", "Tea", "Tea au lait\n", "accents (NFC)"},
		{"Café au lait\n", "Cafe\u0301", "Tea", "Tea au lait\n", "accents (NFC)"},
		{"\u200b\u00a0“x”\u00a0\u200b\n", `"x"`, "y", "\u200b\u00a0y\u00a0\u200b\n", "quotes"},
		{"“a” and “b”\n", `"b"`, "c", "“a” and c\n", "quotes"},
	} {
		got, err := Apply(NewDocument(test.page), Basis{}, Edit{Op: Replace, Old: test.old, Text: test.text})
		if err != nil || got.Text != test.want || List(got.Ignored) != test.ignored {
			t.Errorf("%q in %q: got %+v, %v, %v", test.old, test.page, got.Document, got.Ignored, err)
		}
	}
	got, err := Apply(NewDocument("“a”\nb\n"), Basis{}, Edit{Op: InsertAfter, Old: `"a"`, Text: "new"})
	if err != nil || got.Text != "“a”\nnew\nb\n" || len(got.Ignored) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFoldedMatchRefused(t *testing.T) {
	for _, test := range []struct {
		page string
		edit Edit
		says string
	}{
		{"“a”\nx\n‟a“\n", Edit{Op: Replace, Old: `"a"`, Text: "b"}, "more than once with other quotes, first on line 1"},
		{"“a”\n", Edit{Op: Replace, Old: `"a"`, Text: "b", All: true}, "isn't in the page"},
		{"Cafe\u0301 au lait\n", Edit{Op: Replace, Old: "Cafe\u0301\u0301", Text: "b"}, "isn't in the page"},
		{"xe\u0301y\n", Edit{Op: Replace, Old: "\u0301y", Text: "b"}, ""},
		{"The plan costs 5\u00a0€ today, says Ada.\n", Edit{Op: Replace, Old: "The plan costs 5 € today, says Bob.", Text: "b"}, "with U+00A0 instead of U+0020 at column 17: The plan costs"},
		{strings.Repeat("Some other words in one line. ", 40) + "The plan costs 5 euros today. " + strings.Repeat("And even more words. ", 40) + "\n",
			Edit{Op: Replace, Old: "The plan costs 6 euros today.", Text: "b"}, `line 1, with "5" instead of "6" at column 1216: …`},
		{"one\n  two words here\nthree\n", Edit{Op: Replace, Old: "one\ntwo words here\nthree", Text: "b"}, "line 2, with "},
		{"one\nsome words here\nfour\n", Edit{Op: Replace, Old: "one\nsome words here\nfive", Text: "b"}, `line 3, with "o" instead of "i" at column 2: four`},
	} {
		doc := NewDocument(test.page)
		got, err := Apply(doc, Basis{Base: doc}, test.edit)
		if test.says == "" {
			if err != nil || got.Text == "" {
				t.Errorf("%q: %v", test.page, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.says) || utf8.RuneCountInString(err.Error()) > 500 {
			t.Errorf("%+v: got %+v, %v, want %q", test.edit, got, err, test.says)
		}
	}
}

// FuzzFolded: the text that a folded match finds is old when folded.
func FuzzFolded(f *testing.F) {
	for _, old := range []string{`"no"`, "a b", "Cafe\u0301", "x\ny", "-", "e", "\u0301"} {
		for _, page := range []string{"“no” or “yes”\n", "a\u00a0b a\u200bb", "Café x  \ny –", "e\u0301\u0301 é", "\xff“no”"} {
			f.Add(page, old)
		}
	}
	f.Fuzz(func(t *testing.T, page, old string) {
		at, n := findFolded(page, old)
		if n == 0 {
			return
		}
		if at.from < 0 || at.from >= at.to || at.to > len(page) {
			t.Fatalf("%q in %q: %+v", old, page, at)
		}
		if got, want := foldString(page[at.from:at.to], foldAll, false), foldString(old, foldAll, false); strings.TrimRight(got, " \t") != strings.TrimRight(want, " \t") {
			t.Errorf("%q in %q: found %q", old, page, page[at.from:at.to])
		}
	})
}

func TestNotFoundDoubles(t *testing.T) {
	size := 8 << 10
	if slow.Enabled() {
		size = 64 << 10
	}
	for shape, text := range hostile.Pages {
		for name, old := range map[string]func(string) string{
			"long": func(page string) string { return page[:len(page)/2] + "?" + page[len(page)/2:] },
			"line": func(string) string { return "a line that isn't there, with “quotes”" },
		} {
			hostile.Double(t, shape+", "+name, size, func(n int) int {
				page := Normalize([]byte(text(n)))
				_, err := Apply(NewDocument(page), Basis{}, Edit{Op: Replace, Old: old(page), Text: "x"})
				return len(fmt.Sprint(err))
			})
		}
	}
	marks := func(n int) int {
		page := strings.Repeat("e"+strings.Repeat("\u0301", 200)+"\u00a0", n/400)
		_, err := Apply(NewDocument(page), Basis{}, Edit{Op: Replace, Old: page + "?", Text: "x"})
		return len(fmt.Sprint(err))
	}
	hostile.Double(t, "combining marks", 256<<10, marks)
}
