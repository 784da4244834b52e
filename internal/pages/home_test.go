package pages

import (
	"testing"

	"robot.wtf/internal/wiki"
)

func TestHome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pages []string
		want  string
	}{
		{nil, "Home"},
		{[]string{"A", "B"}, "Home"},
		{[]string{"Start", "A/B", "AGENTS"}, "Start"},
		{[]string{"Start", "_index"}, "_index"},
		{[]string{"_Index", "Docs/Index", "A"}, "Docs/Index"},
		{[]string{"docs/index", "Index"}, "Index"},
		{[]string{"index", "Readme"}, "Readme"},
		{[]string{"README", "home"}, "home"},
		{[]string{"docs/README", "docs/Home", "x/index"}, "Home"},
	} {
		var files []string
		for _, p := range c.pages {
			files = append(files, p+".md")
		}
		d := &directory{names: newNames(append(files, "logo.png", ".robot/Home.md"), nil, nil)}
		if got := d.home(wiki.Site{}); got != c.want {
			t.Errorf("%q: %q, want %q", c.pages, got, c.want)
		}
		if got := d.home(wiki.Site{Home: "/-/index"}); got != "/-/index" {
			t.Errorf("%q: %q instead of the setting", c.pages, got)
		}
	}
}
