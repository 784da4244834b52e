package pages

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"robot.wtf/internal/wiki"
)

// Attack: script, style, or parts that look like the service's, in the footer of each page.
func TestFooterHasOnlyText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, err := os.Open("../markdown/testdata/xss.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kept := 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var text string
		if json.Unmarshal(lines.Bytes(), &text) != nil {
			text = lines.Text()
		}
		rendered, err := w.renderFooter(t.Context(), w.site, text)
		if err != nil {
			if !errors.Is(err, wiki.ErrInvalid) && !errors.Is(err, wiki.ErrTooLarge) {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		kept++
		checkFooter(t, text, string(rendered))
	}
	if kept < 50 {
		t.Errorf("only %d payloads were rendered", kept)
	}
}

// checkFooter fails for elements and attributes that a footer can't have.
func checkFooter(t *testing.T, source, footer string) {
	z := html.NewTokenizer(strings.NewReader(footer))
	for z.Next() != html.ErrorToken {
		tag := z.Token()
		if tag.Type != html.TextToken && !slices.Contains(footerTags, tag.Data) {
			t.Errorf("%q: <%s>", source, tag.Data)
		}
		for _, a := range tag.Attr {
			if !slices.Contains([]string{"href", "rel", "class", "title", "dir", "lang"}, a.Key) || a.Key == "href" && strings.HasPrefix(strings.ToLower(a.Val), "javascript") {
				t.Errorf("%q: <%s %s=%q>", source, tag.Data, a.Key, a.Val)
			}
		}
	}
}

// A footer that couldn't be rendered because the reader left is provisional, and rendered
// for the next one.
func TestFooterIsRenderedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	site := w.site
	site.Footer = "By *Ada*"
	w.configure(site)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if html, provisional := w.Footer(gone, w.reader); html != "" || !provisional {
		t.Errorf("%q, provisional %v", html, provisional)
	}
	for range 2 {
		if html, provisional := w.Footer(t.Context(), w.reader); provisional || !strings.Contains(string(html), "<em>Ada</em>") {
			t.Errorf("%q, provisional %v", html, provisional)
		}
	}
}
