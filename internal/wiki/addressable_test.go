package wiki

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAddressablePath(t *testing.T) {
	long := strings.Repeat("ä", 120)
	for _, tc := range []struct{ file, to, why string }{
		{"Home.md", "Home.md", ""},
		{"a b/Ünï.md", "a b/Ünï.md", ""},
		{"Cafe\u0301.md", "Caf\u00e9.md", ""},
		{"git/history.md", "git/History.md", "address of every page"},
		{"edit/x.md", "Edit/x.md", "address of every page"},
		{"t/x.png", "T/x.png", "address of every page"},
		{"api/x.md", "Api/x.md", "address of every wiki"},
		{"-/x.md", "Page-/x.md", "address of every wiki"},
		{"robots.txt.md", "Robots.txt.md", "address of every wiki"},
		{"x/robots.txt.md", "x/robots.txt.md", ""},
		{"b.md.md", "b.md", "twice"},
		{"b.MD", "b.md", "pages end in .md"},
		{"b.md.MD", "b.md", "pages end in .md"},
		{`a\b.md`, "a_b.md", "backslash"},
		{"a\x07b\u202e.md", "a_b_.md", "control"},
		{" c /b .md", "c/b.md", "spaces around"},
		{"___.md", "Page.md", "spaces only"},
		{"git~1.md", "git-1.md", "git reserves"},
		{"a%0A.md", "a_0A.md", "percent"},
		{" history .md", "History.md", "spaces around"},
		{long + ".md", long[:196] + ".md", "too long"},
	} {
		to, why, err := AddressablePath(tc.file)
		if err != nil || to != tc.to || !strings.Contains(why, tc.why) || (why == "") != (tc.why == "") {
			t.Errorf("%q: %q, %q, %v; want %q, %q", tc.file, to, why, err, tc.to, tc.why)
		}
	}
	for _, file := range []string{"", "../x.md", "b//b.md", "/x.md", ".git/config", "a/.hidden.md", "\xff.md", "a/./b.md", strings.Repeat("a/", 150) + "b.md"} {
		if to, _, err := AddressablePath(file); err == nil {
			t.Errorf("%q: %q, want an error", file, to)
		}
	}
}

// The result always has an address, and is its own result.
func FuzzAddressablePath(f *testing.F) {
	for _, s := range []string{"a/history.md", " a.md.MD", "git~1/x.png", "%255c/-", "\\.\\..md", "a\u200d.md", "t/t/t.md"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		to, _, err := AddressablePath(file)
		if err != nil {
			return
		}
		if again, why, err := AddressablePath(to); again != to || why != "" || err != nil {
			t.Errorf("%q: %q, then %q, %q, %v", file, to, again, why, err)
		}
		if !utf8.ValidString(to) || Hidden(to) || len(to) > MaxNameBytes {
			t.Errorf("%q: %q", file, to)
		}
	})
}
