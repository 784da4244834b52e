package pages

import (
	"testing"

	"robot.wtf/internal/wiki"
)

// A completed link has the form of the wiki's links, and leads to the chosen page.
func TestCompleteLink(t *testing.T) {
	for _, c := range []struct {
		name, links string
		order       wiki.LinkOrder
		self, typed string
		page        wiki.PageName
		want        string
		textFirst   bool
	}{
		{"no links yet", "", "", "", "fro", "Garden/Late_frost", "Garden/Late frost", false},
		{"by path", "[[Garden/Late frost]] [[Garden/Late frost|it]] [[Late frost]]", "", "", "fro", "Garden/Late_frost", "Garden/Late frost", false},
		{"by name", "[[Late frost]] [[Late frost|it]] [[Garden/Late frost]]", "", "", "fro", "Garden/Late_frost", "Late frost", false},
		{"relative paths and root pages don't count", "[[Late frost]] [[../Garden/Late frost]] [[Links]] [[Links]]", "", "", "fro", "Garden/Late_frost", "Late frost", false},
		{"a name that two pages have", "[[Late frost]]", "", "", "beds", "Garden/Beds", "Garden/Beds", false},
		{"the nearest of two", "[[Late frost]]", "", "Garden/Plan", "beds", "Garden/Beds", "Beds", false},
		{"not the nearest of two", "[[Late frost]]", "", "Garden/Plan", "beds", "Shop/Beds", "Shop/Beds", false},
		{"an index has no name of its own", "[[Late frost]]", "", "", "readme", "Garden/README", "Garden/README", false},
		{"text first", "[[it|Late frost]] [[that|Late frost]] [[Late frost|it]]", "", "", "fro", "Garden/Late_frost", "Late frost", true},
		{"text first by setting", "", wiki.TextFirst, "", "fro", "Garden/Late_frost", "Garden/Late frost", true},
		{"target first by setting", "[[it|Late frost]]", wiki.TargetFirst, "", "fro", "Garden/Late_frost", "Garden/Late frost", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			for _, page := range []string{"Garden/Late frost", "Garden/Beds", "Garden/README", "Shop/Beds"} {
				w.put(page, "text")
			}
			w.put("Links", c.links)
			if c.order != "" {
				site := w.owner.Site()
				site.Wikilinks = c.order
				w.owner = wiki.NewAccess(site, w.owner.Caller(), wiki.Owner)
			}
			got, err := w.CompleteLink(w.t.Context(), w.owner, c.typed, c.self, 10)
			w.must(err)
			for _, choice := range got.Choices {
				if choice.Page == c.page && (choice.Target != c.want || got.TextFirst != c.textFirst) {
					t.Errorf("[[%s]], text first %v; want [[%s]], %v", choice.Target, got.TextFirst, c.want, c.textFirst)
				}
				if choice.Page == c.page {
					return
				}
			}
			t.Errorf("%s isn't suggested: %+v", c.page, got)
		})
	}
}
