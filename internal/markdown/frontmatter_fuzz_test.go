package markdown

import (
	"bytes"
	"testing"
)

// Front matter and the text after it are the whole page, and any front matter has
// facts or none.
func FuzzFrontMatter(f *testing.F) {
	for _, page := range []string{
		"---\ntitle: A\ntags: [a, b]\n---\nText.\n", "---\n- a\n---\n", "---\na: &a [*a]\n---\n", "---\r\ntitle: x\r\n---\r\n", "---\n", "---\n---\n", "---\n\xff\n---\n",
		"---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\n", "---\ntitle: {a: 1}\ntags: 7\n...\n", "\ufeff---\ntitle: x\n---\n", "---\n? [a]\n: b\n---\n",
	} {
		f.Add([]byte(page))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		if len(page) > 1<<16 {
			return
		}
		front, rest := CutFrontMatter(page)
		if !bytes.HasSuffix(page, rest) || len(front)+len(rest) > len(page) {
			t.Errorf("%d bytes: front matter %d, rest %d", len(page), len(front), len(rest))
		}
		_, _ = FrontMatter(page)
		ExtractFacts("Home", page)
	})
}
