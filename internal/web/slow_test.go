package web

import (
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/pages"
)

// A page that couldn't be rendered in time isn't cached.
func TestSlowPagesAreNotCached(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Slow", strings.Repeat("*a*\n\n", 20_000))
	patient := w.web.o.Pages
	w.web.o.Pages = pages.New(pages.Options{
		Content: w.Content, Search: w.Search, Now: w.Clock.Now,
		Markdown: markdown.New(markdown.Options{Patience: time.Millisecond}),
	})
	a := w.anonymous().get(testOrigin("ada") + "/Slow").want(200)
	if !strings.Contains(a.body, "too long to render") || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Etag") != "" {
		t.Errorf("a slow page: %v\n%.2000s", a.header, a.body)
	}
	w.web.o.Pages = patient
	a = w.anonymous().get(testOrigin("ada") + "/Slow").want(200)
	if strings.Contains(a.body, "too long to render") || !strings.Contains(a.body, "<em>a</em>") {
		t.Errorf("the page is still shown as source:\n%.2000s", a.body)
	}
}
