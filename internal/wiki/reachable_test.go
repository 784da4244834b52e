package wiki

import "testing"

func TestReachablePath(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		// Names with an address stay.
		{"Home.md", "Home.md"},
		{"history.md", "history.md"},
		{"view/x.md", "view/x.md"},
		{"static/img/logo.png", "static/img/logo.png"},
		{"docs/edit.png", "docs/edit.png"},
		{" lead/trail .md", " lead/trail .md"},
		{"_.md", "_.md"},
		{"nfd e\u0301.md", "nfd e\u0301.md"},
		{"100%25.md", "100%25.md"},
		{"Notes.markdown.md", "Notes.markdown.md"},
		{"LICENSE", "LICENSE"},
		{"git/.history.md", "git/.history.md"}, // hidden
		{".github/api/x.md", ".github/api/x.md"},
		// Names without an address change.
		{"git/history.md", "git/History.md"},
		{"src/view/x.png", "src/View/x.png"},
		{"docs/edit", "docs/Edit"},
		{"api/x.md", "Api/x.md"},
		{"api.md", "Api.md"},
		{"favicon.ico", "Favicon.ico"},
		{"robots.txt.md", "Robots.txt.md"},
		{"-/x.md", "Page-/x.md"},
		{"a/b.md.md", "a/b.md"},
		{"git/history.md.md", "git/History.md"},
		{`a\b.md`, "a_b.md"},
		{"a\x01.png", "a_.png"},
		{"a%0A.md", "a_0A.md"},
		{"README.MD", "README.md"},
		{"docs/Guide.Markdown", "docs/Guide.md"},
		{"x/view.MARKDOWN", "x/View.md"},
	} {
		got, why := ReachablePath(c.file)
		if got != c.want || (why == "") != (got == c.file) {
			t.Errorf("%q: %q, %q; want %q", c.file, got, why, c.want)
		}
		if again, _ := ReachablePath(got); again != got {
			t.Errorf("%q: %q, then %q", c.file, got, again)
		}
	}
}
